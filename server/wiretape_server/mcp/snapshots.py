"""Opening the snapshot an agent means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wiretape_server.mcp.names import inside, plain

if TYPE_CHECKING:
    from wiretape_capture.snapshot.tape_reader import TapeReader
    from wiretape_server.workspace.workspace import Workspace


async def open_snapshot(workspace: Workspace, name: str | None) -> TapeReader:
    """The snapshot called `name`; None: the one wiretape.toml names, or the newest."""
    from wiretape_capture.snapshot.listing import find_snapshot
    from wiretape_capture.snapshot.tape_reader import TapeReader

    wanted = plain(name, "snapshot") or workspace.config.snapshot or None
    path = find_snapshot(workspace.snapshots_dir, wanted)
    return await TapeReader.open(inside(path, workspace.snapshots_dir))
