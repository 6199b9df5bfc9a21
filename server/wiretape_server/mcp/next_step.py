"""What an agent should do after a run: read the app's log, look at a difference, mend, or nothing. Pure."""

from __future__ import annotations

from wiretape_replay.verdict.causes import earliest
from wiretape_replay.verdict.model import FindingClass, Run, Severity


def next_step(run: Run, app_log: str) -> str:
    """One sentence for the agent; `app_log` is empty where the app was not ours or said nothing."""
    steps = (_crash(run, app_log), _step(run), _review(run))
    return "; ".join(filter(None, steps))


def _review(run: Run) -> str:
    """An agent may not settle by itself what judges its work."""
    if run.integrity is None or not run.integrity.counted or run.verdict.verdict == "inconclusive":
        return ""
    return "tell the user what changed about the judge: only a person's review and `wiretape lock` settle it"


def _step(run: Run) -> str:
    if run.verdict.verdict == "pass" and _is_partial(run):
        return "what was chosen is equal; the rest was not replayed: call run_replay for all of it"
    evals_failed = any(one.passed is False for one in run.verdict.evals)
    if run.integrity is not None and run.integrity.refusal and not evals_failed:
        return "no eval failed; take the changes back if they are yours"
    if run.verdict.verdict == "pass" and not run.counts.failed:
        warned = [one for one in run.verdict.findings if one.severity is Severity.WARNING]
        if warned:
            return (f'every recorded answer of {run.snapshot} is kept, but no eval judges warnings: '
                    f'explain(id="{earliest(warned).id}", run="{run.id}") says why and where to look; mend it, or ask '
                    "whether it is meant")  # fmt: skip
        return f"nothing to mend: the change keeps every recorded answer of {run.snapshot}"
    if run.verdict.findings:
        first = earliest(run.verdict.findings).id
        shows = f'explain(id="{first}", run="{run.id}") says why and where to look'
        if run.verdict.verdict == "pass":
            return f"{shows}: no eval fails the run for it, so ask whether it is meant"
        return f'{shows}; mend it, then run_replay(failed_of="{run.id}")'
    if run.verdict.verdict == "pass":
        return "no eval fails the run, but not every answer was equal: ask whether that is meant"
    if run.verdict.verdict == "fail":
        return f'look at the failed evals, mend the cause, then run_replay(failed_of="{run.id}") judges by them again'
    return "clear what the summary names, then call run_replay again"


def _is_partial(run: Run) -> bool:
    """Whether only some of the recording was chosen; older runs tell by the command that repeats them."""
    if run.basis is not None:
        return run.basis.narrowed and run.basis.replayed < run.basis.recording.inbound
    return " --only " in run.command or " --failed-of " in run.command


def _unanswered(run: Run) -> int:
    """The first exchange that got no response, or 0."""
    lost = [one for one in run.verdict.findings if one.kind is FindingClass.ERROR]
    return min((sequence for one in lost for sequence in one.sequences), default=0)


def _crash(run: Run, app_log: str) -> str:
    """Where to look when the app died or answered that it failed."""
    if not app_log:
        return ""
    if "the app ended" in run.verdict.reason or _unanswered(run):
        lost = _unanswered(run)
        shows = f'get_exchange(sequence={lost}, run="{run.id}")'
        which = f"; the first request without a response: {shows}" if lost else ""
        return f"read {app_log} for why the app gave no response{which}"
    failed = any(one.kind is FindingClass.STATUS and str(one.actual).startswith("5") for one in run.verdict.findings)
    return f"read {app_log} for why the app answered with a 5xx status" if failed else ""
