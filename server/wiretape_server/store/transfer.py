"""Snapshots and runs between a workspace and a store. Whatever is moved is opened and checked first."""

from __future__ import annotations

import time
from pathlib import Path

from wiretape_capture.errors import SnapshotUnreadable, UsageError, WiretapeError
from wiretape_capture.snapshot.exchange import SnapshotInfo
from wiretape_capture.snapshot.listing import SUFFIX, checked_name, settle
from wiretape_capture.snapshot.tape_reader import TapeReader
from wiretape_replay.run_file import RunReader
from wiretape_server.store.entry import Entry, Kind, RunBrief
from wiretape_server.store.store import Done, Store, file_sha256, file_size, place
from wiretape_server.workspace.workspace import Workspace


def local_path(ws: Workspace, kind: Kind, name: str) -> Path:
    """Where it lies in the workspace, or would."""
    folder = ws.snapshots_dir if kind is Kind.SNAPSHOT else ws.runs_dir
    return folder / f"{checked_name(name)}{kind.suffix}"


async def entry_of(path: Path, kind: Kind) -> Entry:
    """What a store is to say of a file of this workspace; a damaged one, or one that is still written, is refused."""
    snapshot = run = None
    if kind is Kind.SNAPSHOT:
        await settle(path)
        snapshot = await _info(path)
    else:
        async with await RunReader.open(path) as reader:
            run = RunBrief.of(await reader.run())
    return Entry(kind=kind, name=path.stem, sha256=file_sha256(path), size_bytes=file_size(path),
                 pushed_ns=time.time_ns(), snapshot=snapshot, run=run)  # fmt: skip


async def push(store: Store, path: Path, kind: Kind, *, force: bool) -> tuple[Entry, Done]:
    """Put a file of the workspace into the store."""
    entry = await entry_of(path, kind)
    return entry, store.put(entry, path, force=force)


async def pull(ws: Workspace, store: Store, entry: Entry, *, force: bool) -> Done:
    """Bring a file of the store into the workspace: whole and checked, or not at all; with `force` again."""
    target = local_path(ws, entry.kind, entry.name)
    here = target.exists()
    if here and not force:
        if await _same(target, entry):
            return Done.THERE
        raise _other_here(entry)
    if here and entry.kind is Kind.SNAPSHOT:
        await settle(target)
    ws.create()
    part = store.get(entry, target.parent)
    try:
        await _check(part, entry)
    except WiretapeError:
        part.unlink()
        raise
    try:
        place(part, target, replace=here)
    except FileExistsError:  # another process of this workspace was quicker
        if await _same(target, entry):
            return Done.THERE
        raise _other_here(entry) from None
    return Done.REPLACED if here else Done.PULLED


async def _check(part: Path, entry: Entry) -> None:
    """The file is what its entry says: the hash that locks and verdicts name is the one of its exchanges."""
    if entry.snapshot is not None:
        info = await _info(part)
        if info.sha256 != entry.snapshot.sha256:
            raise WiretapeError(f"snapshot '{entry.name}' in the store is not the recording that its entry names",
                                "push it again with --force from a machine that has it")  # fmt: skip
    else:
        async with await RunReader.open(part) as reader:
            await reader.run()


async def _same(path: Path, entry: Entry) -> bool:
    """Whether the workspace has this one: a snapshot by its exchanges, for a file may be packed in another way."""
    if entry.snapshot is None:
        return file_sha256(path) == entry.sha256
    try:
        return (await _info(path)).sha256 == entry.snapshot.sha256
    except SnapshotUnreadable as error:
        raise SnapshotUnreadable(error.problem, f"{error.hint}, or get it again with --force") from None


async def _info(path: Path) -> SnapshotInfo:
    async with await TapeReader.open(path) as reader:
        return (await reader.info()).model_copy(update={"name": path.name.removesuffix(SUFFIX)})


def _other_here(entry: Entry) -> UsageError:
    return UsageError(f"this workspace has another {entry.kind} '{entry.name}'",
                      f"rename it with `wiretape rename {entry.name} NEW`, or replace it with --force"
                      if entry.kind is Kind.SNAPSHOT else "replace it with --force")  # fmt: skip
