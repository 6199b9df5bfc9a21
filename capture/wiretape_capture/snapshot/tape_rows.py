"""The rows and bodies of an open tape, checked; knows SQL and hashes, and no exchange as a model."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import Any

import aiosqlite

from wiretape_capture.snapshot import rows
from wiretape_capture.snapshot.bodies import unpack
from wiretape_capture.snapshot.file_errors import corrupt, reading
from wiretape_capture.snapshot.search import Query, where

PAGE = 256
"""Rows and bodies fetched at once."""
_NAMES = (*rows.COLUMNS, "digest")
_COLUMNS = ", ".join(_NAMES)

type Page = list[Mapping[str, Any]]
"""Rows of the table of exchanges, each intact."""


class TapeRows:
    """A tape's tables, read through a connection that somebody else closes."""

    def __init__(self, path: Path, connection: aiosqlite.Connection) -> None:
        self.path = path
        self.connection = connection

    async def sealed(self) -> str:
        """The content hash that was written when the recording was closed; empty where it was not."""
        with reading(self.path):
            ((sha256,),) = await self.connection.execute_fetchall("SELECT sha256 FROM snapshot")
        return str(sha256)

    async def count(self) -> int:
        """How many exchanges there are."""
        with reading(self.path):
            ((count,),) = await self.connection.execute_fetchall("SELECT count(*) FROM exchange")
        return int(count)

    async def pages(self, query: Query) -> AsyncIterator[Page]:
        """All rows that fit the query, its text and limit apart."""
        size = min(query.limit or PAGE, PAGE) if not query.text else PAGE
        while page := await self.rows(*where(query), size):
            yield page
            if len(page) < size:
                return
            query = query.model_copy(update={"after_sequence": int(page[-1]["sequence"])})

    async def numbered(self, sequences: Iterable[int], query: Query) -> Page:
        """Those of the sequences that fit the query, its text and limit apart."""
        condition, values = where(query)
        numbers = ", ".join(map(str, sequences))
        return await self.rows(f"sequence IN ({numbers}) AND {condition}", values, -1)

    async def rows(self, condition: str, values: Iterable[str | int], limit: int = 1) -> Page:
        """The first rows that meet an SQL condition, by sequence; -1: all of them."""
        sql = f"SELECT {_COLUMNS} FROM exchange WHERE {condition} ORDER BY sequence LIMIT {limit}"
        with reading(self.path):
            found = await self.connection.execute_fetchall(sql, tuple(values))
        page: Page = [dict(zip(_NAMES, row, strict=True)) for row in found]
        for row in page:
            if not rows.intact(row):
                raise corrupt(self.path, f"exchange {row['sequence']} is not what was recorded")
        return page

    async def bodies(self, names: set[str]) -> dict[str, bytes]:
        """Whole bodies by their hash."""
        found: list[tuple[str, bytes]] = []
        order = sorted(names)
        for start in range(0, len(order), PAGE):
            some = order[start : start + PAGE]
            marks = ", ".join("?" * len(some))
            sql = f"SELECT sha256, data FROM body_chunk WHERE sha256 IN ({marks}) ORDER BY sha256, position"
            with reading(self.path):
                found += [(row[0], row[1]) for row in await self.connection.execute_fetchall(sql, some)]
        return await asyncio.to_thread(self._joined, names, found)

    def _joined(self, names: set[str], chunks: Iterable[tuple[str, bytes]]) -> dict[str, bytes]:
        pieces: dict[str, list[bytes]] = {name: [] for name in names}
        for sha256, chunk in chunks:
            pieces[sha256].append(self.unpacked(chunk))
        bodies = {name: b"".join(some) for name, some in pieces.items()}
        for name, body in bodies.items():
            if hashlib.sha256(body).hexdigest() != name:
                raise corrupt(self.path, f"body {name[:12]} is damaged or missing")
        return bodies

    def unpacked(self, chunk: bytes) -> bytes:
        """The bytes of a stored chunk."""
        try:
            return unpack(chunk)
        except ValueError as error:
            raise corrupt(self.path, str(error)) from None
