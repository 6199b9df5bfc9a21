"""The writing side of one client's connection, with or without TLS, and its flow control. It reads nothing."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Iterable
from contextlib import suppress

from wiretape_replay.mock.tls import TlsLayer


class Wire:
    """A transport, and the TLS session inside of it once there is one."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.tls: TlsLayer | None = None
        self.closing = False
        self._transport = transport
        self._out: list[bytes] = []
        self._writable = asyncio.Event()
        self._writable.set()

    def later(self, pieces: Iterable[bytes]) -> None:
        """Queue bytes for the next `flush`, so that pipelined answers leave in one write."""
        self._out += pieces

    def flush(self) -> None:
        """Write what is queued."""
        if self._out:
            data = b"".join(self._out)
            self._out.clear()
            self._plain(data)

    def write(self, data: bytes) -> None:
        """Write after what is queued."""
        self.flush()
        self._plain(data)

    def _plain(self, data: bytes) -> None:
        self.raw(self.tls.seal(data) if self.tls is not None and data and not self.closing else data)

    def raw(self, data: bytes) -> None:
        """Write beside the TLS session: its own records, or what comes before it."""
        if data and not self.closing:
            self._transport.write(data)

    async def send(self, data: bytes) -> None:
        """Write, then wait until the client keeps up."""
        self.write(data)
        await self._writable.wait()

    def block(self) -> None:
        """The client does not keep up: neither write to it nor read from it."""
        self._writable.clear()
        self._transport.pause_reading()

    def unblock(self) -> None:
        """The client keeps up again."""
        self._writable.set()
        self.read_on()

    def hold(self) -> None:
        """Read no more for now."""
        if not self.closing:
            self._transport.pause_reading()

    def read_on(self) -> None:
        """Read again."""
        if not self.closing and self._writable.is_set():
            self._transport.resume_reading()

    def close(self) -> None:
        """End the connection in good order."""
        if self.closing:
            return
        self.flush()
        if self.tls is not None and self.tls.established:
            self.raw(self.tls.close())
        self.closing = True
        self._transport.close()

    def finish(self) -> None:
        """Say that nothing more is sent, and go on reading."""
        if self.closing:
            return
        if self.tls is not None and self.tls.established:
            self.raw(self.tls.close())
        with suppress(OSError):  # the client may have hung up
            self._transport.write_eof()
        self.read_on()

    def abort(self) -> None:
        """End the connection at once."""
        self.closing = True
        self._transport.abort()

    def reset(self) -> None:
        """End the connection with RST: closing with a zero linger time sends it (SO_LINGER in socket(7))."""
        self.flush()
        sock = self._transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.abort()

    def lost(self) -> None:
        """The client is gone: nobody waits for it any more."""
        self.closing = True
        self._writable.set()
