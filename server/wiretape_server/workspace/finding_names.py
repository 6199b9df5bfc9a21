"""Findings of a run by their ids, as people and agents give them."""

from __future__ import annotations

from wiretape_capture.errors import UsageError
from wiretape_replay.verdict.model import Finding, Run
from wiretape_server.workspace.names import nearest


def find_finding(run: Run, finding_id: str) -> Finding:
    """The finding with that id or that beginning of an id."""
    found = [each for each in run.verdict.findings if each.id.lower().startswith(finding_id.lower())]
    if len(found) == 1:
        return found[0]
    ids = [each.id for each in run.verdict.findings]
    if found:
        raise UsageError(f'"{finding_id}" is the beginning of {len(found)} findings', f"say which: {', '.join(ids)}")
    if not ids:
        raise UsageError(f"run {run.id} has no findings", "its verdict is shown by: wiretape diff " + run.id)
    close = nearest(finding_id, ids)
    raise UsageError(f'run {run.id} has no finding "{finding_id}"',
                     f"did you mean {close}?" if close else f"it has {', '.join(ids[:5])}")  # fmt: skip
