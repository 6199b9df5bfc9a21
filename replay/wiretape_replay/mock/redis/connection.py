"""The connection of one client of a mocked Redis server."""

from __future__ import annotations

import asyncio

from wiretape_capture.protocols.redis.buffer import Malformed
from wiretape_capture.protocols.redis.cells import Cell
from wiretape_replay.mock.databases.connection import DatabaseConnection, Manners
from wiretape_replay.mock.databases.direct import Direct
from wiretape_replay.mock.databases.strangers import Stranger
from wiretape_replay.mock.redis.connection_commands import COMMANDS
from wiretape_replay.mock.redis.desk import error as error_reply
from wiretape_replay.mock.redis.hall import Hall
from wiretape_replay.mock.redis.recording import Message
from wiretape_replay.mock.redis.session import Session

MANNERS = Manners("Redis", "Redis, plain or in TLS", Malformed)


class RedisConnection(DatabaseConnection):
    """The server side of one client's connection."""

    def __init__(self, hall: Hall) -> None:
        self._hall = hall
        self._own = Session(hall, COMMANDS)
        desk = hall.desk
        super().__init__(self._own, MANNERS, desk.name, desk.journal, hall.tls, desk.doors,
                         direct=Direct(self._own, hall.lines))  # fmt: skip

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the client is here."""
        super().connection_made(transport)
        self._hall.listeners.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the client is gone."""
        self._hall.listeners.discard(self)
        super().connection_lost(exc)
        self._own.close()

    def hear(self, message: Message, sharded: bool | None) -> bool:
        """A message; whether this client subscribed to it."""
        heard = self._own.hear(message, sharded)
        if heard:
            self.tell()
        return heard

    def invalidate(self, push: Cell) -> None:
        """An invalidation, if this client tracks keys."""
        if self._own.invalidate(push):
            self.tell()

    def arrived(self, sequence: int) -> None:
        """An exchange was served: a blocking command may have waited for it."""
        if self._own.arrived(sequence):
            self.go_on()

    def refusal(self, error: Exception) -> bytes:
        """The server's own words (networking.c) for what is malformed."""
        return error_reply(f"ERR wiretape: {error}" if isinstance(error, Stranger) else f"ERR Protocol error: {error}")

    def break_off(self) -> None:
        """An outage has begun."""
        self._hall.break_off()
