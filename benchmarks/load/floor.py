"""`python -m benchmarks.load.floor RATE SECONDS`: how late a process wakes that does nothing but sleep until deadlines.

What the machine itself costs a schedule: wake-ups, other processes, and what a hypervisor takes away.
"""

from __future__ import annotations

import sys
import time
from math import ceil


def p99_ms(rate: float, seconds: float) -> float:
    """The p99 of its lateness (nearest rank)."""
    late, start = [], time.monotonic_ns() + 100_000_000
    for number in range(int(rate * seconds)):
        due = start + int(number / rate * 1e9)
        while (left := due - time.monotonic_ns()) > 0:
            time.sleep(left / 1e9)
        late.append(time.monotonic_ns() - due)
    return sorted(late)[ceil(len(late) * 0.99) - 1] / 1e6


if __name__ == "__main__":
    print(p99_ms(float(sys.argv[1]), float(sys.argv[2])))  # noqa: T201
