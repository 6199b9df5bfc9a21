"""One body as it passes: kept in memory while small, handed to the tape's own sink once it is not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from wiretape_capture.snapshot.bodies import body_of
from wiretape_capture.snapshot.exchange import Body

MEMORY_LIMIT = 256 * 1024
"""Bytes of one body held in memory before it goes to the tape's sink."""


class Sink(Protocol):
    """Where a large body goes while it is still arriving."""

    def write(self, data: bytes, /) -> object:
        """Take the next bytes; never blocks and never fails."""
        ...

    async def close(self, *, complete: bool = True) -> Body:
        """End the body and name it by its hash."""
        ...


type OpenSink = Callable[[], Awaitable[Sink]]


class BodyTap:
    """Copies one body's chunks; memory is bounded by `MEMORY_LIMIT` plus what arrives while the sink opens."""

    def __init__(self, open_sink: OpenSink) -> None:
        self._open_sink = open_sink
        self._chunks: list[bytes] = []
        self._held = 0
        self._opening: asyncio.Future[None] | None = None
        self._sink: Sink | None = None

    @property
    def small(self) -> bool:
        """Whether the whole body so far is in memory."""
        return self._opening is None

    def feed(self, data: bytes) -> bytes:
        """Take a copy of `data` and return it unchanged: the shape of mitmproxy's stream callables."""
        if self._sink is not None:
            self._sink.write(data)
            return data
        self._chunks.append(data)
        self._held += len(data)
        if self._held > MEMORY_LIMIT and self._opening is None:
            self._opening = asyncio.ensure_future(self._spill())
        return data

    async def _spill(self) -> None:
        self._sink = await self._open_sink()
        held, self._chunks = self._chunks, []
        for chunk in held:
            self._sink.write(chunk)

    def in_memory(self, *, complete: bool) -> Body:
        """The finished body of a small tap."""
        return body_of(b"".join(self._chunks), complete=complete)

    async def finish(self, *, complete: bool) -> Body:
        """The finished body, wherever it went."""
        if self._opening is None:
            return self.in_memory(complete=complete)
        await self._opening
        assert self._sink is not None
        return await self._sink.close(complete=complete)
