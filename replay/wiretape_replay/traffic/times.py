"""Recorded durations in few words."""

from __future__ import annotations

from collections.abc import Iterable

from wiretape_replay.traffic.view import Times
from wiretape_replay.verdict.percentiles import percentile


def times_of(microseconds: Iterable[int]) -> Times | None:
    """In milliseconds; None where there are none."""
    ordered = sorted(microseconds)
    if not ordered:
        return None
    p50, p95, most = (round(each / 1000, 2) for each in (percentile(ordered, 50), percentile(ordered, 95), ordered[-1]))
    return Times(n=len(ordered), p50=p50, p95=p95, max=most)
