"""Nearest rank, against its definition and against tables a person can check."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape_replay.verdict.percentiles import RANKS, percentile, samples_needed, summary

TINY = [
    ([7.0], 50, 7.0),
    ([7.0], 99, 7.0),
    ([1.0, 100.0], 50, 1.0),
    ([1.0, 100.0], 75, 100.0),
    ([1.0, 100.0], 99, 100.0),
    ([10.0, 12.0, 260.0], 50, 12.0),
    ([10.0, 12.0, 260.0], 90, 260.0),
    ([1.0, 2.0, 3.0, 4.0], 75, 3.0),
    ([float(n) for n in range(1, 20)], 95, 19.0),
    ([float(n) for n in range(1, 21)], 95, 19.0),
    ([float(n) for n in range(1, 101)], 99, 99.0),
    ([float(n) for n in range(1, 101)], 50, 50.0),
]


@pytest.mark.parametrize(("samples", "rank", "expected"), TINY)
def test_tiny_samples_give_the_nearest_rank(samples: list[float], rank: int, expected: float) -> None:
    assert percentile(samples, rank) == expected


durations = st.lists(st.floats(min_value=0, max_value=1e6), min_size=1, max_size=300)


@given(durations, st.sampled_from(RANKS))
def test_a_percentile_is_observed_and_never_below_the_true_one(samples: list[float], rank: int) -> None:
    ordered = sorted(samples)
    value = percentile(ordered, rank)
    assert value in ordered
    assert 100 * sum(sample <= value for sample in ordered) >= rank * len(ordered)
    assert 100 * sum(sample < value for sample in ordered) < rank * len(ordered)


@given(durations)
def test_a_summary_is_ordered_and_bounded(samples: list[float]) -> None:
    told = summary(samples)
    assert told is not None
    assert told.min <= told.p50 <= told.p75 <= told.p90 <= told.p95 <= told.p99 <= told.max
    assert told.count == len(samples)


@pytest.mark.parametrize("rank", RANKS)
def test_the_samples_needed_are_the_first_count_below_the_maximum(rank: int) -> None:
    needed = samples_needed(rank)
    assert percentile(list(map(float, range(needed))), rank) < needed - 1
    assert percentile(list(map(float, range(needed - 1))), rank) == needed - 2


def test_no_samples_have_no_summary() -> None:
    assert summary([]) is None
