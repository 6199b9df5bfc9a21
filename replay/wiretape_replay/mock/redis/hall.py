"""All clients of a mocked Redis server: messages go from one to the others, and what one awaits another may bring."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Collection
from itertools import count
from typing import Protocol

from wiretape_capture.protocols.redis.cells import Cell
from wiretape_replay.mock.databases.direct import Lines
from wiretape_replay.mock.databases.outages import Doors
from wiretape_replay.mock.redis.desk import Asked, RedisDesk
from wiretape_replay.mock.redis.recording import Message

KEPT_MESSAGES = 1_000
"""Recorded messages that wait for a subscriber."""


class Listener(Protocol):
    """A client as others see it."""

    def hear(self, message: Message, sharded: bool | None) -> bool:
        """A message for whom it may concern; whether this one subscribed to it. None: of a kind that is not known."""
        ...

    def invalidate(self, push: Cell) -> None:
        """An invalidation, for a client that tracks keys."""
        ...

    def arrived(self, sequence: int) -> None:
        """An exchange was served that a blocking command may wait for."""
        ...

    @property
    def rests(self) -> bool:
        """Whether nothing is under way on it."""
        ...

    def hang_up(self) -> None:
        """End the connection after what was said."""
        ...

    def abort(self) -> None:
        """End the connection at once."""
        ...


class Hall:
    """All clients of one server."""

    def __init__(self, desk: RedisDesk, tls: Callable[[], ssl.SSLContext],
                 connect: Callable[[Hall], asyncio.Protocol]) -> None:  # fmt: skip
        self.desk = desk
        self.lines = Lines(desk.journal)
        self.tls = tls
        """The context for clients that begin with TLS."""
        self._connect = connect
        self.listeners: set[Listener] = set()
        self.numbers = count(1)
        self.scripts: set[str] = set()
        """Hashes of the scripts that clients loaded."""
        self.memory: dict[tuple[int, int], dict[object, Asked]] = {}
        """By database and version of RESP: commands by their bytes, and by their arguments."""
        self.awaited: set[int] = set()
        """Exchanges that blocking commands wait for."""
        self._fired: set[int] = set()
        self._waiting: deque[Message] = deque(desk.published(0), maxlen=KEPT_MESSAGES)

    @property
    def doors(self) -> Doors[str]:
        """Who is let in."""
        return self.desk.doors

    @property
    def clients(self) -> Collection[Listener]:
        """Those that are connected."""
        return self.listeners

    def connection(self) -> asyncio.Protocol:
        """The server side of a new client's connection."""
        return self._connect(self)

    def break_off(self) -> None:
        """An outage may have begun."""
        self.doors.break_off(self.listeners)

    def publish(self, message: Message, sharded: bool | None) -> bool:
        """Bring a message to all who subscribed."""
        heard = [each.hear(message, sharded) for each in tuple(self.listeners)]
        return any(heard)

    def served(self, sequence: int) -> None:
        """An exchange was served: what others did right after it in the recording happens now."""
        recording = self.desk.recording
        told = sequence in recording.messages or sequence in recording.invalidated or sequence in self.awaited
        if not told or sequence in self._fired:
            return
        self._fired.add(sequence)
        for each in self.desk.published(sequence):
            if not self.publish(each, None):
                self._waiting.append(each)
        for push in recording.invalidated.get(sequence, ()):
            for client in tuple(self.listeners):
                client.invalidate(push)
        if sequence in self.awaited:
            self.awaited.discard(sequence)
            for client in tuple(self.listeners):
                client.arrived(sequence)

    def deliver(self, hear: Callable[[Message, None], bool]) -> None:
        """Bring messages that came before anyone subscribed to one who did."""
        for _ in range(len(self._waiting)):
            message = self._waiting.popleft()
            if not hear(message, None):
                self._waiting.append(message)
