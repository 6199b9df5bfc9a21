"""The run before this one of the same snapshot, and what became of its findings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from wiretape_capture.errors import WiretapeError
from wiretape_replay.run_file import RunReader
from wiretape_replay.verdict.changes import since
from wiretape_replay.verdict.model import Run, Since

LOOKED_AT = 50
"""So many run files beside this one are opened in search of it, newest first."""


async def since_previous(path: Path, run: Run) -> Since | None:
    """The findings against those of the newest run beside `path` that compared anything of the same snapshot."""
    async for before in earlier_runs(path):
        if before.snapshot_sha256 == run.snapshot_sha256 and _compared(before):
            return since(before, run)
    return None


async def earlier_runs(path: Path) -> AsyncIterator[Run]:
    """The readable ones of the newest run files beside `path`, newest first."""
    for other in await asyncio.to_thread(_others, path):
        if (before := await _read(other)) is not None:
            yield before


def _others(path: Path) -> list[Path]:
    paths = [other for other in path.parent.glob("*.run") if other != path]
    return sorted(paths, key=lambda other: (other.stat().st_mtime_ns, other.name), reverse=True)[:LOOKED_AT]


async def _read(path: Path) -> Run | None:
    try:
        async with await RunReader.open(path) as reader:
            return await reader.run()
    except WiretapeError:
        return None  # `wiretape runs` tells of damaged files; a run does not end for one


def _compared(run: Run) -> bool:
    counts = run.counts
    return run.load is None and counts.bytes_equal + counts.semantically_equal + counts.different > 0
