"""`failed` and `failed:RUN` among what is to be replayed: what did not come out equal in an earlier run."""

from __future__ import annotations

from wiretape_capture.errors import UsageError
from wiretape_replay.run_file import ResultQuery, RunReader, find_run
from wiretape_server.workspace.workspace import Workspace

WORD = "failed"


async def with_failed(ws: Workspace) -> Workspace:
    """The workspace with those words replaced by sequence numbers, and the snapshot that they are of."""
    only = ws.config.replay.only
    named = [item for item in only if _is_failed(item)]
    if not named:
        return ws
    numbers: dict[str, None] = {}
    snapshot = ws.config.snapshot
    for item in named:
        snapshot, failed = await _failed(ws, item.strip().partition(":")[2].strip(), snapshot)
        numbers.update(dict.fromkeys(map(str, failed)))
    rest = [item for item in only if not _is_failed(item)]
    return ws.with_settings({"replay.only": (*rest, *numbers), "snapshot": snapshot})


async def _failed(ws: Workspace, run: str, snapshot: str) -> tuple[str, list[int]]:
    """The run's snapshot and what failed in it; `snapshot` is the one that is to be replayed, if that is known."""
    async with await RunReader.open(find_run(ws.runs_dir, run or None)) as reader:
        found = await reader.run()
        failed = [one.sequence for one in await reader.results(ResultQuery(failed=True))]
    if snapshot and snapshot != found.snapshot:
        raise UsageError(f"run {found.id} replayed snapshot {found.snapshot}, not {snapshot}",
                         f"replay {found.snapshot}, or name a run of {snapshot} as failed:RUN")  # fmt: skip
    if not failed:
        raise UsageError(f"nothing failed in run {found.id}", "replay all, or name another run as failed:RUN")
    return found.snapshot, failed


def _is_failed(item: str) -> bool:
    return item.strip().partition(":")[0].strip().lower() == WORD
