"""The connection of one client of a mocked MongoDB server, and the hall of all of them."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

from wiretape_capture.protocols.mongodb.documents import encode
from wiretape_capture.protocols.mongodb.wire import Malformed, write_msg
from wiretape_replay.mock.databases.connection import DatabaseConnection, Manners
from wiretape_replay.mock.databases.outages import Doors
from wiretape_replay.mock.mongodb.desk import MongoDesk, error_of
from wiretape_replay.mock.mongodb.session import Server, Session

PROTOCOL_ERROR = 17
MANNERS = Manners("MongoDB", "MongoDB, plain or in TLS", Malformed)


class Hall:
    """All clients of one server."""

    def __init__(self, desk: MongoDesk, tls: Callable[[], ssl.SSLContext]) -> None:
        self.server = Server(desk)
        self.tls = tls
        self.clients: set[MongoConnection] = set()

    @property
    def doors(self) -> Doors[None]:
        """Who is let in."""
        return self.server.desk.doors

    def break_off(self) -> None:
        """An outage may have begun."""
        self.doors.break_off(self.clients)

    def connection(self) -> MongoConnection:
        """The server side of a new client's connection."""
        return MongoConnection(self)


class MongoConnection(DatabaseConnection):
    """The server side of one client's connection."""

    def __init__(self, hall: Hall) -> None:
        self._hall = hall
        session = Session(hall.server, self._here)
        desk = hall.server.desk
        super().__init__(session, MANNERS, desk.name, desk.journal, hall.tls, desk.doors)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the client is here."""
        super().connection_made(transport)
        self._hall.clients.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the client is gone."""
        self._hall.clients.discard(self)
        super().connection_lost(exc)

    def _here(self) -> str:
        return "{}:{}".format(*self._transport.get_extra_info("sockname")[:2])

    def refusal(self, error: Exception) -> bytes:
        """An error that belongs to no request; the server itself hangs up without one."""
        return write_msg(0, 0, encode(error_of(PROTOCOL_ERROR, "ProtocolError", f"wiretape: {error}")))

    def break_off(self) -> None:
        """An outage has begun."""
        self._hall.break_off()
