"""All clients of a mocked MySQL database, and the connection of each."""

from __future__ import annotations

import asyncio
import secrets
import ssl
from collections.abc import Callable

from wiretape_capture.protocols.mysql import packets
from wiretape_capture.protocols.mysql.packets import Failure
from wiretape_capture.protocols.mysql.wire import Malformed, OutOfOrder, TooLarge, packet
from wiretape_replay.mock.databases.connection import DatabaseConnection, Manners
from wiretape_replay.mock.databases.outages import Doors
from wiretape_replay.mock.databases.strangers import Stranger
from wiretape_replay.mock.mysql.desk import MysqlDesk
from wiretape_replay.mock.mysql.session import Session
from wiretape_replay.mock.sql.recording import Error

BAD_HANDSHAKE, TOO_LARGE, OUT_OF_ORDER, MALFORMED_PACKET = 1043, 1153, 1156, 1835
"""ER_HANDSHAKE_ERROR, ER_NET_PACKET_TOO_LARGE, ER_NET_PACKETS_OUT_OF_ORDER, ER_MALFORMED_PACKET."""
MANNERS = Manners("MySQL", "MySQL, plain or, after its greeting, in TLS", Malformed, tls_first=False, server_first=True)


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
        greeting = self.desk.greeting(self._opened, scramble)
        return MysqlConnection(self, Session(self.desk, greeting, self.desk.turned_away()))

    @property
    def doors(self) -> Doors[Error]:
        """Who is let in."""
        return self.desk.doors

    def break_off(self) -> None:
        """An outage may have begun."""
        self.doors.break_off(self.clients)


class MysqlConnection(DatabaseConnection):
    """The server side of one client's connection; it speaks first."""

    def __init__(self, hall: Hall, session: Session) -> None:
        self._hall = hall
        self._own = session
        desk = hall.desk
        super().__init__(session, MANNERS, desk.name, desk.journal, hall.tls, desk.doors)

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

    def refusal(self, error: Exception) -> bytes:
        """The server's error for what is malformed, numbered as the client expects it."""
        if isinstance(error, OutOfOrder):
            failure = Failure(OUT_OF_ORDER, "08S01", f"Got packets out of order: {error}")
        elif isinstance(error, TooLarge):
            failure = Failure(TOO_LARGE, "08S01", f"Got a packet bigger than 'max_allowed_packet' bytes: {error}")
        elif isinstance(error, Stranger) or not self._own.entered:
            failure = Failure(BAD_HANDSHAKE, "08S01", f"Bad handshake: wiretape: {error}")
        else:
            failure = Failure(MALFORMED_PACKET, "HY000", f"Malformed communication packet: {error}")
        return packet(self._own.next_number, packets.write_error(failure))

    def break_off(self) -> None:
        """An outage has begun."""
        self._hall.break_off()
