"""Counting in several places and adding up is the same as counting in one."""

from __future__ import annotations

from random import Random

import pytest

from wiretape_replay.load.tally import EQUAL, ERROR, KINDS, Series, Tally
from wiretape_replay.verdict.histogram import Histogram
from wiretape_replay.verdict.percentiles import summary


def times(count: int, seed: int) -> list[int]:
    chance = Random(seed)
    return [int(chance.lognormvariate(8, 2)) for _ in range(count)]


def counted(values: list[int]) -> Series:
    series = Series()
    for value in values:
        series.add(value)
    return series


def test_four_workers_are_one_log() -> None:
    values = times(20_000, 1)
    whole = counted(values)
    joined = Series.all({worker: counted(values[worker::4]) for worker in range(4)})
    assert joined == whole
    assert joined.summary == whole.summary
    assert joined.histogram == Histogram.of([value / 1000 for value in values])


def test_percentiles_are_those_of_the_log_at_the_resolution_of_a_bucket() -> None:
    values = times(5_000, 2)
    found, true = counted(values).summary, summary([value / 1000 for value in values])
    assert found is not None
    assert true is not None
    assert (found.count, found.min, found.max) == (true.count, true.min, true.max)
    assert found.avg == pytest.approx(true.avg)
    for name in ("p50", "p75", "p90", "p95", "p99"):
        assert getattr(true, name) <= getattr(found, name) <= getattr(true, name) * 1.001


def test_memory_is_bounded_by_buckets() -> None:
    series = counted([10**power + step for power in range(12) for step in range(5_000)])
    assert len(series.buckets) < 25_000
    assert series.histogram.count == 60_000


def test_a_clock_that_went_backwards_counts_as_zero() -> None:
    assert counted([-5, 3]).summary == summary([0.0, 0.003])


def test_tallies_survive_being_told_and_add_up() -> None:
    whole, parts = Tally(), [Tally() for _ in range(4)]
    chance = Random(3)
    for number in range(4_000):
        for tally in (whole, parts[number % 4]):
            tally.sent += 1
            tally.started += number % 3
            tally.latency.setdefault(number % 5, Series()).add(number)
            tally.service.setdefault(number % 5, Series()).add(number // 2)
            tally.lag.add(number % 7)
            tally.starts[number % 60] = tally.starts.get(number % 60, 0) + 1
            tally.outcomes.setdefault(number % 11, [0] * KINDS)[EQUAL if number % 10 else ERROR] += 1
        if chance.random() < 0.01:
            parts[number % 4].errors["reset"] = parts[number % 4].errors.get("reset", 0) + 1
            whole.errors["reset"] = whole.errors.get("reset", 0) + 1
    joined = Tally()
    for part in parts:
        joined.join(Tally.decoded(part.encoded()))
    assert joined == whole


def test_an_empty_tally_says_so() -> None:
    assert not Tally()
    assert not Tally.decoded(Tally().encoded())
    assert Tally(sent=1)
