"""Everything that is known of one place: rules, what unchanged code showed, what a run suppressed or found. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic import BaseModel

from wiretape_replay.compare.learned import LearnedRule
from wiretape_replay.compare.messages import said
from wiretape_replay.engine.spec import NoiseRule
from wiretape_replay.report.printable import plural, printable
from wiretape_replay.verdict.model import Finding, Part, Run, Suppressed


class Explanation(BaseModel):
    """Everything that is known of one place."""

    route: str
    pointer: str
    run: str = ""
    declared: tuple[NoiseRule, ...] = ()
    """Rules of wiretape.toml."""
    rules: tuple[LearnedRule, ...] = ()
    """Rules of wiretape-noise.toml."""
    observed: tuple[LearnedRule, ...] = ()
    """What varied in the baseline replays of the run."""
    suppressed: tuple[Suppressed, ...] = ()
    """What the run took as noise there."""
    findings: tuple[Finding, ...] = ()


def explain(route: str, pointer: str, declared: Sequence[NoiseRule], rules: Sequence[LearnedRule],
            run: Run | None) -> Explanation:  # fmt: skip
    """Everything that speaks of a place; the items of an array speak of the array too."""
    places = {pointer, pointer.removesuffix("/*")}
    mine = [rule for rule in rules if rule.route == route and rule.pointer in places]
    said = [rule for rule in declared if rule.route in ("*", route) and rule.pointer in places]
    if run is None:
        return Explanation(route=route, pointer=pointer, declared=tuple(said), rules=tuple(mine))
    return Explanation(
        route=route, pointer=pointer, run=run.id, declared=tuple(said), rules=tuple(mine),
        observed=tuple(rule for rule in run.noise if rule.route == route and rule.pointer in places),
        suppressed=tuple(one for one in run.suppressed if one.route == route and pointer_of(one) in places),
        findings=tuple(one for one in run.verdict.findings if one.route == route and pointer_of(one) in places),
    )  # fmt: skip


def explanation_lines(told: Explanation) -> Iterator[str]:
    """The same as text."""
    yield printable(f"{told.route}  {told.pointer}")
    for declared in told.declared:
        why = f": {declared.reason}" if declared.reason else ""
        yield printable(f"  declared in wiretape.toml for {declared.route}{why}")
    for rule in told.rules:
        yield printable(f"  rule {rule.id} ({rule.kind}): {rule.said}{f', {rule.date}' if rule.date else ''}"
                        f"{f', commit {rule.commit}' if rule.commit else ''}")  # fmt: skip
    if told.run:
        yield f"  in run {told.run}:"
    for seen in told.observed:
        yield printable(f"    on unchanged code ({seen.kind}): {seen.said}; shape {bounds(seen)}")
    for one in told.suppressed:
        yield printable(f"    suppressed {plural(one.count, 'difference')}: {one.reason}, such as "
                        f"{said(one.example_expected)} and {said(one.example_actual)}")  # fmt: skip
    for finding in told.findings:
        yield printable(f"    {finding.id} ({finding.kind}): {finding.message}")
        yield printable(f"      evidence: {finding.evidence}")
    if not (told.declared or told.rules or told.observed or told.suppressed or told.findings):
        yield "  nothing is known of this place: it never differed, or route and pointer are not exactly those of a run"


def bounds(rule: LearnedRule) -> str:
    """The shape of a rule in words."""
    shape = rule.shape.model_dump(exclude_defaults=True, mode="json")
    return ", ".join(f"{name} {value}" for name, value in shape.items()) or "unknown"


def pointer_of(one: Suppressed | Finding) -> str:
    """The place as rules name it."""
    return f"header:{one.pointer}" if one.part is Part.HEADER else one.pointer
