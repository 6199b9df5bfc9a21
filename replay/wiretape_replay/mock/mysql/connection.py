"""All clients of a mocked MySQL database, and the connection of each."""

from __future__ import annotations

import asyncio
import secrets
import ssl
from collections.abc import Callable

from wiretape_capture.protocols.mysql import packets
from wiretape_capture.protocols.mysql.packets import Failure
from wiretape_capture.protocols.mysql.wire import Malformed, packet
from wiretape_replay.mock.databases.connection import DatabaseConnection
from wiretape_replay.mock.mysql.desk import MysqlDesk
from wiretape_replay.mock.mysql.session import Session

MALFORMED_PACKET = 1835
"""ER_MALFORMED_PACKET."""


class Hall:
    """All clients of one database."""

    def __init__(self, desk: MysqlDesk, tls: Callable[[], ssl.SSLContext]) -> None:
        self.desk = desk
        self.tls = tls
        """The context for clients that ask for TLS."""
        self.clients: set[MysqlConnection] = set()
        self._opened = 0

    def connection(self) -> MysqlConnection:
        """The server side of a new client's connection."""
        self._opened += 1
        scramble = bytes(each % 94 + 33 for each in secrets.token_bytes(20))  # no NUL: it ends the text
        return MysqlConnection(self, Session(self.desk, self.desk.greeting(self._opened, scramble)))


class MysqlConnection(DatabaseConnection):
    """The server side of one client's connection; it speaks first."""

    def __init__(self, hall: Hall, session: Session) -> None:
        self._hall = hall
        self._own = session
        super().__init__(session, hall.desk.journal, hall.tls, Malformed, _refusal)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the client is here."""
        super().connection_made(transport)
        self._hall.clients.add(self)
        self.tell()

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the client is gone."""
        self._hall.clients.discard(self)
        super().connection_lost(exc)

    def _send(self) -> None:
        super()._send()
        if ahead := self._own.take_ahead():
            self.data_received(ahead)  # clients begin with TLS without waiting for an answer


def _refusal(error: Exception) -> bytes:
    return packet(1, packets.write_error(Failure(MALFORMED_PACKET, "HY000", f"wiretape: {error}")))
