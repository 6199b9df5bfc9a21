"""Which databases can be mocked, by protocol: what is kept of a recording, and who answers from it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from wiretape_capture.snapshot.exchange import Exchange
from wiretape_replay.match.index import Index
from wiretape_replay.match.matcher import Matcher
from wiretape_replay.mock.databases.outages import Doors, Outages
from wiretape_replay.mock.journal import Entry, Journal
from wiretape_replay.mock.mongodb.recording import MongoRecording
from wiretape_replay.mock.mysql.connection import Hall as MysqlHall
from wiretape_replay.mock.mysql.desk import MysqlDesk
from wiretape_replay.mock.mysql.recording import MysqlRecording
from wiretape_replay.mock.postgres.connection import Hall as PostgresHall
from wiretape_replay.mock.postgres.desk import PostgresDesk
from wiretape_replay.mock.postgres.recording import DatabaseRecording as PostgresRecording
from wiretape_replay.mock.redis.connection import RedisConnection
from wiretape_replay.mock.redis.desk import RedisDesk
from wiretape_replay.mock.redis.hall import Hall as RedisHall
from wiretape_replay.mock.redis.recording import RedisRecording


class Recording(Protocol):
    """All that is known of one database."""

    outages: Outages[Any]
    """When it could not be connected to."""

    @property
    def size(self) -> int:
        """Bytes of answers in memory."""
        ...

    def add(self, exchange: Exchange) -> bool:
        """One more exchange, in recorded order; True for one that is to be matched."""
        ...

    def document(self, sequence: int) -> bytes | None:
        """The recorded answer to what is matched, as JSON; None where none came."""
        ...


class Client(Protocol):
    """One connection to a mocked database."""

    @property
    def rests(self) -> bool:
        """Whether nothing is under way on it."""
        ...

    def hang_up(self) -> None:
        """End it after what was said."""
        ...

    def abort(self) -> None:
        """End it at once."""
        ...


class Hall(Protocol):
    """A mocked database with all its clients."""

    @property
    def clients(self) -> Collection[Client]:
        """Those that are connected."""
        ...

    @property
    def doors(self) -> Doors[Any]:
        """Who is let in."""
        ...

    def connection(self) -> asyncio.Protocol:
        """The server side of a new client's connection."""
        ...


@dataclass(frozen=True, slots=True)
class Means:
    """What a mocked database answers with."""

    service: str
    """As it is indexed."""
    index: Index
    matcher: Matcher
    journal: Journal
    delay_factor: float
    on_miss: Callable[[Entry], None]
    tls: Callable[[], ssl.SSLContext]
    """For clients that ask for TLS."""


@dataclass(frozen=True, slots=True)
class Mockable[R: Recording]:
    """How one protocol is mocked."""

    recording: Callable[[], R]
    hall: Callable[[R, Means], Hall]


def _postgres(recording: PostgresRecording, means: Means) -> PostgresHall:
    desk = PostgresDesk(means.service, means.index, means.matcher, recording, means.journal, means.delay_factor,
                        means.on_miss)  # fmt: skip
    return PostgresHall(desk, means.tls)


def _redis(recording: RedisRecording, means: Means) -> RedisHall:
    desk = RedisDesk(means.service, means.index, means.matcher, recording, means.journal, means.delay_factor,
                     means.on_miss)  # fmt: skip
    return RedisHall(desk, means.tls, RedisConnection)


def _mysql(recording: MysqlRecording, means: Means) -> MysqlHall:
    desk = MysqlDesk(means.service, means.index, means.matcher, recording, means.journal, means.delay_factor,
                     means.on_miss)  # fmt: skip
    return MysqlHall(desk, means.tls)


def _mongodb(recording: MongoRecording, means: Means) -> Hall:
    # These read BSON with an optional library, whose absence is then told.
    from wiretape_replay.mock.mongodb.connection import Hall as MongoHall
    from wiretape_replay.mock.mongodb.desk import MongoDesk

    desk = MongoDesk(means.service, means.index, means.matcher, recording, means.journal, means.delay_factor,
                     means.on_miss)  # fmt: skip
    return MongoHall(desk, means.tls)


PROTOCOLS: Mapping[str, Mockable[Any]] = {
    "postgres": Mockable(PostgresRecording, _postgres),
    "redis": Mockable(RedisRecording, _redis),
    "mysql": Mockable(MysqlRecording, _mysql),
    "mongodb": Mockable(MongoRecording, _mongodb),
}
