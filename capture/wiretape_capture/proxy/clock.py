"""The one clock of a recording: monotonic times of every process as moments on the wall.

Which call belongs to which request is told by their times, so all of them are told by the same clock: two processes
that each read the wall would differ by more than a fast request takes.
"""

from __future__ import annotations

import time
from collections.abc import Callable

TRIES = 5
LOOK_NS = 1_000_000_000
"""How often the wall clock is looked at."""
STEP_NS = 100_000_000
"""A wall clock that is this far from where it was has been set; one that is merely slewed (adjtime(3)) is not followed,
for the moments of one request shall be as far apart as they were."""

type Read = Callable[[], int]


class Clock:
    """`wall` of times in their order, about: what began before the wall clock was set may be told by either setting."""

    def __init__(self, monotonic: Read = time.monotonic_ns, wall: Read = time.time_ns) -> None:
        self._monotonic, self._wall = monotonic, wall
        self._offset = self._read()
        self._looked = monotonic()

    def wall(self, at: int) -> int:
        """Nanoseconds since the Unix epoch, UTC, of a monotonic time."""
        now = self._monotonic()
        if now - self._looked > LOOK_NS:
            self._looked, offset = now, self._read()
            if abs(offset - self._offset) > STEP_NS:
                self._offset = offset
        return at + self._offset

    def _read(self) -> int:
        """How far the wall clock is ahead of the monotonic one.

        Of several readings that one counts which took least: a process that loses the processor between its two clocks
        would be milliseconds off.
        """
        best, offset = 1 << 63, 0
        for _ in range(TRIES):
            before, wall, after = self._monotonic(), self._wall(), self._monotonic()
            if after - before < best:
                best, offset = after - before, wall - (before + after) // 2
        return offset
