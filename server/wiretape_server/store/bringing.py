"""A snapshot or run that a command names and this workspace lacks comes from the store, as an image comes to docker.

What is here is used as it is and the store is not asked; without a store nothing changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from wiretape_capture.errors import UsageError
from wiretape_capture.snapshot.exchange import Direction
from wiretape_capture.snapshot.listing import SUFFIX, find_snapshot, named, snapshot_names
from wiretape_replay.run_file import find_run
from wiretape_server.workspace.baseline import is_url
from wiretape_server.workspace.failed import NEWEST, named_runs
from wiretape_server.workspace.lock_file import lock_in_use
from wiretape_server.workspace.workspace import Workspace

if TYPE_CHECKING:
    from wiretape_server.store.store import Store

type Say = Callable[[str], None]


def snapshot_file(ws: Workspace, name: str | None, holding: Direction | None, say: Say) -> Path:
    """`find_snapshot` that looks into the store for what is not here."""
    if ws.config.store and not _here(ws, name):
        _fetch_snapshot(ws, name, holding, say)
    return find_snapshot(ws.snapshots_dir, name, holding)


def run_file(ws: Workspace, run: str | None, say: Say) -> Path:
    """`find_run` that looks into the store for a named run that is not here."""
    if ws.config.store and run and not any(path.stem.startswith(run) for path in ws.runs_dir.glob("*.run")):
        _fetch_run(ws, run, say)
    return find_run(ws.runs_dir, run)


def bring_runs(ws: Workspace, say: Say) -> None:
    """The runs that a replay reads: an earlier one to compare with, those whose failures are sent again."""
    replay = ws.config.replay
    earlier = [replay.baseline] if replay.baseline and not is_url(replay.baseline) else []
    runs = [run for run in (*earlier, *named_runs(replay.only)) if run.lower() not in NEWEST]
    for run in runs:
        run_file(ws, run, say)


def bring_snapshot(ws: Workspace, holding: Direction, say: Say) -> None:
    """The snapshot that a job of this workspace reads."""
    name = ws.config.snapshot or None
    if ws.config.store and not _here(ws, name):
        _fetch_snapshot(ws, name, holding, say)


def _here(ws: Workspace, name: str | None) -> bool:
    names = snapshot_names(ws.snapshots_dir)
    return bool(names) if name is None else named(ws.snapshots_dir, name) in names


def _fetch_snapshot(ws: Workspace, name: str | None, holding: Direction | None, say: Say) -> None:
    from wiretape_server.store.entry import Kind
    from wiretape_server.store.store import Store
    from wiretape_server.store.transfer import pull

    store = Store.open(ws.config.store)
    wanted = name.removesuffix(SUFFIX) if name else _locked(ws) or _newest(store, holding)
    entry = store.entry(Kind.SNAPSHOT, wanted)
    if entry is None:
        raise store.missing(Kind.SNAPSHOT, wanted)
    asyncio.run(pull(ws, store, entry, force=False))
    say(f"pulled snapshot {wanted} from {store}")


def _fetch_run(ws: Workspace, run: str, say: Say) -> None:
    from wiretape_server.store.entry import Kind
    from wiretape_server.store.store import Store
    from wiretape_server.store.transfer import pull

    store = Store.open(ws.config.store)
    name = store.begun(Kind.RUN, run)
    entry = store.entry(Kind.RUN, name)
    if entry is None:
        raise store.missing(Kind.RUN, name)
    asyncio.run(pull(ws, store, entry, force=False))
    say(f"pulled run {name} from {store}")


def _locked(ws: Workspace) -> str:
    """The snapshot that the lock was made with, where it is one."""
    lock = lock_in_use(ws.root, ws.config.replay.lock_hash)
    names = [one.name for one in lock.lock.snapshot] if lock else []
    return names[0] if len(names) == 1 else ""


def _newest(store: Store, holding: Direction | None) -> str:
    from wiretape_server.store.entry import Kind

    entries, _ = store.entries(Kind.SNAPSHOT)
    if not entries:
        raise UsageError(f"there are no snapshots here and none in {store}", "record one with: wiretape record -- CMD")
    for entry in entries:
        assert entry.snapshot is not None
        if holding is None or (entry.snapshot.inbound if holding is Direction.INBOUND else entry.snapshot.outbound):
            return entry.name
    return entries[0].name
