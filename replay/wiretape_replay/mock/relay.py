"""Bytes to and from a host on the allow list: the only way out of the machine. It understands none of them."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress

from wiretape_capture.snapshot.exchange import Headers
from wiretape_replay.mock.allow import split_authority
from wiretape_replay.mock.incoming import Head
from wiretape_replay.mock.origin import Origin

CONNECT_SECONDS = 10.0
QUEUE_LIMIT = 256 * 1024
"""Bytes waiting for the upstream; beyond it the client is not read."""
_PIECE = 64 * 1024
_HOP_BY_HOP = frozenset({"connection", "proxy-connection", "keep-alive", "proxy-authorization", "upgrade"})


class Relay:
    """One connection to an allowed host, fed by a client's connection."""

    def __init__(self, send: Callable[[bytes], Awaitable[None]], on_drain: Callable[[], None]) -> None:
        self._send = send
        self._on_drain = on_drain
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._waiting = 0
        self._first = b""

    @property
    def full(self) -> bool:
        """Whether the client should wait."""
        return self._waiting > QUEUE_LIMIT

    @property
    def status(self) -> str:
        """The status code that came back, if what came back was HTTP."""
        words = self._first.split(b" ", 2)
        return words[1].decode("latin-1")[:3] if self._first.startswith(b"HTTP/") and len(words) > 1 else ""

    def put(self, data: bytes) -> None:
        """Queue bytes for the upstream."""
        self._waiting += len(data)
        self._queue.put_nowait(data)

    def end(self) -> None:
        """The client sends no more."""
        self._queue.put_nowait(None)

    async def run(self, origin: Origin, *, tls: bool, greeting: bytes) -> None:
        """Dial, greet the client, and carry bytes both ways until the upstream closes; OSError when that fails."""
        host, port = split_authority(origin.authority, 443 if tls else 80)
        context = ssl.create_default_context() if tls else None
        async with asyncio.timeout(CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(host, port, ssl=context)
        upward = asyncio.create_task(self._upward(writer))
        try:
            await self._send(greeting)
            while data := await reader.read(_PIECE):
                self._first = self._first or data[:64]
                await self._send(data)
        finally:
            upward.cancel()
            writer.close()
            with suppress(OSError, asyncio.CancelledError):
                await upward

    async def _upward(self, writer: asyncio.StreamWriter) -> None:
        while (data := await self._queue.get()) is not None:
            writer.write(data)
            await writer.drain()
            self._waiting -= len(data)
            if not self.full:
                self._on_drain()
        if writer.can_write_eof():
            writer.write_eof()


def forwarded_head(head: Head, target: str, authority: str) -> bytes:
    """A proxied request's head as the upstream should get it: origin form, one request on its connection."""
    kept: Headers = tuple((name, value) for name, value in head.headers if name.lower() not in _HOP_BY_HOP)
    if not any(name.lower() == "host" for name, _ in kept):
        kept = (("Host", authority), *kept)
    lines = [f"{head.method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in kept), "Connection: close"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def is_chunked(headers: Headers) -> bool:
    """Whether a body comes in chunks."""
    return any(name.lower() == "transfer-encoding" and "chunked" in value.lower() for name, value in headers)
