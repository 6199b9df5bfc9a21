"""Response times counted in log-linear buckets of three significant digits, so that histograms merge by adding counts.

The buckets are HdrHistogram's (lowest value one microsecond, 2048 sub-buckets): a bucket is never wider than a
thousandth of its values. Knows nothing of what was measured.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Self

from pydantic import BaseModel, ConfigDict

HALF = 1024
"""Half of the sub-buckets: values of at least 2048 µs share a bucket with their neighbours."""

type Bucket = tuple[int, int]
"""The lowest value of a bucket in microseconds, and how many values it holds."""


class Histogram(BaseModel):
    """Counts by bucket, ascending; buckets without a value are left out."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    buckets: tuple[Bucket, ...] = ()

    @classmethod
    def of(cls, milliseconds: Iterable[float]) -> Self:
        """The histogram of some response times."""
        return cls._counted(Counter(lowest(round(value * 1000)) for value in milliseconds))

    @classmethod
    def merged(cls, parts: Iterable[Self]) -> Self:
        """All of them as one: the same as if every value had been counted in one place."""
        total: Counter[int] = Counter()
        for part in parts:
            total.update(dict(part.buckets))
        return cls._counted(total)

    @classmethod
    def _counted(cls, counts: Counter[int]) -> Self:
        return cls(buckets=tuple(sorted(counts.items())))

    @property
    def count(self) -> int:
        """How many values it holds."""
        return sum(count for _, count in self.buckets)

    def percentile(self, rank: int) -> float:
        """The nearest rank in milliseconds: the highest value of its bucket, hence never below the true one."""
        position = max(-(-rank * self.count // 100), 1)
        for low, count in self.buckets:
            position -= count
            if position <= 0:
                return (low + width(low) - 1) / 1000
        raise ValueError("an empty histogram has no percentile")


def lowest(value: int) -> int:
    """The lowest value of the bucket that a value in microseconds falls into."""
    value = max(value, 0)
    return value - value % width(value)


def width(value: int) -> int:
    """How many microseconds the bucket of a value spans."""
    return int(1 << max(value.bit_length() - (2 * HALF).bit_length() + 1, 0))


def bars(histogram: Histogram, columns: int) -> Sequence[tuple[float, float, int]]:
    """At most `columns` equal ranges in milliseconds, logarithmic where values span more than a decade, with counts."""
    if not histogram.buckets:
        return []
    first, last = max(histogram.buckets[0][0], 1), max(histogram.buckets[-1][0], 1)
    edges = _edges(first, last + width(last), columns)
    counts = [0] * (len(edges) - 1)
    at = 0
    for low, count in histogram.buckets:
        while at < len(counts) - 1 and low >= edges[at + 1]:
            at += 1
        counts[at] += count
    return [(edges[i] / 1000, edges[i + 1] / 1000, count) for i, count in enumerate(counts)]


def _edges(first: int, end: int, columns: int) -> list[float]:
    if end / first > 10:
        step = (end / first) ** (1 / columns)
        return [first * step**index for index in range(columns)] + [float(end)]
    wide = (end - first) / columns
    return [first + wide * index for index in range(columns)] + [float(end)]
