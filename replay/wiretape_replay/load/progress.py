"""What has been counted so far, as a whole and over time: at most `MOST` points, wider ones as a load goes on."""

from __future__ import annotations

from dataclasses import dataclass, field

from wiretape_replay.load.tally import Series, Tally
from wiretape_replay.verdict.model import LoadPoint

MOST = 120
RECENT = 3.0
"""Seconds that the live figures are about."""


@dataclass(slots=True)
class Point:
    """A stretch of a load."""

    answered: int = 0
    failed: int = 0
    """Requests without an answer."""
    different: int = 0
    """Answers with another status than recorded."""
    latency: Series = field(default_factory=Series)

    def join(self, other: Point) -> None:
        """Add another one."""
        self.answered += other.answered
        self.failed += other.failed
        self.different += other.different
        self.latency.join(other.latency)


@dataclass(slots=True)
class Course:
    """The counts of all workers; time is passed in."""

    total: Tally = field(default_factory=Tally)
    width: float = 1.0
    """Seconds that a point stands for."""
    points: dict[int, Point] = field(default_factory=dict)
    recent: list[tuple[float, Point]] = field(default_factory=list)

    def add(self, tally: Tally, at: float) -> None:
        """What a worker has counted until `at`, in seconds after the beginning."""
        self.total.join(tally)
        if not (tally.answered or tally.failed):
            return
        point = Point(tally.answered, tally.failed, tally.different, Series.all(tally.latency))
        self.points.setdefault(int(max(at, 0) / self.width), Point()).join(point)
        while max(self.points) >= MOST:
            self._widen()
        self.recent = [(when, each) for when, each in self.recent if when > at - RECENT] + [(at, point)]

    def timeline(self) -> tuple[LoadPoint, ...]:
        """The points in order, those included in which nothing was answered."""
        numbers = range(max(self.points, default=-1) + 1)
        return tuple(self._told(number, self.points.get(number, Point())) for number in numbers)

    def live(self, at: float) -> str:
        """One line about the last seconds."""
        lately = Point()
        for when, point in self.recent:
            if when > at - RECENT:
                lately.join(point)
        rate = lately.answered / max(min(RECENT, at), 1.0)
        found = lately.latency.summary
        times = f", p50 {found.p50:.1f}, p95 {found.p95:.1f}, p99 {found.p99:.1f} ms" if found else ""
        different = f", {self.total.different:,} of another status" if self.total.different else ""
        return f"{rate:,.0f} req/s{times}{different}, {self.total.failed:,} errors"

    def _widen(self) -> None:
        narrow, self.points, self.width = self.points, {}, self.width * 2
        for number, point in narrow.items():
            self.points.setdefault(number // 2, Point()).join(point)

    def _told(self, number: int, point: Point) -> LoadPoint:
        found = point.latency.summary
        return LoadPoint(
            at_s=number * self.width, per_second=point.answered / self.width,
            errors=point.failed, other_status=point.different,
            p99_ms=found.p99 if found else None,
            p50_ms=found.p50 if found else None, p95_ms=found.p95 if found else None,
        )  # fmt: skip
