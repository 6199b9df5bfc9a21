"""Plays the chosen exchanges: sessions concurrently, each in its own order, on an absolute schedule.

Knows neither the verdict nor how the target was started.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise

from wiretape_capture.snapshot.exchange import Exchange
from wiretape_replay.bindings.live import LiveSession
from wiretape_replay.engine.client import IN_FLIGHT, Answer, Client
from wiretape_replay.engine.live_bodies import LiveResponses
from wiretape_replay.engine.order import Order
from wiretape_replay.engine.pacing import Slot, must_end_first
from wiretape_replay.engine.played import Played
from wiretape_replay.engine.target import MockJob

type BodyChunks = Callable[[str], AsyncIterator[bytes]]


@dataclass(slots=True)
class Playback:
    """One run under way and what has come of it so far."""

    client: Client
    live: LiveResponses
    values: Mapping[int, LiveSession]
    """What recorded values have become, by exchange; exchanges that share values share it."""
    producers: Callable[[int], Iterable[int]]
    needed: frozenset[int]
    """Exchanges whose answers hold values for later requests: reading all others can wait until they are compared."""
    body_chunks: BodyChunks
    concurrency: int
    mock: MockJob | None = None
    """Is told what is sent and what numbers the app makes."""
    played: dict[int, Played] = field(default_factory=dict)
    errors: int = 0
    latest: float = 0.0
    """Most seconds by which a request was sent later than its schedule says."""
    ended: str = ""
    """Why nothing more is sent; empty while it makes sense."""
    _given_up: asyncio.Event = field(default_factory=asyncio.Event)
    _began: dict[int, tuple[int, int]] = field(default_factory=dict)
    _before: dict[int, int] = field(default_factory=dict)
    """One at a time: the exchange that is sent before each, as it was recorded."""

    async def run(self, sessions: Iterable[Sequence[Slot]], paced: bool) -> None:
        """Play every session to its end."""
        every = [list(slots) for slots in sessions]
        slots = [slot for session in every for slot in session]
        self._began = {slot.exchange.sequence: _beginning(slot.exchange) for slot in slots}
        if self.concurrency == 1 and not paced:
            self._before = _one_by_one([slot.exchange for slot in slots])
        order = Order(slots)
        # A schedule that waits for its own requests is none: paced sessions are bounded by the connections alone.
        gate = asyncio.Semaphore(IN_FLIGHT if paced else self.concurrency)
        began = asyncio.get_running_loop().time()
        try:
            async with asyncio.TaskGroup() as group:
                for session in every:
                    group.create_task(self._session(session, order, gate, began, group))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None

    def give_up(self, why: str) -> None:
        """Send nothing more: what is left is in error for this reason."""
        self.ended = why
        self._given_up.set()

    async def _until(self, moment: float) -> None:
        """Sleep until a time of the loop's clock, or until nothing more is sent."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(moment):
                await self._given_up.wait()

    async def _session(self, slots: Sequence[Slot], order: Order, gate: asyncio.Semaphore, began: float,
                       group: asyncio.TaskGroup) -> None:  # fmt: skip
        under_way: dict[asyncio.Task[None], Exchange] = {}
        for slot in slots:
            first = [task for task, earlier in under_way.items() if must_end_first(earlier, slot.exchange)]
            if first:
                await asyncio.wait(first)
            under_way = {task: earlier for task, earlier in under_way.items() if not task.done()}
            under_way[group.create_task(self._slot(slot, order, gate, began))] = slot.exchange

    async def _slot(self, slot: Slot, order: Order, gate: asyncio.Semaphore, began: float) -> None:
        await order.wait(slot, self._earlier(slot.exchange))
        if slot.at:
            await self._until(began + slot.at)
        async with gate:
            if slot.at:
                self.latest = max(self.latest, asyncio.get_running_loop().time() - began - slot.at)
            self.played[slot.exchange.sequence] = await self._one(slot.exchange)
        order.ended(slot)

    def _earlier(self, exchange: Exchange) -> list[int]:
        """What is waited for: producers that take part and come first. A clock set back must make no circle."""
        own, before = _beginning(exchange), self._before.get(exchange.sequence)
        producers = [one for one in self.producers(exchange.sequence) if self._began.get(one, own) < own]
        return producers if before is None else [*producers, before]

    async def _one(self, exchange: Exchange) -> Played:
        if self.ended:
            self.errors += 1
            return Played(exchange, error=self.ended)
        values = self.values[exchange.sequence]
        producer = values.missing(exchange)
        if producer is not None and producer in self.played:
            return Played(exchange, blocked_by=producer)
        if self.mock is not None:
            await self.mock.begins(exchange.sequence)
        started_ns = time.time_ns()
        answer = await self._send(exchange, values)
        ended_ns = time.time_ns()
        told = self.mock is not None and self.mock.wants(exchange.sequence)
        if answer.response is not None and (told or exchange.sequence in self.needed):
            values.observe(exchange, answer.response)
        if self.mock is not None and told:
            self.mock.ended(exchange.sequence, values.numbers_of(exchange.sequence))
        if answer.response is None:
            self.errors += 1
            return Played(exchange, ended_ns, error=answer.error, started_ns=started_ns)
        self.live.put(exchange.sequence, answer.response)
        return Played(exchange, ended_ns, answer.latency_ms, started_ns=started_ns)

    async def _send(self, exchange: Exchange, values: LiveSession) -> Answer:
        request = values.prepare(exchange, time.time_ns())
        if request.body.data is not None:
            return await self.client.send(request)
        recorded = exchange.request.body.sha256
        return await self.client.send(request, lambda: self.body_chunks(recorded))


def _beginning(exchange: Exchange) -> tuple[int, int]:
    return exchange.started_ns, exchange.sequence


def _one_by_one(exchanges: Iterable[Exchange]) -> dict[int, int]:
    """The exchange that began just before each: where the client's clock and its order agree, see `_earlier`."""
    ordered = sorted(exchanges, key=_beginning)
    return {later.sequence: one.sequence for one, later in pairwise(ordered) if one.sequence < later.sequence}
