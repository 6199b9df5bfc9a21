"""Writes one tape while traffic flows: queues on the hot path, commits in batches, leaves one file when closed.

Used from one event loop. Bound: `QUEUE_LIMIT` bytes of unwritten bodies; what comes beyond it is dropped and noted.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections import Counter
from collections.abc import Coroutine, Iterable, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import aiosqlite
import orjson

from wiretape_capture.errors import UsageError, WiretapeError
from wiretape_capture.snapshot import rows, schema
from wiretape_capture.snapshot.bodies import pack, pack_file
from wiretape_capture.snapshot.body_sink import BodySink
from wiretape_capture.snapshot.database import connected
from wiretape_capture.snapshot.exchange import Exchange, SnapshotInfo
from wiretape_capture.snapshot.file_errors import unwritable, writing
from wiretape_capture.snapshot.private import FILE
from wiretape_capture.snapshot.summary import hash_exchanges, read_info

BATCH_SECONDS = 0.25
"""Longest time an exchange waits before its transaction begins."""
QUEUE_LIMIT = 256 * 1024 * 1024
WAITING_LIMIT = 10_000
"""Exchanges waiting to be written before a source that can wait is asked to."""
NOTE_KINDS = 200
"""Notes that are told apart."""
OTHER_NOTES = "notes of other kinds, which were too many to be told apart"
PIECES_AT_ONCE = 16
"""Chunks of a large body written in one transaction, so that other exchanges' batches come in between."""
CLOSE_ATTEMPTS = 20

_INSERT_CHUNK = "INSERT OR IGNORE INTO body_chunk (sha256, position, data) VALUES (?, ?, ?)"
_INSERT_NOTE = "INSERT INTO note (text, count) VALUES (?, ?) ON CONFLICT (text) DO UPDATE SET count = count + ?"
_INSERT_EXCHANGE = (
    f"INSERT INTO exchange ({', '.join(rows.COLUMNS)}, digest) VALUES ({', '.join('?' * (len(rows.COLUMNS) + 1))})"
)

type Chunk = tuple[str, int, bytes]
type Line = tuple[rows.Value, ...]


class TapeWriter:
    """One recording's file. `put`, `note` and a sink's `write` never wait; `failure` says when the disk gave up."""

    def __init__(self, path: Path, connection: aiosqlite.Connection) -> None:
        self.path = path
        self.failure: WiretapeError | None = None
        self._connection = connection
        self._queue: list[Exchange] = []
        self._queued_bytes = 0
        self._all_named = True
        self._notes: Counter[str] = Counter()
        self._kinds: set[str] = set()
        self._last_sequence = 0
        self._turn = asyncio.Lock()
        self._wake = asyncio.Event()
        self._closing = asyncio.Event()
        self._commits: set[asyncio.Task[None]] = set()
        self._batches = asyncio.create_task(self._write_batches())

    @classmethod
    async def create(cls, path: Path, *, name: str, created_ns: int, app_command: Sequence[str] = ()) -> Self:
        """Begin a tape in a new file; an existing one is never touched."""
        _claim(path)
        try:
            with writing(path):
                connection = await _begin(path, name, created_ns, app_command)
        except BaseException:
            path.unlink()  # noqa: ASYNC240 - one system call
            raise
        return cls(path, connection)

    @property
    def full(self) -> bool:
        """Whether so much waits to be written that a source which can wait should."""
        return self.failure is None and (len(self._queue) > WAITING_LIMIT or self._queued_bytes > QUEUE_LIMIT // 4)

    def put(self, exchange: Exchange, *, named: bool = False) -> None:
        """Queue an exchange; sequence 0 takes the next one. Sequences must be unique, in any order.

        `named` says that every body has the name of its content already, as `body_of` and a sink give it.
        """
        if self.failure is not None:
            return
        if self._queued_bytes > QUEUE_LIMIT:
            self.note("exchanges dropped because the disk could not keep up")
            return
        if exchange.sequence == 0:
            exchange = exchange.model_copy(update={"sequence": self._last_sequence + 1})
        self._last_sequence = max(self._last_sequence, exchange.sequence)
        self._queued_bytes += rows.bytes_held(exchange)
        self._all_named = self._all_named and named
        self._queue.append(exchange)
        self._wake.set()

    def note(self, text: str, count: int = 1) -> None:
        """Count something that could not be recorded; strangers have a say in what, so kinds are bounded."""
        if text not in self._kinds:
            if len(self._kinds) >= NOTE_KINDS:
                text = OTHER_NOTES
            self._kinds.add(text)
        self._notes[text] += count
        self._wake.set()

    async def body(self) -> BodySink:
        """A sink for a body too large or too slow to hold in memory."""
        return BodySink(self.path.parent, self._store_spool, self.note)

    async def flush(self) -> None:
        """Commit everything queued; raises what made it impossible, now or earlier."""
        await self._uncancelled(self._write_queue())
        if self.failure is not None:
            raise self.failure

    async def close(self) -> SnapshotInfo:
        """Commit the rest, seal the content hash and leave one self-contained file."""
        self._closing.set()
        self._wake.set()
        try:
            await self._batches
            await self.flush()
            with writing(self.path):
                return await self._seal()
        finally:
            await self._connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        trace: TracebackType | None) -> None:  # fmt: skip
        await self.close()

    async def _write_batches(self) -> None:
        while not self._closing.is_set():
            await self._wake.wait()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), BATCH_SECONDS)
            await self._write_queue()

    async def _uncancelled(self, commit: Coroutine[None, None, None]) -> None:
        """A caller that is cancelled must not leave a transaction half done."""
        task = asyncio.create_task(commit)
        self._commits.add(task)
        task.add_done_callback(self._commits.discard)
        await asyncio.shield(task)

    async def _write_queue(self) -> None:
        async with self._turn:
            self._wake.clear()
            batch, self._queue, self._queued_bytes = self._queue, [], 0
            named, self._all_named = self._all_named, True
            notes, self._notes = self._notes, Counter()
            if self.failure is None and (batch or notes):
                chunks, lines, refused = await asyncio.to_thread(_encode, batch, named)
                await self._commit(chunks, lines, notes + refused)

    async def _write_chunks(self, chunks: Sequence[Chunk]) -> None:
        async with self._turn:
            await self._commit(chunks, (), Counter())

    async def _commit(self, chunks: Sequence[Chunk], lines: Sequence[Line], notes: Counter[str]) -> None:
        try:
            await self._connection.execute("BEGIN IMMEDIATE")
            await self._connection.executemany(_INSERT_CHUNK, chunks)
            await self._connection.executemany(_INSERT_EXCHANGE, lines)
            await self._connection.executemany(_INSERT_NOTE, [(text, n, n) for text, n in notes.items()])
            await self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self.failure = unwritable(self.path, error)
            with suppress(sqlite3.Error):  # SQLite rolls back by itself when the disk is full
                await self._connection.execute("ROLLBACK")

    async def _store_spool(self, sha256: str, sink: BodySink) -> None:
        """Copy a spooled body into the tape, a few chunks at a time, unless it is there already."""
        known = await self._connection.execute_fetchall("SELECT 1 FROM body_chunk WHERE sha256 = ? LIMIT 1", (sha256,))
        position = 0
        while not known and self.failure is None:
            pieces = await asyncio.to_thread(pack_file, sink.spool, PIECES_AT_ONCE)
            if not pieces:
                return
            chunks = [(sha256, position + index, piece) for index, piece in enumerate(pieces)]
            await self._uncancelled(self._write_chunks(chunks))
            position += len(pieces)

    async def _seal(self) -> SnapshotInfo:
        sha256 = await hash_exchanges(self._connection)
        await self._connection.execute("UPDATE snapshot SET closed = 1, sha256 = ?", (sha256,))
        await _leave_wal(self._connection)
        return await read_info(self._connection, self.path)


