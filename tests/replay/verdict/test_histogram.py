"""Histograms against the exact values they stand for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape_replay.verdict.histogram import Histogram, bars, lowest, width
from wiretape_replay.verdict.percentiles import percentile

durations = st.lists(st.floats(min_value=0, max_value=1e7), max_size=200)


@given(st.lists(durations, max_size=5))
def test_merging_is_the_same_as_counting_in_one_place(parts: list[list[float]]) -> None:
    merged = Histogram.merged(Histogram.of(part) for part in parts)
    assert merged == Histogram.of(value for part in parts for value in part)
    assert merged.count == sum(map(len, parts))


@given(durations, durations, durations)
def test_merging_has_no_order(one: list[float], two: list[float], three: list[float]) -> None:
    a, b, c = Histogram.of(one), Histogram.of(two), Histogram.of(three)
    assert Histogram.merged([Histogram.merged([a, b]), c]) == Histogram.merged([c, Histogram.merged([b, a])])


@given(durations.filter(bool), st.sampled_from([1, 50, 75, 95, 99, 100]))
def test_a_percentile_is_right_to_three_digits_and_never_too_low(values: list[float], rank: int) -> None:
    true = percentile(sorted(round(value * 1000) for value in values), rank) / 1000
    told = Histogram.of(values).percentile(rank)
    assert true <= told <= true * 1.001


@given(st.integers(0, 10**12))
def test_each_value_is_in_its_own_bucket(value: int) -> None:
    low = lowest(value)
    assert low <= value < low + width(low)
    assert width(low) == width(value)
    assert width(low) <= max(low / 1000, 1)


@given(durations, st.integers(1, 20))
def test_bars_count_every_value_once(values: list[float], columns: int) -> None:
    drawn = bars(Histogram.of(values), columns)
    assert sum(count for _, _, count in drawn) == len(values)
    assert all(low < high for low, high, _ in drawn)


def test_a_histogram_reads_back_from_its_text() -> None:
    told = Histogram.of([0.0, 1.5, 1.5, 250.4])
    assert Histogram.model_validate_json(told.model_dump_json()) == told
    assert told.buckets == ((0, 1), (1500, 2), (250368, 1))
    with pytest.raises(ValueError, match="no percentile"):
        Histogram().percentile(50)
