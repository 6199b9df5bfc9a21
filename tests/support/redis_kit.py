"""A mocked Redis server in the test itself: exchanges in, and clients without sockets."""

from __future__ import annotations

import ssl
from collections.abc import Iterable

from redis_golden import EPOCH_NS

from wiretape_capture.databases.exchanges import exchange_of
from wiretape_capture.protocols.observed import Emit, Observed
from wiretape_capture.protocols.redis.cells import Cell
from wiretape_capture.protocols.redis.follower import RedisFollower
from wiretape_capture.protocols.redis.replies import ReplyReader
from wiretape_capture.protocols.redis.requests import write_command
from wiretape_capture.snapshot.exchange import Exchange, Protocol
from wiretape_replay.match.index import IndexBuilder
from wiretape_replay.match.matcher import Matcher
from wiretape_replay.mock.journal import Journal
from wiretape_replay.mock.redis.connection import RedisConnection
from wiretape_replay.mock.redis.connection_commands import COMMANDS
from wiretape_replay.mock.redis.desk import RedisDesk
from wiretape_replay.mock.redis.hall import Hall
from wiretape_replay.mock.redis.recording import Message, RedisRecording
from wiretape_replay.mock.redis.session import Session

type Command = str | list[bytes]
type Said = tuple[Command, bytes] | tuple[Command, bytes, int]
"""A command, what it got, and the connection (1 where none is given); a text without a command is a message."""


def hall_of(exchanges: list[Exchange]) -> Hall:
    """A mocked server that knows these exchanges."""
    builder, recording = IndexBuilder(), RedisRecording()
    for exchange in exchanges:
        if recording.add(exchange):
            builder.add(exchange)
    index = builder.finish((), ())

    def no_tls() -> ssl.SSLContext:
        raise AssertionError

    return Hall(RedisDesk("db", index, Matcher(index), recording, Journal(None)), no_tls, RedisConnection)


class Client:
    """A session without a socket."""

    def __init__(self, hall: Hall) -> None:
        self.session = Session(hall, COMMANDS)
        self._reader = ReplyReader()
        hall.listeners.add(self)

    def send(self, *commands: Command) -> list[Cell]:
        """What comes back of these commands, sent at once."""
        self.session.feed(b"".join(map(command_of, commands)))
        return self.heard()

    def heard(self) -> list[Cell]:
        """What came meanwhile."""
        return [each.cell for each in self._reader.feed(self.session.take())]

    def hear(self, message: Message, sharded: bool | None) -> bool:
        return self.session.hear(message, sharded)

    def invalidate(self, push: Cell) -> None:
        self.session.invalidate(push)

    def arrived(self, sequence: int) -> None:
        self.session.arrived(sequence)

    @property
    def rests(self) -> bool:
        return self.session.rests

    def hang_up(self) -> None:
        raise AssertionError

    def abort(self) -> None:
        raise AssertionError


def command_of(text: Command) -> bytes:
    """The bytes of a command; words are parted by blanks."""
    return write_command([word.encode() for word in text.split(" ")] if isinstance(text, str) else text)


def recorded(*said: Said, resp: int = 2) -> list[Exchange]:
    """The exchanges of a conversation: one command after the other, a second apart."""
    seen: dict[int, tuple[Observed, int]] = {}
    followers: dict[int, RedisFollower] = {}
    number = 0

    def booking(connection: int) -> RedisFollower:
        def book(_begun: int) -> Emit:
            nonlocal number
            number += 1
            mine = number

            def emit(observed: Observed) -> None:
                seen[mine] = observed, connection

            return emit

        return RedisFollower(book, resp=resp)

    for at, (command, reply, *more) in enumerate(said, 1):
        connection = more[0] if more else 1
        follower = followers.setdefault(connection, booking(connection))
        if command:
            follower.client(command_of(command), at * 10**9)
        if reply:
            follower.server(reply, at * 10**9 + 10**8)
    return [
        exchange_of(observed, sequence=mine, protocol=Protocol.REDIS, service="db", connection=f"d{connection}",
                    started_ns=observed.started + EPOCH_NS)
        for mine, (observed, connection) in sorted(seen.items())
    ]  # fmt: skip


def answering(said: Iterable[Said], resp: int = 2) -> Client:
    """A client of a server that knows a conversation."""
    return Client(hall_of(recorded(*said, resp=resp)))
