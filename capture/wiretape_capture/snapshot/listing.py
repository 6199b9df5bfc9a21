"""The snapshots in a folder: list, find, rename, delete. Reads tapes through the reader; only rename edits one."""

from __future__ import annotations

import difflib
import re
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from wiretape_capture.errors import SnapshotUnreadable, UsageError, WiretapeError
from wiretape_capture.snapshot.database import opened
from wiretape_capture.snapshot.exchange import Direction, Model, SnapshotInfo
from wiretape_capture.snapshot.file_errors import BESIDE, writing
from wiretape_capture.snapshot.tape_reader import TapeReader
from wiretape_capture.snapshot.text_cache import TextCache

SUFFIX = ".tape"
LONGEST_NAME = 100
"""Characters, so that the file's name with what is put behind it stays legal everywhere."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class BrokenSnapshot(Model):
    """A file that should be a tape and cannot be read."""

    name: str
    problem: str
    hint: str


class Listing(Model):
    """All snapshots of a folder, newest first."""

    snapshots: tuple[SnapshotInfo, ...]
    broken: tuple[BrokenSnapshot, ...]


def checked_name(name: str) -> str:
    """The name if it can be a snapshot's: it is also a file's name, so it holds no path."""
    if len(name) > LONGEST_NAME:
        raise UsageError(f"'{name[:20]}...' of {len(name)} characters cannot name a snapshot",
                         f"use at most {LONGEST_NAME}")  # fmt: skip
    if not _NAME.fullmatch(name) or name.endswith(SUFFIX):
        raise UsageError(f"'{name}' cannot name a snapshot", "use letters, digits, '.', '-' and '_', without .tape")
    return name


def tape_path(folder: Path, name: str) -> Path:
    """Where the snapshot of that name lies or would lie."""
    return folder / f"{checked_name(name)}{SUFFIX}"


def snapshot_names(folder: Path) -> list[str]:
    """Names of all snapshots, newest first, whether they can be read or not."""
    tapes = [path for path in folder.glob(f"*{SUFFIX}") if path.is_file()]
    return [path.stem for path in sorted(tapes, key=lambda path: (-path.stat().st_mtime_ns, path.name))]


async def list_snapshots(folder: Path) -> Listing:
    """Describe every snapshot of a folder; one that cannot be read is listed as broken and stops nothing."""
    good: list[SnapshotInfo] = []
    broken: list[BrokenSnapshot] = []
    for name in snapshot_names(folder):
        path = folder / f"{name}{SUFFIX}"
        try:
            async with await TapeReader.open(path) as reader:
                good.append((await reader.info()).model_copy(update={"name": name}))
        except SnapshotUnreadable as error:
            broken.append(BrokenSnapshot(name=name, problem=error.problem, hint=error.hint))
    return Listing(snapshots=tuple(sorted(good, key=lambda info: -info.created_ns)), broken=tuple(broken))


def find_snapshot(folder: Path, name: str | None = None, holding: Direction | None = None) -> Path:
    """The tape of that name; `NAME.tape` means the same as `NAME`, and so does its path.

    Without a name the newest one, or the newest that has an exchange in the direction `holding` where one has.
    """
    names = snapshot_names(folder)
    if not names:
        raise UsageError(f"there are no snapshots in {folder}", "record one with: wiretape record -- CMD")
    wanted = _default(folder, names, holding) if name is None else named(folder, name)
    if wanted in names:
        return folder / f"{wanted}{SUFFIX}"
    raise UsageError(f"there is no snapshot '{name}'", _suggestion(wanted, names))


def named(folder: Path, text: str) -> str:
    """The name that is meant: `NAME`, `NAME.tape`, or the path of a tape in the folder."""
    path = Path(text)
    inside = path.suffix == SUFFIX and path.name != text and path.absolute().parent.resolve() == folder.resolve()
    return path.stem if inside else text.removesuffix(SUFFIX)


def passed_over(folder: Path, chosen: Path, holding: Direction) -> str:
    """A sentence about newer snapshots that `find_snapshot` did not choose; empty when there are none."""
    names = snapshot_names(folder)
    newer = names[: names.index(chosen.stem)] if chosen.stem in names else []
    newer = [name for name in newer if not _holds(folder / f"{name}{SUFFIX}", holding)]
    if not newer:
        return ""
    more = f" and {len(newer) - 1} more" if len(newer) > 1 else ""
    return f"snapshot {newer[0]}{more} newer than {chosen.stem} passed over: no {holding} exchange there"


def _default(folder: Path, names: list[str], holding: Direction | None) -> str:
    if holding is None:
        return names[0]
    return next((name for name in names if _holds(folder / f"{name}{SUFFIX}", holding)), names[0])


def _holds(path: Path, direction: Direction) -> bool:
    """Whether a tape has such an exchange; one that cannot be read may, and whoever opens it says what is wrong."""
    query = "SELECT 1 FROM exchange WHERE direction = ? LIMIT 1"
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True)) as tape:
            return tape.execute(query, (direction,)).fetchone() is not None
    except sqlite3.Error:
        return True


def _suggestion(name: str, names: Iterable[str]) -> str:
    if "/" in name:
        return "name one without a path; wiretape snapshots lists them"
    near = difflib.get_close_matches(name, list(names), n=1, cutoff=0.5)
    return f"did you mean '{near[0]}'?" if near else "list them with: wiretape snapshots"


async def delete_snapshot(folder: Path, name: str, cache: TextCache | None = None) -> Path:
    """Remove a snapshot, also a broken one, and its index; one that is being recorded is refused."""
    path = find_snapshot(folder, name)
    if _log(path).exists():
        try:
            await _fold(path)
        except sqlite3.Error as error:
            if error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
                raise _in_use(path) from None
    with writing(path):
        for part in (path, *(path.with_name(path.name + end) for end in BESIDE)):
            part.unlink(missing_ok=True)
    if cache is not None:
        cache.tidy(folder)
    return path


async def rename_snapshot(folder: Path, name: str, new_name: str) -> Path:
    """Give a snapshot another name, in the file and of the file; the exchanges and their hash stay the same."""
    path, target = find_snapshot(folder, name), tape_path(folder, new_name)
    if target.exists():
        raise UsageError(f"there is a snapshot '{new_name}' already", "choose another name or delete it first")
    async with await TapeReader.open(path) as reader:
        await reader.info()
    try:
        await _fold(path, new_name)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            raise _in_use(path) from None
        with writing(path):
            raise
    with writing(path):
        path.rename(target)
    return target


async def settle(path: Path) -> None:
    """Make a tape one file that can be copied: a killed recording's log is folded in, one that goes on is refused."""
    if not _log(path).exists():
        return
    try:
        await _fold(path)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            raise _in_use(path) from None
        with writing(path):
            raise


async def _fold(path: Path, name: str | None = None) -> None:
    """Bring a killed recording's log into its file; SQLite refuses while any other process has the tape open."""
    async with opened(path, isolation_level=None, timeout=1.0) as connection:
        await connection.execute_fetchall("PRAGMA journal_mode = DELETE")
        if name is not None:
            await connection.execute("UPDATE snapshot SET name = ?", (name,))


def _in_use(path: Path) -> WiretapeError:
    return WiretapeError(f"snapshot '{path.stem}' is being recorded or read", "stop that first, then try again")


def _log(path: Path) -> Path:
    return path.with_name(path.name + "-wal")
