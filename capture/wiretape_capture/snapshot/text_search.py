"""Text searches in a tape: a small one is read, of a large one an index is made and kept for the next search."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator

from wiretape_capture.snapshot.file_errors import corrupt
from wiretape_capture.snapshot.search import Query
from wiretape_capture.snapshot.search_text import lowered, parts, row_holds
from wiretape_capture.snapshot.tape_rows import PAGE, Page, TapeRows
from wiretape_capture.snapshot.text_cache import TextCache
from wiretape_capture.snapshot.text_index import IndexWriter, TextIndex, TooMuchText, can_find

SCANNED = 8 * PAGE
"""Exchanges that a search reads from the tape before it makes an index."""


class TextSearch:
    """Searches of one tape; without a cache every search reads the tape."""

    def __init__(self, tape: TapeRows, cache: TextCache | None) -> None:
        self._tape = tape
        self._cache = cache

    async def pages(self, query: Query) -> AsyncIterator[Page]:
        """Rows that fit the query and have its text, by sequence; its limit is the caller's."""
        text = query.text or ""
        needle, scanned = lowered(text), 0
        index = await self._find() if can_find(text) else None
        if index is None:
            async for page in self._tape.pages(query):
                bodies = await self._bodies(page)
                yield [row for row in page if row_holds(row, bodies, needle)]
                scanned += len(page)
                query = query.model_copy(update={"after_sequence": int(page[-1]["sequence"])})
                if scanned == SCANNED and can_find(text):
                    index = await self.make_index()
                    if index is not None:
                        break
        if index is not None:
            async for page in self._indexed(index, query, needle):
                yield page

    async def make_index(self) -> TextIndex | None:
        """The index, made anew; None where the tape is not closed, has too much text, or the cache cannot be written.

        Raises `SnapshotUnreadable` where the tape does not have the exchanges that were recorded.
        """
        sealed = await self._tape.sealed()
        if self._cache is None or not sealed:
            return None
        try:
            writer = await asyncio.to_thread(self._cache.begin, self._tape.path.parent)
            try:
                await self._fill(writer, sealed)
                return await asyncio.to_thread(self._cache.finish, writer, sealed)
            finally:
                writer.discard()
        except (OSError, TooMuchText):
            return None

    async def _find(self) -> TextIndex | None:
        if self._cache is None or not (sealed := await self._tape.sealed()):
            return None
        return await asyncio.to_thread(self._cache.find, sealed)

    async def _fill(self, writer: IndexWriter, sealed: str) -> None:
        whole, done, total = hashlib.sha256(), 0, await self._tape.count()
        async for page in self._tape.pages(Query()):
            await asyncio.to_thread(writer.add, page, await self._bodies(page))
            whole.update("".join(f"{row['digest']}\n" for row in page).encode())
            done += len(page)
            if self._cache is not None and self._cache.progress is not None:
                await self._cache.progress(done, total)
        if whole.hexdigest() != sealed:
            raise corrupt(self._tape.path, "its exchanges are not those that were recorded")

    async def _indexed(self, index: TextIndex, query: Query, needle: bytes) -> AsyncIterator[Page]:
        blocks, some = index.holding(needle, query.after_sequence or -1), list[int]()
        while (block := await asyncio.to_thread(next, blocks, None)) is not None:
            some += block
            while len(some) >= PAGE or (some and query.limit and len(some) >= query.limit):
                yield await self._tape.numbered(some[:PAGE], query)
                some = some[PAGE:]
        if some:
            yield await self._tape.numbered(some, query)

    async def _bodies(self, page: Page) -> dict[str, bytes]:
        return await self._tape.bodies({sha256 for row in page for sha256, _ in parts(row)})
