"""How far the wall clock is ahead of the monotonic one, both read by one process."""

from __future__ import annotations

import time

TRIES = 5


def wall_offset() -> int:
    """Nanoseconds to add to a monotonic time for the Unix epoch, UTC.

    Of several readings that one counts which took least: a process that loses the processor between its two clocks
    would be milliseconds off.
    """
    best, offset = 1 << 63, 0
    for _ in range(TRIES):
        before, wall, after = time.monotonic_ns(), time.time_ns(), time.monotonic_ns()
        if after - before < best:
            best, offset = after - before, wall - (before + after) // 2
    return offset
