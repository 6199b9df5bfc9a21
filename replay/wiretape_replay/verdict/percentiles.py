"""Nearest-rank percentiles: an observed value, never below the true one. Knows nothing of what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum

from wiretape_replay.verdict.model import LatencySummary

RANKS = (50, 75, 90, 95, 99)


def percentile(ordered: Sequence[float], rank: int) -> float:
    """The smallest value of an ascending, non-empty sequence that at least `rank` percent do not exceed."""
    return ordered[rank_of(rank, len(ordered)) - 1]


def rank_of(rank: int, count: int) -> int:
    """Which of `count` ascending values a percentile is, from 1."""
    return max(-(-rank * count // 100), 1)  # ceiling in integers: 0.95 * 20 is 19.000000000000004 in floats


def samples_needed(rank: int) -> int:
    """How many samples it takes before this percentile is anything but the maximum."""
    return -(-100 // (100 - rank))


def summary(samples: Sequence[float]) -> LatencySummary | None:
    """The latency summary of some samples in milliseconds; None where there are none."""
    if not samples:
        return None
    ordered = sorted(samples)
    return LatencySummary(
        count=len(ordered), min=ordered[0], avg=fsum(ordered) / len(ordered), max=ordered[-1],
        p50=percentile(ordered, 50), p75=percentile(ordered, 75), p90=percentile(ordered, 90),
        p95=percentile(ordered, 95), p99=percentile(ordered, 99),
    )  # fmt: skip
