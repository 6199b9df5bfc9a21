"""One side of a database connection: read in turns while it is greeted, then joined to the other side byte for byte."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from time import monotonic_ns
from typing import cast

HELD_LIMIT = 256 * 1024
"""Bytes that wait for a reader; then no more are taken from the peer."""
AHEAD = 8192
"""Bytes."""
READER, PEER, RECORDER = 1, 2, 4
"""Reasons to read no more for now: whoever greets, the other side or the recorder does not keep up."""

type Tap = Callable[[bytes, int], None]
"""Gets a copy of bytes after they were forwarded, with the time (monotonic ns) at which they came."""


class Side(asyncio.Protocol):
    """A transport that is read by whoever greets, and later writes straight to its peer."""

    def __init__(self, on_made: Callable[[Side], None] | None = None) -> None:
        self._on_made = on_made
        self._held = bytearray()
        self._news = asyncio.Event()
        self._holds = 0
        self._peer: Side | None = None
        self._tap: Tap | None = None
        self._on_lost: Callable[[], None] | None = None
        self.transport: asyncio.Transport
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: connected, or TLS is set up on what was."""
        self.transport = cast("asyncio.Transport", transport)
        if self._on_made is not None:
            self._on_made(self)
            self._on_made = None

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes; once joined they leave before anything else is done with them."""
        if self._peer is not None and self._tap is not None:
            # Before they leave: what the app does next, it does after this.
            now = monotonic_ns()
            self._peer.transport.write(data)
            self._tap(data, now)
            return
        self._held += data
        self._news.set()
        if len(self._held) > HELD_LIMIT:
            self.hold(READER)

    def eof_received(self) -> bool:
        """asyncio: the peer sends no more. A database connection has no half that goes on."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """asyncio: gone."""
        self.lost = True
        self._news.set()
        if self._peer is not None:
            self._peer.close()
        if self._on_lost is not None:
            self._on_lost()

    def pause_writing(self) -> None:
        """asyncio: this side takes no more for now, so the other is not read."""
        if self._peer is not None:
            self._peer.hold(PEER)

    def resume_writing(self) -> None:
        """asyncio: this side takes bytes again."""
        if self._peer is not None:
            self._peer.go_on(PEER)

    def hold(self, reason: int) -> None:
        """Read no more for a reason."""
        if not self._holds and not self.lost:
            self.transport.pause_reading()
        self._holds |= reason

    def go_on(self, reason: int) -> None:
        """The reason is gone."""
        if not self._holds & reason:
            return
        self._holds &= ~reason
        if not self._holds and not self.lost:
            with suppress(RuntimeError):  # it is closing
                self.transport.resume_reading()

    async def read(self, count: int) -> bytes:
        """Exactly so many bytes. Raises EOFError where the peer is gone before."""
        while len(self._held) < count:
            if self.lost:
                raise EOFError
            self.go_on(READER)
            self._news.clear()
            await self._news.wait()
        data = bytes(self._held[:count])
        del self._held[:count]
        return data

    async def arrived(self) -> None:
        """Wait until something is there to be read, or the peer is gone. Nobody may read meanwhile."""
        while not self._held and not self.lost:
            self.go_on(READER)
            self._news.clear()
            await self._news.wait()

    @property
    def ahead(self) -> bytes:
        """What came and was not read yet, a few bytes of it: enough to see what the peer speaks."""
        return bytes(self._held[:AHEAD])

    def unread(self, data: bytes) -> None:
        """Give bytes back that were read: they are the next again."""
        self._held[:0] = data

    async def gone(self) -> None:
        """Wait until the peer is gone. Nobody may read meanwhile."""
        while not self.lost:
            self._news.clear()
            await self._news.wait()

    @property
    def idle(self) -> bool:
        """Whether nothing is held."""
        return not self._held

    def write(self, data: bytes) -> None:
        """Send bytes."""
        if not self.lost:
            self.transport.write(data)

    async def secure(self, context: ssl.SSLContext, *, server_side: bool, host: str = "") -> None:
        """Go on in TLS. Raises ssl.SSLError, ConnectionError."""
        if self.lost:
            raise ConnectionResetError("the peer went away before TLS")
        # What came between here and the TLS protocol's first look would be lost: uvloop reads before it runs tasks.
        self.transport.pause_reading()
        ahead, self._held = bytes(self._held), bytearray()
        loop, transport = asyncio.get_running_loop(), self.transport
        going = loop.create_task(
            loop.start_tls(transport, self, context, server_side=server_side, server_hostname=host or None)
        )
        if ahead:
            await self._hand_over(transport, ahead)
        made = await going
        if made is None:
            raise ConnectionResetError("the peer went away during the TLS handshake")
        self.transport = made

    async def _hand_over(self, transport: asyncio.Transport, ahead: bytes) -> None:
        """Give TLS what the peer sent ahead of our going over to it: MySQL's clients wait for no answer.

        asyncio has no way to say this; its own streams do the same (StreamWriter.start_tls). It takes two rounds of the
        loop until the TLS protocol is in place, and reading begins only after that.
        """
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        protocol = cast("asyncio.BufferedProtocol", transport.get_protocol())
        while ahead:
            room = memoryview(protocol.get_buffer(len(ahead)))
            count = min(len(room), len(ahead))
            room[:count] = ahead[:count]
            protocol.buffer_updated(count)
            ahead = ahead[count:]

    def join(self, peer: Side, tap: Tap, on_lost: Callable[[], None]) -> None:
        """Send everything to the other side from now on, what is held first."""
        self._peer, self._tap, self._on_lost = peer, tap, on_lost
        if self._held:
            data, self._held = bytes(self._held), bytearray()
            now = monotonic_ns()
            peer.write(data)
            tap(data, now)
        if self.lost:
            peer.close()
            on_lost()
        else:
            self.go_on(READER)

    def close(self) -> None:
        """End the connection after what was written."""
        if not self.lost:
            self.transport.close()

    def abort(self) -> None:
        """End the connection at once."""
        if not self.lost:
            self.transport.abort()
