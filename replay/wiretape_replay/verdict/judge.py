"""The verdict: evals decide between pass and fail; what makes a pass hollow turns it into inconclusive. Pure.

Findings are shown whatever the evals say; they fail a run only through an eval that counts them or the exchanges
they are in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from wiretape_capture.errors import UsageError
from wiretape_replay.verdict.basis import Integrity
from wiretape_replay.verdict.causes import Rank, causes_of, earliest, led
from wiretape_replay.verdict.evals import Condition, evaluate, parse
from wiretape_replay.verdict.metrics import measure
from wiretape_replay.verdict.model import Counts, Eval, Finding, Run, Severity, Verdict
from wiretape_replay.verdict.paired import Pairs

MISSES = "mock.misses > 0"
"""Joined to the evals when a mock takes part and no eval speaks of the mock or of findings."""

FAILED = "requests.failed > 0"
"""What fails a run unless its evals say otherwise."""
_WHETHER_RIGHT = frozenset({"requests.failed", "requests.succeeded", "requests.match-pct", "findings.total",
                            "findings.error", "findings.breaking"})  # fmt: skip
"""Metrics that say whether answers came out right."""

_RANK = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}


def conditions(fail_if: Iterable[str], *, mocked: bool, has_baseline: bool) -> list[Condition]:
    """What the run is judged by; refuses what could never be judged before anything is started."""
    asked = [parse(text) for text in fail_if]
    relative = next((condition for condition in asked if condition.relative), None)
    if relative is not None and not has_baseline:
        raise UsageError(f"the eval {str(relative)!r} needs a baseline, and none was given",
                         "name an earlier run with --baseline")  # fmt: skip
    if mocked and not speaks_of_mock(map(str, asked)):
        asked.append(parse(MISSES))
    return asked


def joined(fail_if: Sequence[str]) -> tuple[str, ...]:
    """These evals, with the default one before them where none of them judges whether answers are right.

    An eval on times or rates alone would pass a run of which every answer is wrong.
    """
    judged = any(parse(text).metric in _WHETHER_RIGHT for text in fail_if)
    return tuple(fail_if) if judged or not fail_if else (FAILED, *fail_if)


def speaks_of_mock(fail_if: Iterable[str]) -> bool:
    """Whether one of the evals judges what the mock saw, by itself or among all findings."""
    return any(parse(text).metric.startswith(("mock.", "findings.")) for text in fail_if)


def judge(run: Run, asked: Sequence[Condition], *, baseline: Run | None = None, stopped: str = "",
          doubts: Sequence[str] = (), pairs: Mapping[str, Pairs] | None = None,
          untimed: str = "", integrity: Integrity | None = None) -> Verdict:  # fmt: skip
    """The verdict on a run whose own verdict holds its findings only.

    `stopped` says how the run was cut short: nothing is judged then. Each of `doubts` forbids a pass. `untimed` says
    why response times and rates are not the app's own: they neither pass nor fail then. With a locked
    `integrity` every change of what the verdict rests on forbids a pass.
    """
    metrics = measure(run)
    reference = None if baseline is None else measure(baseline)
    evals = tuple(evaluate(condition, metrics, reference, pairs) for condition in asked)
    if untimed:
        evals = tuple(_untimed(one, condition, untimed) for one, condition in zip(evals, asked, strict=True))
        doubts = [*doubts, untimed]
    evals = tuple(_with_blocked(one, condition, run.counts) for one, condition in zip(evals, asked, strict=True))
    findings = _first_leading(run.verdict.findings)
    failed = [one for one in evals if one.passed is False]
    doubt = next(iter([*doubts, *_hollow(run), *_unjudged(evals)]), "")
    refusal = integrity.refusal if integrity is not None else ""
    word, reason = _decided(run, stopped, failed, refusal, doubt, findings)
    return Verdict(verdict=word, reason=reason, evals=evals, findings=findings, causes=causes_of(findings))


def _with_blocked(one: Eval, condition: Condition, counts: Counts) -> Eval:
    """`requests.failed` counts what was not sent, too: reports have that in a column of its own."""
    if condition.subject != "requests.failed" or not counts.blocked or one.note:
        return one
    return one.model_copy(update={"note": f"{counts.blocked:,} of them blocked: not sent for want of a value"})


def _untimed(one: Eval, condition: Condition, why: str) -> Eval:
    timed = condition.metric.startswith(("latency.", "requests.per-"))
    return one.model_copy(update={"passed": None, "note": why}) if timed else one


def _decided(run: Run, stopped: str, failed: Sequence[Eval], refusal: str, doubt: str,
             findings: Sequence[Finding]) -> tuple[Literal["pass", "fail", "inconclusive"], str]:  # fmt: skip
    if stopped:
        return "inconclusive", stopped
    if failed:
        return "fail", _why_failed(failed, findings)
    if refusal:
        return "fail", refusal
    return ("inconclusive", doubt) if doubt else ("pass", _why_passed(run))


def _first_leading(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """By rank, but for the one of the earliest exchange, which the verdict names: later ones may follow from it."""
    ranked = sorted(findings, key=_rank)
    worst = [one for one in ranked if one.severity in (Severity.ERROR, Severity.WARNING)]
    first = earliest(worst).id if worst else ""
    return led(ranked, lambda finding: _rank(finding, first))


def _rank(finding: Finding, first: str = "") -> Rank:
    return _RANK[finding.severity], finding.id != first, not finding.breaking, -finding.count, finding.id


def _hollow(run: Run) -> list[str]:
    """Why a pass would say nothing."""
    counts = run.counts
    if counts.total == 0:
        return ["nothing was sent: the snapshot has no inbound exchange that can be replayed; "
                "`wiretape mock` answers its outbound calls while you drive the app"]  # fmt: skip
    if counts.total == counts.errors + counts.blocked:
        return ["nothing was compared: no exchange got a response"]
    if run.mock is not None and run.mock.nearest:
        return [f"{run.mock.nearest} calls were answered by the nearest recording, not by their own"]
    return []


def _unjudged(evals: Sequence[Eval]) -> list[str]:
    if not evals:
        return ["there is no eval to judge the run by"]
    return [f"{one.expression} could not be judged: {one.note}" for one in evals if one.passed is None]


def _why_failed(failed: Sequence[Eval], findings: Sequence[Finding]) -> str:
    first = failed[0]
    others = len(failed) - 1
    more = f" and {others} more {'eval' if others == 1 else 'evals'} failed" if others else ""
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    cause = f"; first: {earliest(errors).message}" if errors else ""
    return f"{first.expression} is true, observed {first.observed:.2f}{more}{cause}"


def _why_passed(run: Run) -> str:
    equal = run.counts.total - run.counts.failed
    if equal == run.counts.total:
        return _all_equal(run.counts) + _unended(run) + _warned(run.verdict.findings)
    return f"no eval failed, though {run.counts.failed} of {run.counts.total} exchanges did not come out equal"


def _all_equal(counts: Counts) -> str:
    if counts.unchecked:
        looked = counts.total - counts.unchecked
        return f"all {looked} of {counts.total} answers that were compared came out equal, the others by status"
    return f"all {counts.total} exchanges came out equal" if counts.total > 1 else "the exchange came out equal"


def _unended(run: Run) -> str:
    """A load that saw only beginnings of sessions says so."""
    load = run.load
    if load is None or load.sessions_ended or not load.sessions_cut:
        return ""
    return f", but no session came to its end: {load.sessions_cut:,} cut short"


def _warned(findings: Sequence[Finding]) -> str:
    """A pass says what it passed over: few look further than the verdict."""
    warnings = [finding for finding in findings if finding.severity is Severity.WARNING]
    if not warnings:
        return ""
    many = "1 warning" if len(warnings) == 1 else f"{len(warnings)} warnings, first"
    return f"; {many}: {earliest(warnings).message}"
