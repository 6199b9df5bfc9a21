"""What a load counts: outcomes by exchange, response times by route, lag, starts. Adding up tallies loses nothing.

Times are counted in the buckets of `verdict.histogram`, so memory is bounded by routes and not by requests.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import orjson

from wiretape_replay.verdict.histogram import HALF, Histogram, lowest
from wiretape_replay.verdict.model import LatencySummary
from wiretape_replay.verdict.percentiles import RANKS

EQUAL, UNEQUAL, DIFFERENT, ERROR, BLOCKED, ALIKE = range(6)
"""How an answer compares at first sight: by its status and its bytes.

`ALIKE` is the recorded body with live values where recorded ones were, and nothing else.
"""
KINDS = 6
FINEST = 2 * HALF
"""Below so many microseconds every value has a bucket of its own."""


@dataclass(slots=True)
class Series:
    """Times in microseconds: how many in each bucket, and their exact sum and ends."""

    buckets: dict[int, int] = field(default_factory=dict)
    total: int = 0
    least: int = -1
    most: int = 0

    def add(self, us: int) -> None:
        """Count one; a clock that went backwards counts as 0."""
        if us < 0:
            us = 0
        bucket = us if us < FINEST else lowest(us)
        self.buckets[bucket] = self.buckets.get(bucket, 0) + 1
        self.total += us
        if us > self.most:
            self.most = us
        if us < self.least or self.least < 0:
            self.least = us

    def add_all(self, times_ns: Sequence[int]) -> None:
        """Count many at once, in nanoseconds: a fraction of what one by one costs."""
        if not times_ns:
            return
        microseconds = [ns // 1000 for ns in times_ns]
        if min(microseconds) < 0:
            microseconds = [max(us, 0) for us in microseconds]
        for us, count in Counter(microseconds).items():
            bucket = us if us < FINEST else lowest(us)
            self.buckets[bucket] = self.buckets.get(bucket, 0) + count
        self.total += sum(microseconds)
        self.most = max(self.most, max(microseconds))
        least = min(microseconds)
        self.least = least if self.least < 0 else min(self.least, least)

    def join(self, other: Series) -> None:
        """Count all of another one."""
        for bucket, count in other.buckets.items():
            self.buckets[bucket] = self.buckets.get(bucket, 0) + count
        self.total += other.total
        self.most = max(self.most, other.most)
        if other.least >= 0:
            self.least = other.least if self.least < 0 else min(self.least, other.least)

    @property
    def histogram(self) -> Histogram:
        """The counts as the model that runs keep."""
        return Histogram(buckets=tuple(sorted(self.buckets.items())))

    @property
    def summary(self) -> LatencySummary | None:
        """In milliseconds; percentiles at the resolution of the buckets, never below the true ones."""
        if not self.buckets:
            return None
        histogram = self.histogram
        count = histogram.count
        ranks = {f"p{rank}": min(histogram.percentile(rank), self.most / 1000) for rank in RANKS}
        return LatencySummary(count=count, min=self.least / 1000, avg=self.total / count / 1000, max=self.most / 1000,
                              **ranks)  # fmt: skip

    @classmethod
    def all(cls, parts: Mapping[Any, Series]) -> Self:
        """Several as one."""
        whole = cls()
        for part in parts.values():
            whole.join(part)
        return whole


COUNTERS = ("started", "ended", "cut", "dropped", "sent", "late", "opened", "resent", "answered", "failed", "sampled",
            "unanswered", "unconnected")  # fmt: skip


@dataclass(slots=True)
class Tally:
    """The counts of one worker since it told the last ones, or of all workers together."""

    started: int = 0
    """Sessions that began."""
    ended: int = 0
    """Sessions that were played to their end."""
    cut: int = 0
    """Sessions that the end of the load ended."""
    dropped: int = 0
    """Sessions that did not begin because too many were under way."""
    sent: int = 0
    """Requests written to the target; one that was sent again counts once."""
    late: int = 0
    """Requests sent more than `LATE_NS` after they should have been."""
    opened: int = 0
    """Connections."""
    resent: int = 0
    """Requests sent again because an idle connection turned out to be closed."""
    answered: int = 0
    failed: int = 0
    """Requests that got no answer."""
    sampled: int = 0
    """Sessions of which every answer is kept for comparison."""
    unanswered: int = 0
    """Sessions of `ended` in which no request got an answer."""
    unconnected: int = 0
    """Requests that never had a connection; they are not among `sent`."""
    latency: dict[int, Series] = field(default_factory=dict)
    """From the intended moment to the last byte of the answer, by route."""
    service: dict[int, Series] = field(default_factory=dict)
    """From the first byte sent to the last byte received, by route."""
    lag: Series = field(default_factory=Series)
    """From the intended moment to the moment when the worker saw to the request."""
    starts: dict[int, int] = field(default_factory=dict)
    """Sessions begun, by bin of the profile."""
    outcomes: dict[int, list[int]] = field(default_factory=dict)
    """By exchange, counts in the order of `EQUAL` to `ALIKE`."""
    errors: dict[str, int] = field(default_factory=dict)
    """Why requests got no answer."""

    @property
    def different(self) -> int:
        """Answers with another status than recorded."""
        return sum(counts[DIFFERENT] for counts in self.outcomes.values())

    def __bool__(self) -> bool:
        """Whether anything was counted."""
        return bool(self.outcomes or any(getattr(self, name) for name in COUNTERS))

    def join(self, other: Tally) -> None:
        """Add another one."""
        for name in COUNTERS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for mine, theirs in ((self.latency, other.latency), (self.service, other.service)):
            for route, series in theirs.items():
                mine.setdefault(route, Series()).join(series)
        self.lag.join(other.lag)
        for bin_number, count in other.starts.items():
            self.starts[bin_number] = self.starts.get(bin_number, 0) + count
        for reason, count in other.errors.items():
            self.errors[reason] = self.errors.get(reason, 0) + count
        for sequence, counts in other.outcomes.items():
            mine_here = self.outcomes.setdefault(sequence, [0] * KINDS)
            for kind, count in enumerate(counts):
                mine_here[kind] += count

    def encoded(self) -> str:
        """As text, to be told."""
        return orjson.dumps({
            "counters": [getattr(self, name) for name in COUNTERS],
            "latency": {route: _flat(series) for route, series in self.latency.items()},
            "service": {route: _flat(series) for route, series in self.service.items()},
            "lag": _flat(self.lag), "starts": self.starts, "outcomes": self.outcomes, "errors": self.errors,
        }, option=orjson.OPT_NON_STR_KEYS).decode()  # fmt: skip

    @classmethod
    def decoded(cls, text: str) -> Self:
        """From its text."""
        tree = orjson.loads(text)
        return cls(
            **dict(zip(COUNTERS, tree["counters"], strict=True)),
            latency={int(route): _series(flat) for route, flat in tree["latency"].items()},
            service={int(route): _series(flat) for route, flat in tree["service"].items()},
            lag=_series(tree["lag"]), starts={int(key): count for key, count in tree["starts"].items()},
            outcomes={int(key): counts for key, counts in tree["outcomes"].items()}, errors=tree["errors"],
        )  # fmt: skip


def _flat(series: Series) -> list[object]:
    return [series.buckets, series.total, series.least, series.most]


def _series(flat: list[Any]) -> Series:
    buckets, total, least, most = flat
    return Series({int(bucket): count for bucket, count in buckets.items()}, total, least, most)
