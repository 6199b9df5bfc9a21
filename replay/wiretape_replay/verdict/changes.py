"""Two runs against each other: which findings are new, which are still there, which are fixed."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from wiretape_replay.verdict.model import Finding, FindingClass, PastFinding, Run, Since


class Changes(BaseModel):
    """Findings of two runs by their stable ids."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    new: tuple[Finding, ...]
    still: tuple[Finding, ...]
    fixed: tuple[Finding, ...]
    not_replayed: tuple[Finding, ...]
    """Absent from the later run, which did not replay or measure their route: nothing is known of them."""


def changes(before: Run, after: Run) -> Changes:
    """What happened to the findings between two runs."""
    old = {finding.id: finding for finding in before.verdict.findings}
    now = {finding.id: finding for finding in after.verdict.findings}
    gone = [finding for name, finding in old.items() if name not in now]
    seen = {finding.id: _looked_for(finding, before, after) for finding in gone}
    return Changes(
        new=tuple(finding for name, finding in now.items() if name not in old),
        still=tuple(finding for name, finding in now.items() if name in old),
        fixed=tuple(finding for finding in gone if seen[finding.id]),
        not_replayed=tuple(finding for finding in gone if not seen[finding.id]),
    )


def _looked_for(finding: Finding, before: Run, after: Run) -> bool:
    """Whether the later run would have shown the finding."""
    if finding.kind is FindingClass.LATENCY:
        return any(one.route == finding.route for one in after.against_baseline)
    if finding.kind is FindingClass.OUTBOUND and after.mock is None:
        return False
    return finding.route in _routes(after) or finding.route not in _routes(before)


def since(before: Run, after: Run) -> Since:
    """The same as part of the later run."""
    told = changes(before, after)
    return Since(
        run=before.id, new=tuple(one.id for one in told.new), still=tuple(one.id for one in told.still),
        fixed=tuple(map(_past, told.fixed)), not_replayed=tuple(map(_past, told.not_replayed)),
    )  # fmt: skip


def _past(finding: Finding) -> PastFinding:
    return PastFinding(id=finding.id, route=finding.route, message=finding.message)


def _routes(run: Run) -> set[str]:
    """Routes of a run; a finding may lie outside of them, such as an outbound call."""
    return {route.route for route in run.routes}
