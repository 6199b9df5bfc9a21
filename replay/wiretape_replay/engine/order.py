"""Holds each exchange back until what had ended before it in the recording has ended at replay.

Wakes exactly those that may go: with thousands of sessions waiting, asking all of them each time would not end.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Iterable, Sequence

from wiretape_replay.engine.pacing import Slot


class Order:
    """The progress of one run."""

    def __init__(self, slots: Sequence[Slot]) -> None:
        self._all = _Prefix(len(slots))
        self._writes = _Prefix(sum(slot.ended_write is not None for slot in slots))
        self._ended = {slot.exchange.sequence: asyncio.Event() for slot in slots}

    async def wait(self, slot: Slot, producers: Iterable[int]) -> None:
        """Return when the exchange may be sent."""
        await self._all.reach(slot.needs_all)
        await self._writes.reach(slot.needs_writes)
        for producer in producers:
            await self._ended[producer].wait()

    def ended(self, slot: Slot) -> None:
        """An exchange came to its end, whatever that was."""
        self._ended[slot.exchange.sequence].set()
        self._all.mark(slot.ended)
        if slot.ended_write is not None:
            self._writes.mark(slot.ended_write)


class _Prefix:
    """How many places from the first on are marked without a gap."""

    def __init__(self, size: int) -> None:
        self._marked = bytearray(size)
        self._length = 0
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._arrivals = 0

    async def reach(self, length: int) -> None:
        if self._length >= length:
            return
        future = asyncio.get_running_loop().create_future()
        self._arrivals += 1
        heapq.heappush(self._waiting, (length, self._arrivals, future))
        await future

    def mark(self, place: int) -> None:
        self._marked[place] = 1
        while self._length < len(self._marked) and self._marked[self._length]:
            self._length += 1
        while self._waiting and self._waiting[0][0] <= self._length:
            future = heapq.heappop(self._waiting)[2]
            if not future.done():
                future.set_result(None)
