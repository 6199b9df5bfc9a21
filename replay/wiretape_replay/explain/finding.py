"""Why a difference counts: what it is, which reasons for noise were considered, and why none of them held. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, JsonValue

from wiretape_replay.compare.learned import LearnedRule
from wiretape_replay.compare.noise import Variation
from wiretape_replay.compare.shape import named_format
from wiretape_replay.explain.place import Explanation, bounds
from wiretape_replay.formats import VOLATILE
from wiretape_replay.leaves import kind_of
from wiretape_replay.verdict.model import Finding, FindingClass, Part, Run, Severity

STRUCTURE = frozenset({FindingClass.STATUS, FindingClass.TYPE, FindingClass.REMOVED, FindingClass.ADDED,
                       FindingClass.FORMAT, FindingClass.ERROR})  # fmt: skip
STAYS = "its place is structure, which is never noise; if the change is meant, record a new snapshot"
_WEIGHT = {
    Severity.ERROR: "it fails each exchange that shows it",
    Severity.WARNING: "it is told and fails nothing by itself",
    Severity.INFO: "it is for your information and fails nothing",
}
_STRUCTURAL = {
    FindingClass.STATUS: "another status", FindingClass.TYPE: "another type",
    FindingClass.REMOVED: "what is missing now", FindingClass.ADDED: "what is new",
    FindingClass.FORMAT: "another format", FindingClass.ERROR: "a lost response",
}  # fmt: skip


class FindingExplanation(BaseModel):
    """Why one finding counts."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    why: tuple[str, ...]
    """What kind of difference it is, what it does to the verdict, and its evidence."""
    considered: tuple[str, ...]
    """Each reason for noise that was looked for, and why it was refused."""
    unchanged: str
    """What unchanged code did at this place, as far as it is known."""
    acceptable: str
    """Empty when `noise accept` would take it; else why it would not."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What identical requests of the recording showed at the place; None: nothing was looked at or nothing repeated."""

    value: Variation | None = None
    order: Variation | None = None


def explained(finding: Finding, run: Run, known: Explanation, recorded: Recorded,
              acceptable: str) -> FindingExplanation:  # fmt: skip
    """All of it."""
    return FindingExplanation(why=tuple(_why(finding)), considered=tuple(_considered(finding, known, recorded)),
                              unchanged=_unchanged(finding, run, known), acceptable=acceptable)  # fmt: skip


def _why(finding: Finding) -> Iterator[str]:
    breaking = " and breaks clients that rely on what was recorded" if finding.breaking else ""
    yield f"a difference of class {finding.kind}, severity {finding.severity}: {_WEIGHT[finding.severity]}{breaking}"
    if finding.of:
        yield f"seen in {finding.count} of {finding.of} compared exchanges of its route"
    if finding.evidence:
        yield f"evidence: {finding.evidence}"
    if finding.dependants:
        yield f"{len(finding.dependants)} later exchanges could not be sent: they need a value that did not come"


def _considered(finding: Finding, known: Explanation, recorded: Recorded) -> Iterator[str]:
    if finding.part is Part.OUTBOUND:
        yield f"calls to services are compared with those recorded: {STAYS}"
        return
    if finding.kind is FindingClass.LATENCY:
        yield "response times are judged by a significance test, not by rules for noise"
        return
    if finding.kind in STRUCTURE:
        yield f"{_STRUCTURAL[finding.kind]} is structure, which is never noise by value"
    yield from _rules(finding, known)
    if finding.kind not in STRUCTURE:
        yield from _by_values(finding)
    yield from _by_repetition(finding, recorded)


def _rules(finding: Finding, known: Explanation) -> Iterator[str]:
    for declared in known.declared:
        yield f"the rule of wiretape.toml for {declared.route} {declared.pointer}: {_fault(finding)}"
    for rule in known.rules:
        yield f"rule {rule.id} of wiretape-noise.toml ({rule.kind}, {rule.said}): {_fault(finding, rule)}"
    if not known.declared and not known.rules:
        yield "no rule of wiretape.toml or wiretape-noise.toml speaks of this place"


def _fault(finding: Finding, rule: LearnedRule | None = None) -> str:
    """Why a rule for the place did not take the difference."""
    was, now = finding.expected, finding.actual
    if finding.kind in STRUCTURE:
        return f"refused, for it covers values and {_STRUCTURAL[finding.kind]} is structure"
    if kind_of(was) != kind_of(now):
        return f"refused, for {kind_of(was)} became {kind_of(now)} and shape is kept"
    if isinstance(was, str) and isinstance(now, str) and named_format(was) != named_format(now):
        return f"refused, for the format {named_format(was)} became {named_format(now)}"
    if rule is not None and rule.kind.value != finding.kind.value:
        return f"it speaks of {rule.kind}, this is a difference of {finding.kind}"
    shape = f" ({bounds(rule)})" if rule is not None and bounds(rule) != "unknown" else ""
    return f"refused, for the value falls out of the shape that noise must keep{shape}"


def _by_values(finding: Finding) -> Iterator[str]:
    was, now = finding.expected, finding.actual
    if finding.kind is FindingClass.ORDER:
        yield "the values say nothing of their order"
        return
    ours, theirs = _format(was), _format(now)
    if ours == theirs and ours in VOLATILE:
        yield f"both values look like {ours}, which is made anew each time, but here something is known that forbids it"
    else:
        yield f"the values themselves show no reason: {ours} was recorded and {theirs} came, neither bound nor a clock"


def _by_repetition(finding: Finding, recorded: Recorded) -> Iterator[str]:
    seen = recorded.order if finding.kind is FindingClass.ORDER else recorded.value
    if seen is None or not seen.of:
        yield "the recording repeats no identical request here, so it does not show whether this place varies"
    elif not seen.differed:
        yield f"identical requests of the recording had the same here in all {seen.of} repetitions"
    else:
        yield f"it {seen}, but this difference does not keep what those had in common"


def _unchanged(finding: Finding, run: Run, known: Explanation) -> str:
    if known.observed:
        return "; ".join(f"unchanged code ({rule.kind}): {rule.said}, shape {bounds(rule)}" for rule in known.observed)
    if run.baseline_answers:
        said = finding.evidence if "unchanged code" in finding.evidence else "no difference was seen at this place"
        return f"unchanged code was replayed too ({run.baseline_answers} answers at most): {said}"
    return "unchanged code was not replayed in this run; `wiretape verify --baseline-cwd DIR` shows what it does here"


def _format(value: JsonValue) -> str:
    return named_format(value) if isinstance(value, str) else kind_of(value)


def lookups(finding: Finding) -> Sequence[str]:
    """What to search for in the code, most telling first."""
    return [name for name in finding.look_at if len(name) > 1]
