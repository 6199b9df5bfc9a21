"""One side of a lane: reading pauses for as long as there is a reason, writing waits for a peer that is yet to come."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from typing import Protocol, cast

PEER, RECORDER, DIALLING, EARLIER = 1, 2, 4, 8
"""Reasons to read no more for now: the other peer reads slowly, the recorder does, there is no service yet, or
what came before is not answered."""


class Between(Protocol):
    """What two ends are the ends of."""

    def other(self, end: End, /) -> End:
        """The opposite end."""
        ...

    def from_client(self, data: bytes, /) -> None:
        """Bytes came from the client."""
        ...

    def from_service(self, data: bytes, /) -> None:
        """Bytes came from the service."""
        ...

    def client_ended(self) -> bool:
        """The client sends no more; whether its end stays open."""
        ...

    def service_ended(self, end: End, /) -> bool:
        """A service sends no more; whether its end stays open."""
        ...

    def client_lost(self, error: Exception | None, /) -> None:
        """The client is gone."""
        ...

    def service_lost(self, end: End, error: Exception | None, /) -> None:
        """A service is gone."""
        ...


class End(asyncio.Protocol):
    """One side of a lane."""

    def __init__(self, lane: Between, *, client: bool) -> None:
        self._lane = lane
        self._client = client
        self._holds = 0
        self._early: list[bytes] = []
        """What came for a peer that is not there yet: one reading, then the other end waits."""
        self.transport: asyncio.Transport | None = None
        self.gone = False
        self.ended = False
        """Whether its peer sends no more."""
        self.data_received = lane.from_client if client else lane.from_service  # type: ignore[method-assign,assignment]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the peer is there."""
        self.transport = cast(asyncio.Transport, transport)
        if self._early:
            self.transport.write(b"".join(self._early))
            self._early.clear()
        if self._holds:  # uvloop begins to read after this call, whatever is said in it
            asyncio.get_running_loop().call_soon(self._pause)

    def _pause(self) -> None:
        if self._holds and self.transport is not None:
            self.transport.pause_reading()

    def hold(self, why: int) -> None:
        """Read no more for this reason."""
        if not self._holds and self.transport is not None:
            self.transport.pause_reading()
        self._holds |= why

    def go_on(self, why: int) -> None:
        """The reason is no more."""
        if self._holds and not (left := self._holds & ~why):
            self._holds = left
            if self.transport is not None:
                self.transport.resume_reading()
        else:
            self._holds &= ~why

    def pause_writing(self) -> None:
        """asyncio: the peer reads too slowly."""
        self._lane.other(self).hold(PEER)

    def resume_writing(self) -> None:
        """asyncio: the peer caught up."""
        self._lane.other(self).go_on(PEER)

    def eof_received(self) -> bool:
        """asyncio: the peer sends no more."""
        self.ended = True
        return self._lane.client_ended() if self._client else self._lane.service_ended(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the peer is gone."""
        self.transport, self.gone = None, True
        if self._client:
            self._lane.client_lost(exc)
        else:
            self._lane.service_lost(self, exc)

    def write(self, data: bytes) -> None:
        """Send on."""
        if self.transport is not None:
            self.transport.write(data)
        elif not self.gone:
            self._early.append(data)

    def end(self) -> None:
        """Send no more; the peer may go on sending. Inside of TLS that cannot be said alone."""
        if self.transport is None:
            return
        if self.transport.can_write_eof():
            with suppress(OSError, RuntimeError):
                self.transport.write_eof()
        else:
            self.transport.close()

    def close(self) -> None:
        """End after what was written."""
        if self.transport is not None:
            self.transport.close()

    def reset(self) -> None:
        """End with RST, as the other peer did: closing with a zero linger time sends it (SO_LINGER in socket(7))."""
        if self.transport is None:
            return
        raw = self.transport.get_extra_info("socket")
        with suppress(OSError, AttributeError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()
