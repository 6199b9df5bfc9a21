"""All clients of a mocked Postgres database, and the connection of each."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

from wiretape_capture.protocols.postgres import wire
from wiretape_capture.protocols.postgres.wire import Malformed
from wiretape_replay.mock.databases.connection import DatabaseConnection, Manners
from wiretape_replay.mock.databases.direct import Direct, Lines
from wiretape_replay.mock.databases.outages import Doors
from wiretape_replay.mock.postgres.desk import PostgresDesk
from wiretape_replay.mock.postgres.session import Session
from wiretape_replay.mock.sql.recording import Error

MANNERS = Manners("Postgres", "Postgres, plain or in TLS", Malformed)


class Hall:
    """All clients of one database: notifications go from one to the others."""

    def __init__(self, desk: PostgresDesk, tls: Callable[[], ssl.SSLContext]) -> None:
        self.desk = desk
        self.lines = Lines(desk.journal)
        self.tls = tls
        """The context for clients that ask for TLS."""
        self.clients: set[PostgresConnection] = set()
        desk.doors.on_begin = self.take_leave

    def connection(self) -> PostgresConnection:
        """The server side of a new client's connection."""
        return PostgresConnection(self)

    @property
    def doors(self) -> Doors[Error]:
        """Who is let in."""
        return self.desk.doors

    def break_off(self) -> None:
        """An outage may have begun."""
        self.doors.break_off(self.clients)

    def take_leave(self, sequence: int) -> None:
        """A replay begins a request: connections end that had ended before it."""
        for client in tuple(self.clients):
            client.take_leave(sequence)

    def tell(self, told: list[tuple[str, str]]) -> None:
        """Bring notifications to everyone who listens."""
        for client in tuple(self.clients):
            client.notify(told)


class PostgresConnection(DatabaseConnection):
    """The server side of one client's connection."""

    def __init__(self, hall: Hall) -> None:
        self._hall = hall
        self._own = Session(hall.desk, hall.tell, offers_tls=True)
        desk = hall.desk
        super().__init__(self._own, MANNERS, desk.name, desk.journal, hall.tls, desk.doors,
                         direct=Direct(self._own, hall.lines))  # fmt: skip

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the client is here."""
        super().connection_made(transport)
        self._hall.clients.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the client is gone."""
        self._hall.clients.discard(self)
        self._own.close()
        super().connection_lost(exc)

    def notify(self, told: list[tuple[str, str]]) -> None:
        """Notifications for this client, if it listens."""
        self._own.notify(told)
        self.tell()

    def take_leave(self, sequence: int) -> None:
        """End if the recorded connection had ended before an exchange."""
        self._own.take_leave(sequence)
        self.tell()

    def refusal(self, error: Exception) -> bytes:
        """The error of the server (08P01, protocol_violation), after which it hangs up."""
        code = "0A000" if str(error).startswith("unsupported") else "08P01"
        return wire.error(code, str(error), severity="FATAL", hint="told by wiretape's mock")

    def break_off(self) -> None:
        """An outage has begun."""
        self._hall.break_off()
