"""Reads one tape, also while it is recorded or after its recorder was killed; never changes it.

Every exchange is checked against its digest and every body against its name before it is handed out.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import aiosqlite

from wiretape_capture.errors import SnapshotUnreadable, UsageError
from wiretape_capture.snapshot import rows, schema
from wiretape_capture.snapshot.bodies import unpack
from wiretape_capture.snapshot.database import connected
from wiretape_capture.snapshot.exchange import Body, Exchange, SnapshotInfo
from wiretape_capture.snapshot.file_errors import corrupt, reading, truncated
from wiretape_capture.snapshot.search import Query, holds_text, where
from wiretape_capture.snapshot.summary import WAL, read_info

LOCK_SECONDS = 2.0
PAGE = 256
"""Rows and bodies fetched at once."""
EMPTY_NAME = Body().sha256
SEARCHED_BODY = 1 << 20
_COLUMNS = ", ".join((*rows.COLUMNS, "digest"))


class TapeReader:
    """A tape open for reading; an async context manager."""

    def __init__(self, path: Path, connection: aiosqlite.Connection, resources: AsyncExitStack) -> None:
        self.path = path
        self._connection = connection
        self._resources = resources

    @classmethod
    async def open(cls, path: Path) -> Self:
        """Open read-only; raises `SnapshotUnreadable` for whatever is not a whole tape of a version we know."""
        async with AsyncExitStack() as stack:
            with reading(path):
                connection = await _connect(path.absolute(), stack)  # noqa: ASYNC240 - asks for the cwd only
                await _check_mark(connection, path)
                await _check_size(connection, path)
            return cls(path, connection, stack.pop_all())
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
        after = query.after_sequence
        while left is None or left > 0:
            page = await self._page(query.model_copy(update={"after_sequence": after}))
            if not page:
                return
            after = int(page[-1]["sequence"])
            for exchange in (await self._matching(page, query, max_body))[:left]:
                yield exchange
                left = None if left is None else left - 1

    async def exchange(self, sequence: int, *, max_body: int | None = None) -> Exchange:
        """One exchange in full."""
        page = await self._rows("sequence = ?", (sequence,))
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
                    piece = self._unpacked(row[0])
                    whole.update(piece)
                    yield piece
        if whole.hexdigest() != sha256:
            raise corrupt(self.path, f"body {sha256[:12]} is damaged or missing")

    async def body_bytes(self, sha256: str) -> bytes:
        """A whole body in memory."""
        return b"".join([piece async for piece in self.body_chunks(sha256)])

    async def close(self) -> None:
        """Let go of the file."""
        await self._resources.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        trace: TracebackType | None) -> None:  # fmt: skip
        await self.close()

    async def _page(self, query: Query) -> list[Mapping[str, Any]]:
        condition, values = where(query)
        small = query.limit is not None and not query.text
        return await self._rows(condition, values, min(query.limit or 0, PAGE) if small else PAGE)

    async def _rows(self, condition: str, values: Iterable[str | int], limit: int = 1) -> list[Mapping[str, Any]]:
        sql = f"SELECT {_COLUMNS} FROM exchange WHERE {condition} ORDER BY sequence LIMIT {limit}"
        with reading(self.path):
            found = await self._connection.execute_fetchall(sql, tuple(values))
        page: list[Mapping[str, Any]] = [dict(row) for row in found]
        for row in page:
            if not rows.intact(row):
                raise corrupt(self.path, f"exchange {row['sequence']} is not what was recorded")
        return page

    async def _matching(self, page: list[Mapping[str, Any]], query: Query, max_body: int) -> list[Exchange]:
        if not query.text:
            return await self._load(page, max_body)
        text = query.text
        searched = await self._load(page, SEARCHED_BODY)
        keep = {exchange.sequence for exchange in searched if holds_text(exchange, text)}
        return await self._load([row for row in page if row["sequence"] in keep], max_body)

    async def _load(self, page: list[Mapping[str, Any]], max_body: int | None) -> list[Exchange]:
        wanted = {name for row in page for size, name in rows.body_names(row) if max_body is None or size <= max_body}
        loaded = await self._bodies(wanted - {EMPTY_NAME})

        def load(size: int, sha256: str, complete: bool) -> dict[str, Any]:
            data = b"" if size == 0 else loaded.get(sha256)
            return {"size": size, "sha256": sha256, "data": data, "complete": complete}

        return [rows.from_row(row, load) for row in page]

    async def _bodies(self, names: set[str]) -> dict[str, bytes]:
        found: list[tuple[str, bytes]] = []
        order = sorted(names)
        for start in range(0, len(order), PAGE):
            some = order[start : start + PAGE]
            marks = ", ".join("?" * len(some))
            sql = f"SELECT sha256, data FROM body_chunk WHERE sha256 IN ({marks}) ORDER BY sha256, position"
            with reading(self.path):
                found += [(row[0], row[1]) for row in await self._connection.execute_fetchall(sql, some)]
        return await asyncio.to_thread(self._joined, names, found)

    def _joined(self, names: set[str], chunks: Iterable[tuple[str, bytes]]) -> dict[str, bytes]:
        pieces: dict[str, list[bytes]] = {name: [] for name in names}
        for sha256, chunk in chunks:
            pieces[sha256].append(self._unpacked(chunk))
        bodies = {name: b"".join(some) for name, some in pieces.items()}
        for name, body in bodies.items():
            if hashlib.sha256(body).hexdigest() != name:
                raise corrupt(self.path, f"body {name[:12]} is damaged or missing")
        return bodies

    def _unpacked(self, chunk: bytes) -> bytes:
        try:
            return unpack(chunk)
        except ValueError as error:
            raise corrupt(self.path, str(error)) from None


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