def _claim(path: Path) -> None:
    """Create the empty file, so that two recorders cannot both take it; what is recorded is private: mode 0600."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE))
    except FileExistsError:
        raise UsageError(f"{path} exists already", "choose another snapshot name or delete it first") from None
    except FileNotFoundError:
        raise WiretapeError(f"the folder {path.parent} does not exist", "create it or run: wiretape init") from None
    except PermissionError:
        raise WiretapeError(f"permission denied: {path.parent} cannot be written", "check its owner") from None
    except OSError as error:
        raise WiretapeError(f"{path} could not be created: {error.strerror}", "choose another name or folder") from None


async def _begin(path: Path, name: str, created_ns: int, app_command: Sequence[str]) -> aiosqlite.Connection:
    async with AsyncExitStack() as stack:
        connection = await connected(path, isolation_level=None)
        stack.push_async_callback(connection.close)
        await connection.execute("PRAGMA journal_mode = WAL")
        # NORMAL: a killed process loses nothing committed; only a power cut may cost the last transactions.
        await connection.execute("PRAGMA synchronous = NORMAL")
        await connection.executescript(schema.creation_script())
        await connection.execute(
            "INSERT INTO snapshot (name, created_ns, app_command, closed, sha256) VALUES (?, ?, ?, 0, '')",
            (name, created_ns, orjson.dumps(list(app_command)).decode()),
        )
        stack.pop_all()
        return connection


def _encode(batch: Iterable[Exchange], named: bool) -> tuple[list[Chunk], list[Line], Counter[str]]:
    """Chunks, rows and, for an exchange that no row can hold, a note."""
    chunks: dict[tuple[str, int], bytes] = {}
    lines: list[Line] = []
    refused: Counter[str] = Counter()
    for exchange in batch if named else map(rows.with_named_bodies, batch):
        try:
            lines.append(rows.to_row(exchange))
        except (ValueError, TypeError) as error:
            refused[f"exchanges that could not be stored: {error}"] += 1
            continue
        for body in rows.bodies(exchange):
            if body.data and (body.sha256, 0) not in chunks:
                chunks.update({(body.sha256, index): piece for index, piece in enumerate(pack(body.data))})
    return [(sha256, index, piece) for (sha256, index), piece in chunks.items()], lines, refused


async def _leave_wal(connection: aiosqlite.Connection) -> None:
    """Fold the write-ahead log into the tape. A reader that stays open longer than we wait only delays this."""
    for _ in range(CLOSE_ATTEMPTS):
        await connection.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")
        try:
            mode = await connection.execute_fetchall("PRAGMA journal_mode = DELETE")
        except sqlite3.OperationalError:
            mode = []
        if [tuple(row) for row in mode] == [("delete",)]:
            return
        await asyncio.sleep(0.1)
