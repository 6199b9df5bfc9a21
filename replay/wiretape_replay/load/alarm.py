"""Wakes at absolute moments of the monotonic clock, to the precision of the kernel: loop timers count milliseconds."""

from __future__ import annotations

import asyncio
import heapq
import os
import time
from collections.abc import Callable
from contextlib import suppress

AT_ONCE = 64
"""Moments seen to before the loop looks at its sockets again, however many have come."""

clock = time.monotonic_ns


class Alarm:
    """Calls `ring` with what was set, once its moment has come."""

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[object, int], None]) -> None:
        self._loop = loop
        self._ring = ring
        self._set: list[tuple[int, int, object]] = []
        self._count = 0
        self._armed = 0
        self._timer = os.timerfd_create(time.CLOCK_MONOTONIC, flags=os.TFD_NONBLOCK | os.TFD_CLOEXEC)
        loop.add_reader(self._timer, self._rang)

    def at(self, due_ns: int, what: object) -> None:
        """Ring at that moment; one that has passed rings as soon as the loop is free."""
        self._count += 1
        heapq.heappush(self._set, (due_ns, self._count, what))
        if not self._armed or due_ns < self._armed:
            self._arm(due_ns)

    def close(self) -> None:
        """Ring no more."""
        self._loop.remove_reader(self._timer)
        os.close(self._timer)

    def _arm(self, due_ns: int) -> None:
        self._armed = max(due_ns, 1)  # zero would disarm it
        os.timerfd_settime_ns(self._timer, flags=os.TFD_TIMER_ABSTIME, initial=self._armed)

    def _rang(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._timer, 8)
        self._armed = 0
        left = AT_ONCE
        while self._set and left:
            now = clock()
            if self._set[0][0] > now:
                break
            self._ring(heapq.heappop(self._set)[2], now)
            left -= 1
        if self._set:
            self._arm(self._set[0][0])
