"""All clients of a mocked Postgres database, and the connection of each."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

from wiretape_capture.protocols.postgres import wire
from wiretape_capture.protocols.postgres.wire import Malformed
from wiretape_replay.mock.databases.connection import DatabaseConnection
from wiretape_replay.mock.databases.direct import Direct, Lines
from wiretape_replay.mock.postgres.desk import PostgresDesk
from wiretape_replay.mock.postgres.session import Session


class Hall:
    """All clients of one database: notifications go from one to the others."""

    def __init__(self, desk: PostgresDesk, tls: Callable[[], ssl.SSLContext]) -> None:
        self.desk = desk
        self.lines = Lines(desk.journal)
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


class PostgresConnection(DatabaseConnection):
    """The server side of one client's connection."""

    def __init__(self, hall: Hall) -> None:
        self._hall = hall
        self._own = Session(hall.desk, hall.tell, offers_tls=True)
        super().__init__(self._own, hall.desk.journal, hall.tls, Malformed, _refusal,
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


def _refusal(error: Exception) -> bytes:
    return wire.error("08P01", f"wiretape: {error}", severity="FATAL")
