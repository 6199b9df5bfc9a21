"""What SQLite's and the system's errors on a tape mean to a user: one sentence each, and what to do."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wiretape_capture.errors import SnapshotUnreadable, WiretapeError

MAGIC = b"SQLite format 3\0"
BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
FULL = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}
BESIDE = ("-wal", "-shm", "-journal")
"""What SQLite may keep beside a tape."""


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn any error of reading the tape at `path` into a `SnapshotUnreadable`."""
    try:
        yield
    except sqlite3.Error as error:
        raise _unreadable(path, error) from None
    except OSError as error:
        raise _without_access(path, error) from None
    except ValueError as error:
        raise corrupt(path, str(error)) from None


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn any error of writing the tape at `path` into a `WiretapeError`."""
    try:
        yield
    except sqlite3.Error as error:
        raise unwritable(path, error) from None
    except OSError as error:
        raise WiretapeError(f"{path} could not be written: {error.strerror}", "check the disk and its rights") from None


def unwritable(path: Path, error: sqlite3.Error) -> WiretapeError:
    """Why the tape cannot be written any more."""
    code = _primary(error)
    if code in FULL:
        return WiretapeError(f"the disk under {path} is full or failed ({error}); what was flushed before is kept",
                             "free some space and record again")  # fmt: skip
    if code in BUSY:
        return WiretapeError(f"{path} is used by another process", "stop that recording or reader and try again")
    if code in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}:
        return WiretapeError(f"permission denied: {path} cannot be written", "check the file's and folder's owner")
    return WiretapeError(f"{path} could not be written: {error}", "record again into a new snapshot")


def corrupt(path: Path, what: str) -> SnapshotUnreadable:
    """The tape holds something that was not written so."""
    return SnapshotUnreadable(f"{path} is corrupt: {what}", "restore it from a copy or record it again")


def truncated(path: Path, size: int, promised: int) -> SnapshotUnreadable:
    """The tape's end is missing."""
    return SnapshotUnreadable(f"{path} is truncated: {size} of {promised} bytes are there",
                              "copy it again from where it came, or record it again")  # fmt: skip


def _unreadable(path: Path, error: sqlite3.Error) -> SnapshotUnreadable:
    code = _primary(error)
    if code in BUSY:
        return SnapshotUnreadable(f"{path} is locked by another process", "wait until it is done, then try again")
    if code == sqlite3.SQLITE_CANTOPEN or not path.is_file():
        return _unopenable(path)
    return _damage(path, str(error))


def _unopenable(path: Path) -> SnapshotUnreadable:
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        return _without_access(path, error)
    return SnapshotUnreadable(f"{path} cannot be opened: its folder does not allow it", "copy the snapshot elsewhere")


def _without_access(path: Path, error: OSError) -> SnapshotUnreadable:
    if isinstance(error, FileNotFoundError):
        return SnapshotUnreadable(f"there is no snapshot at {path}", "list the snapshots with: wiretape snapshots")
    if isinstance(error, PermissionError):
        return SnapshotUnreadable(f"permission denied: {path} cannot be read", "check the file's owner and mode")
    return SnapshotUnreadable(f"{path} cannot be read: {error.strerror}", "name a .tape file on a healthy disk")


def _damage(path: Path, detail: str) -> SnapshotUnreadable:
    size = path.stat().st_size
    with path.open("rb") as file:
        header = file.read(100)
    if size == 0:
        return SnapshotUnreadable(f"{path} is empty: its recording never began", "delete it and record again")
    if not header.startswith(MAGIC):
        return SnapshotUnreadable(f"{path} is not a snapshot: it is no SQLite file", "name a .tape file")
    if size < _promised_size(header):
        return truncated(path, size, _promised_size(header))
    return corrupt(path, detail)


def _promised_size(header: bytes) -> int:
    """Page size times page count as the header says (https://www.sqlite.org/fileformat2.html#the_database_header)."""
    if len(header) < 100:
        return 100
    page_size, pages = struct.unpack_from(">H", header, 16)[0], struct.unpack_from(">I", header, 28)[0]
    return int(65536 if page_size == 1 else page_size) * int(pages)


def _primary(error: sqlite3.Error) -> int:
    """SQLite's primary result code: the low byte of the extended one; 0 where Python itself raised."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF
