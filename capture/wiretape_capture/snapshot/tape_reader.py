"""Reads one tape, also while it is recorded or after its recorder was killed; never changes it.

Every exchange is checked against its digest and every body against its name before it is handed out.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import sqlite3
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import aiosqlite

from wiretape_capture.errors import SnapshotUnreadable, UsageError
from wiretape_capture.snapshot import rows, schema
from wiretape_capture.snapshot.database import connected
from wiretape_capture.snapshot.exchange import Body, Exchange, SnapshotInfo
from wiretape_capture.snapshot.file_errors import corrupt, reading, truncated
from wiretape_capture.snapshot.search import Query
from wiretape_capture.snapshot.summary import WAL, read_info
from wiretape_capture.snapshot.tape_rows import Page, TapeRows
from wiretape_capture.snapshot.text_cache import TextCache
from wiretape_capture.snapshot.text_search import TextSearch

LOCK_SECONDS = 2.0
EMPTY_NAME = Body().sha256


class TapeReader:
    """A tape open for reading; an async context manager."""

    def __init__(self, path: Path, connection: aiosqlite.Connection, resources: AsyncExitStack,
                 cache: TextCache | None) -> None:  # fmt: skip
        self.path = path
        self._connection = connection
        self._resources = resources
        self._rows = TapeRows(path, connection)
        self._search = TextSearch(self._rows, cache)

    @classmethod
    async def open(cls, path: Path, *, cache: TextCache | None = None) -> Self:
        """Open read-only; raises `SnapshotUnreadable` for whatever is not a whole tape of a version we know.

        With a `cache` the second text search in a large snapshot takes milliseconds.
        """
        async with AsyncExitStack() as stack:
            with reading(path):
                connection = await _connect(path.absolute(), stack)  # noqa: ASYNC240 - asks for the cwd only
                await _check_mark(connection, path)
                await _check_size(connection, path)
            return cls(path, connection, stack.pop_all(), cache)
        raise AssertionError

    async def info(self) -> SnapshotInfo:
        """Name, counts and content hash."""
        with reading(self.path):
            return await read_info(self._connection, self.path)

    async def exchanges(self, query: Query = Query(), *, max_body: int = 1 << 20) -> list[Exchange]:  # noqa: B008
        """The exchanges that match, by sequence; bodies above `max_body` bytes have no data."""
        return [exchange async for exchange in self.stream(query, max_body=max_body)]

    async def stream(self, query: Query = Query(), *, max_body: int = 0) -> AsyncIterator[Exchange]:  # noqa: B008
        """The same, a page at a time, for snapshots that should not be in memory at once."""
        left = query.limit
        if left == 0:
            return
        async for page in self._search.pages(query) if query.text else self._rows.pages(query):
            for exchange in await self._load(page[:left], max_body):
                yield exchange
            left = None if left is None else left - len(page)
            if left is not None and left <= 0:
                return

    async def exchange(self, sequence: int, *, max_body: int | None = None) -> Exchange:
        """One exchange in full."""
        page = await self._rows.rows("sequence = ?", (sequence,))
        if not page:
            name = self.path.stem
            raise UsageError(f"snapshot '{name}' has no exchange {sequence}", f"list them with: wiretape show {name}")
        return (await self._load(page, max_body))[0]

    async def body_chunks(self, sha256: str) -> AsyncIterator[bytes]:
        """A body piece by piece; raises at its end when the pieces are not the body of that name."""
        whole = hashlib.sha256()
        with reading(self.path):
            cursor = await self._connection.execute(
                "SELECT data FROM body_chunk WHERE sha256 = ? ORDER BY position", (sha256,)
            )
            async with cursor:
                while row := await cursor.fetchone():
                    piece = self._rows.unpacked(row[0])
                    whole.update(piece)
                    yield piece
        if whole.hexdigest() != sha256:
            raise corrupt(self.path, f"body {sha256[:12]} is damaged or missing")

    async def body_bytes(self, sha256: str) -> bytes:
        """A whole body in memory."""
        return b"".join([piece async for piece in self.body_chunks(sha256)])

    async def make_index(self) -> bool:
        """Make the index for text searches now, so that none has to; False where there can be none."""
        return await self._search.make_index() is not None

    async def close(self) -> None:
        """Let go of the file."""
        await self._resources.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        trace: TracebackType | None) -> None:  # fmt: skip
        await self.close()

    async def _load(self, page: Page, max_body: int | None) -> list[Exchange]:
        wanted = {name for row in page for size, name in rows.body_names(row) if max_body is None or size <= max_body}
        loaded = await self._rows.bodies(wanted - {EMPTY_NAME})

        def load(size: int, sha256: str, complete: bool) -> dict[str, Any]:
            data = b"" if size == 0 else loaded.get(sha256)
            return {"size": size, "sha256": sha256, "data": data, "complete": complete}

        return [rows.from_row(row, load) for row in page]


async def _connect(path: Path, stack: AsyncExitStack) -> aiosqlite.Connection:
    try:
        return await _connect_uri(path, "mode=ro", stack)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_CANTOPEN:
            raise
    # A tape that was left in WAL mode needs a writable folder for its shared memory; read a private copy instead.
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wiretape-")))
    for source in (path, path.with_name(path.name + WAL)):
        if source.exists():
            await asyncio.to_thread(shutil.copyfile, source, folder / source.name)
    return await _connect_uri(folder / path.name, "mode=ro", stack)


async def _connect_uri(path: Path, options: str, stack: AsyncExitStack) -> aiosqlite.Connection:
    uri = f"file:{quote(str(path))}?{options}"
    connection = await connected(uri, uri=True, isolation_level=None, timeout=LOCK_SECONDS)
    stack.push_async_callback(connection.close)
    connection.row_factory = sqlite3.Row
    await connection.execute_fetchall("SELECT count(*) FROM sqlite_schema")
    return connection


async def _check_size(connection: aiosqlite.Connection, path: Path) -> None:
    """SQLite fills a cut last page with zeros and goes on; only beside a log may the size be on its way."""
    ((page,),) = await connection.execute_fetchall("PRAGMA page_size")
    size = path.stat().st_size  # noqa: ASYNC240 - one system call
    if size % page and not path.with_name(path.name + WAL).exists():
        raise truncated(path, size, size - size % page + page)


async def _check_mark(connection: aiosqlite.Connection, path: Path) -> None:
    ((mark,),) = await connection.execute_fetchall("PRAGMA application_id")
    ((version,),) = await connection.execute_fetchall("PRAGMA user_version")
    ((tables,),) = await connection.execute_fetchall("SELECT count(*) FROM sqlite_schema")
    if mark == 0 and tables == 0:
        raise SnapshotUnreadable(f"{path} is empty: its recording never began", "delete it and record again")
    if mark != schema.APPLICATION_ID:
        raise SnapshotUnreadable(f"{path} is not a snapshot: it is another program's SQLite file", "name a .tape file")
    if version > schema.FORMAT_VERSION:
        raise SnapshotUnreadable(f"{path} has format version {version}; this wiretape reads up to "
                                 f"{schema.FORMAT_VERSION}", "upgrade wiretape")  # fmt: skip
