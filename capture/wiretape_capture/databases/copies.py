"""The recorder's end: copies in, followers read them when nothing else is to be done, exchanges out.

Copies are read in the order in which they passed on all connections, so that what is recorded is ordered as it was
sent. Bound: `LIMIT` bytes wait here, then no more are taken from the forwarding process.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from wiretape_capture.databases.exchanges import exchange_of
from wiretape_capture.databases.protocols import PROTOCOLS
from wiretape_capture.databases.reasons import Reasons
from wiretape_capture.databases.records import Told, accepted_of, seen_of
from wiretape_capture.launch.spec import ServiceMap
from wiretape_capture.protocols.observed import Emit, Follower, Observed
from wiretape_capture.proxy.ledger import Ledger
from wiretape_capture.snapshot.exchange import Protocol
from wiretape_capture.tee.records import Kind, Record, Unpacker

LIMIT = 4 * 1024 * 1024
LOOK_AGAIN = 0.02
"""Seconds after which a full tape is looked at again."""
SLICE_NS = 1_000_000
"""Nanoseconds of reading before others have their turn."""


@dataclass(slots=True)
class _Followed:
    service: ServiceMap
    follower: Follower


class DatabaseCopies(asyncio.Protocol):
    """Reads one forwarding process; `full` says whether the tape is behind, `ask` has the process tell all."""

    def __init__(self, ledger: Ledger, services: Sequence[ServiceMap], full: Callable[[], bool],
                 ask: Callable[[], None], prefix: str) -> None:  # fmt: skip
        self._ledger = ledger
        self._source = ledger.order.source(ask)
        self._services = services
        self._full = full
        self._prefix = prefix
        self._reasons = Reasons()
        self._unpacker = Unpacker()
        self._waiting: deque[Record] = deque()
        self._bytes = 0
        self._timer: asyncio.Handle | None = None
        self._followed: dict[int, _Followed] = {}
        self._paused = False
        self._over = False
        self.ended = asyncio.Event()
        self.taken = 0
        """Records read so far."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the process is there."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """asyncio: copies."""
        for record in self._unpacker.feed(data):
            self._waiting.append(record)
            self._bytes += len(record.payload)
        if self._bytes > LIMIT and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_soon(self._slice)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """asyncio: the process ended; what it told before is still read."""
        self._over = True
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_soon(self._slice)

    def _slice(self) -> None:
        loop, self._timer = asyncio.get_running_loop(), None
        if self._full():
            self._timer = loop.call_later(LOOK_AGAIN, self._slice)
            return
        until = time.monotonic_ns() + SLICE_NS
        while self._waiting and time.monotonic_ns() < until:
            record = self._waiting.popleft()
            self._bytes -= len(record.payload)
            self.taken += 1
            self._read(record)
        if self._waiting:
            # Others that have work go first: the loop looks at its sockets before it calls again.
            self._timer = loop.call_soon(self._slice)
        elif self._over:
            self._finish()
        if self._paused and self._bytes <= LIMIT // 2 and not self._over:
            self._paused = False
            self._transport.resume_reading()

    def _read(self, record: Record) -> None:
        kind = record.kind
        if kind in (Told.CLIENT, Told.SERVER, Told.ENDED):
            self._follow(record)
        elif kind == Told.ACCEPTED:
            place, opening = accepted_of(record.payload)
            service = self._services[place]
            follower = PROTOCOLS[service.scheme].follow(self._book(service, record.number), opening)
            self._followed[record.number] = _Followed(service, follower)
        elif kind == Told.SEEN:
            place, observed = seen_of(record.payload)
            self._book(self._services[place], record.number)(observed.started)(observed)
        elif kind == Kind.NOTE:
            self._ledger.note(self._reasons.bounded(record.payload.decode("utf-8", "replace")), record.number)
        elif kind == Kind.CAUGHT_UP:
            self._source.caught_up(record.time)

    def _follow(self, record: Record) -> None:
        followed = self._followed.get(record.number)
        if followed is None:
            return
        try:
            if record.kind == Told.CLIENT:
                followed.follower.client(record.payload, record.time)
            elif record.kind == Told.SERVER:
                followed.follower.server(record.payload, record.time)
            else:
                del self._followed[record.number]
                followed.follower.end(record.time)
        except Exception as error:  # noqa: BLE001 - the parser's boundary: hostile bytes must not reach the recorder
            self._followed.pop(record.number, None)
            note = (f"connections to {followed.service.name} whose traffic could not be read ({error}); "
                    f"their bytes passed and were not recorded from there on")  # fmt: skip
            self._ledger.note(self._reasons.bounded(note))

    def _book(self, service: ServiceMap, number: int) -> Callable[[int], Emit]:
        protocol, connection = Protocol(service.scheme), f"{self._prefix}{number}"

        def book(begun: int) -> Emit:
            ticket = self._source.told(begun)

            def emit(observed: Observed) -> None:
                ticket.then(lambda: self._ledger.record(exchange_of(
                    observed, sequence=ticket.number, protocol=protocol, service=service.name, connection=connection,
                    started_ns=self._ledger.clock.wall(observed.started),
                )))  # fmt: skip

            return emit

        return book

    def _finish(self) -> None:
        now = time.monotonic_ns()
        for number in list(self._followed):
            self._follow(Record(Told.ENDED, number, now, b""))
        self._source.end()
        self.ended.set()
