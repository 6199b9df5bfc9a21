"""The socket side of one client of a mocked Postgres: it moves bytes, waits where a delay is asked for, and ends it."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Callable
from typing import cast

from wiretape_capture.protocols.postgres import wire
from wiretape_capture.protocols.postgres.wire import Malformed
from wiretape_replay.mock.postgres.desk import PostgresDesk
from wiretape_replay.mock.postgres.session import Session
from wiretape_replay.mock.tls import TlsLayer


class Hall:
    """All clients of one database: notifications go from one to the others."""

    def __init__(self, desk: PostgresDesk, tls: Callable[[], ssl.SSLContext]) -> None:
        self.desk = desk
        self.tls = tls
        """The context for clients that ask for TLS."""
        self.clients: set[PostgresConnection] = set()

    def connection(self) -> PostgresConnection:
        """The server side of a new client's connection."""
        return PostgresConnection(self)

    def tell(self, told: list[tuple[str, str]]) -> None:
        """Bring notifications to everyone who listens."""
        for client in tuple(self.clients):
            client.notify(told)


class PostgresConnection(asyncio.Protocol):
    """The server side of one client's connection."""

    def __init__(self, hall: Hall) -> None:
        self._hall = hall
        self._session = Session(hall.desk, hall.tell, offers_tls=True)
        self._tls: TlsLayer | None = None
        self._busy = False
        self._timer: asyncio.TimerHandle | None = None
        self._held: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the client is here."""
        self._transport = cast("asyncio.Transport", transport)
        self._hall.clients.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """asyncio: the client is gone."""
        self._hall.clients.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        if self._session.within and not self._session.closing:
            self._hall.desk.journal.refused += 1

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes from the client; while an answer is held back they wait."""
        if self._timer is not None:
            self._held.append(data)
            return
        self._busy = True
        try:
            self._session.feed(self._plain(data) if self._tls is not None else data)
        except ssl.SSLError:
            self._hall.desk.journal.refused += 1
            self._transport.abort()
            return
        except Malformed as error:
            self._hall.desk.journal.refused += 1
            self._session.closing = True
            self._write(self._session.take() + wire.error("08P01", f"wiretape: {error}", severity="FATAL"))
        self._busy = False
        if self._session.delay > 0:
            self._transport.pause_reading()
            self._timer = asyncio.get_running_loop().call_later(self._session.delay, self._go_on)
            self._session.delay = 0.0
        else:
            self._send()

    def _plain(self, data: bytes) -> bytes:
        assert self._tls is not None
        try:
            return self._tls.feed(data)
        finally:
            self._transport.write(self._tls.pending())

    def _write(self, data: bytes) -> None:
        self._transport.write(self._tls.seal(data) if self._tls is not None and data else data)

    def _go_on(self) -> None:
        self._timer = None
        self._send()
        held, self._held = b"".join(self._held), []
        if not self._transport.is_closing():
            self._transport.resume_reading()
            if held:
                self.data_received(held)

    def _send(self) -> None:
        session = self._session
        if (data := session.take()) and session.fault != "reset":
            self._write(data)
        if session.secures:
            session.secures = False
            self._tls = TlsLayer(self._hall.tls())
        if session.fault == "reset":
            self._reset()
        elif session.closing and session.fault != "hang":
            self._transport.close()

    def _reset(self) -> None:
        """End the connection with RST (SO_LINGER in socket(7))."""
        sock = self._transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def pause_writing(self) -> None:
        """asyncio: the client does not keep up, so it is not read either."""
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """asyncio: the client keeps up again."""
        self._transport.resume_reading()

    def notify(self, told: list[tuple[str, str]]) -> None:
        """Notifications for this client, if it listens."""
        self._session.notify(told)
        if not self._busy and self._timer is None:
            self._send()

    def abort(self) -> None:
        """End the connection at once."""
        self._transport.abort()
