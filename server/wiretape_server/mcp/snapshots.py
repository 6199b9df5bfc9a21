"""Opening the snapshot an agent means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wiretape_capture.errors import UsageError
from wiretape_server.mcp.names import inside, plain

if TYPE_CHECKING:
    from pathlib import Path

    from wiretape_capture.snapshot.exchange import Direction
    from wiretape_capture.snapshot.tape_reader import TapeReader
    from wiretape_capture.snapshot.text_cache import Progress
    from wiretape_server.workspace.workspace import Workspace


def expect_some(workspace: Workspace) -> None:
    """Say in an agent's words that nothing was recorded yet."""
    from wiretape_capture.snapshot.listing import snapshot_names

    if not snapshot_names(workspace.snapshots_dir):
        raise UsageError("this project has no snapshots yet", "start_recording makes one")


async def open_snapshot(workspace: Workspace, name: str | None, progress: Progress | None = None) -> TapeReader:
    """The snapshot called `name`; None: the one wiretape.toml names, or the newest.

    `progress` hears of an index that a text search makes.
    """
    from wiretape_capture.snapshot.tape_reader import TapeReader
    from wiretape_capture.snapshot.text_cache import TextCache

    return await TapeReader.open(snapshot_path(workspace, name), cache=TextCache(workspace.cache_dir, progress))


def snapshot_path(workspace: Workspace, name: str | None, holding: Direction | None = None) -> Path:
    """Where that snapshot lies, inside the workspace; without a name the newest, or the newest `holding` something."""
    from wiretape_capture.snapshot.listing import find_snapshot

    expect_some(workspace)
    wanted = plain(name, "snapshot") or workspace.config.snapshot or None
    return inside(find_snapshot(workspace.snapshots_dir, wanted, holding), workspace.snapshots_dir)
