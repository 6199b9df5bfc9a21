"""Copies of what passed on database connections, read when nothing needs to be forwarded. Bounded in memory.

Bytes are kept in the order in which they arrived on all connections, so that what is recorded is ordered as it was
sent. When more wait than the bound allows they are read at once: slower for the app, but nothing is lost.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

from wiretape_capture.protocols.observed import Follower

LIMIT = 32 * 1024 * 1024
"""Bytes that may wait."""
DELAY = 0.002
"""Seconds after which waiting bytes are read: a request's answers are forwarded before it is looked into."""
SLICE_NS = 1_000_000
"""Nanoseconds of reading before traffic has its turn again."""

type Fault = Callable[[Exception], None]


class Followed:
    """One connection's follower, until it fails."""

    def __init__(self, follower: Follower, on_fault: Fault) -> None:
        self.follower: Follower | None = follower
        self._on_fault = on_fault

    def read(self, sender: Sender, data: bytes, at: int) -> None:
        """Let the follower read; one that fails is dropped and told of."""
        if self.follower is None:
            return
        try:
            sender(self.follower, data, at)
        except Exception as error:  # noqa: BLE001 - the parser's boundary: hostile bytes must not reach the traffic
            self.follower = None
            self._on_fault(error)


type Sender = Callable[[Follower, bytes, int], None]


def from_client(follower: Follower, data: bytes, at: int) -> None:
    """The app sent this."""
    follower.client(data, at)


def from_server(follower: Follower, data: bytes, at: int) -> None:
    """The service sent this."""
    follower.server(data, at)


def at_end(follower: Follower, _data: bytes, at: int) -> None:
    """The connection is over."""
    follower.end(at)


class Backlog:
    """What waits to be read."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Followed, Sender, bytes, int]] = deque()
        self._bytes = 0
        self._timer: asyncio.Handle | None = None

    def put(self, followed: Followed, sender: Sender, data: bytes) -> None:
        """Keep a copy for later."""
        self._waiting.append((followed, sender, data, time.monotonic_ns()))
        self._bytes += len(data)
        if self._bytes > LIMIT:
            self.drain()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(DELAY, self._slice)

    def drain(self) -> None:
        """Read all that waits."""
        while self._waiting:
            self._read_one()

    def _slice(self) -> None:
        self._timer = None
        until = time.monotonic_ns() + SLICE_NS
        while self._waiting and time.monotonic_ns() < until:
            self._read_one()
        if self._waiting:
            # Traffic that came meanwhile goes first: the loop looks at its sockets before it calls again.
            self._timer = asyncio.get_running_loop().call_soon(self._slice)

    def _read_one(self) -> None:
        followed, sender, data, at = self._waiting.popleft()
        self._bytes -= len(data)
        followed.read(sender, data, at)

    def close(self) -> None:
        """Read the rest; nothing comes any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.drain()
