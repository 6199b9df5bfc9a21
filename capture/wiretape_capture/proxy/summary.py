"""The recording's summary: one row a command, nearest-rank percentiles. Pure; 8 bytes of memory an exchange."""

from __future__ import annotations

from array import array
from collections import defaultdict
from math import ceil

from wiretape_capture.proxy.spec import CommandStats
from wiretape_capture.snapshot.exchange import Exchange


class Tally:
    """Counts exchanges by direction, service and command."""

    def __init__(self) -> None:
        self._durations: defaultdict[tuple[str, str, str], array[int]] = defaultdict(lambda: array("Q"))
        self._errors: defaultdict[tuple[str, str, str], int] = defaultdict(int)
        self.total = 0

    def add(self, exchange: Exchange) -> None:
        """Count one exchange."""
        key = (exchange.direction.value, exchange.service, exchange.command)
        self._durations[key].append(max(exchange.duration_us, 0))
        if failed(exchange):
            self._errors[key] += 1
        self.total += 1

    def rows(self) -> tuple[CommandStats, ...]:
        """One row a command, inbound first, most frequent first."""
        return tuple(sorted(
            (self._row(*key) for key in self._durations),
            key=lambda row: (row.direction, -row.count, row.service, row.command),
        ))  # fmt: skip

    def _row(self, direction: str, service: str, command: str) -> CommandStats:
        durations = sorted(self._durations[direction, service, command])
        return CommandStats(
            direction=direction, service=service, command=command, count=len(durations),
            errors=self._errors[direction, service, command],
            p50_ms=nearest_rank(durations, 50) / 1000, p95_ms=nearest_rank(durations, 95) / 1000,
        )  # fmt: skip


def failed(exchange: Exchange) -> bool:
    """Whether the app got no answer, an answer of 500 and above, or from a database an error."""
    return exchange.response is None or exchange.response.status >= (400 if exchange.protocol.is_database else 500)


def nearest_rank(ordered: list[int], percent: int) -> int:
    """The smallest value that at least `percent` of the values do not exceed."""
    return ordered[ceil(len(ordered) * percent / 100) - 1]
