"""When sessions begin: exact at scale 1, the same shape at any other, and bounded whatever is asked."""

from __future__ import annotations

from collections import Counter
from itertools import islice, pairwise

import pytest

from wiretape_replay.load.arrivals import (
    Arrival,
    Rhythm,
    bin_width,
    constant,
    fidelity,
    planned_profile,
    poisson,
    recorded,
)
from wiretape_replay.load.spec import Stage
from wiretape_replay.load.stages import Level

SECOND = 10**9
BURSTS = [0, *(10 * SECOND + n * 20_000_000 for n in range(20)), 30 * SECOND, 31 * SECOND, 58 * SECOND]
"""A lone session, a burst of twenty, pauses."""


def rhythm(starts: list[int], speed: float = 1.0) -> Rhythm:
    return Rhythm.of(starts, [start + SECOND for start in starts], speed)


def level(scale: float, *stages: tuple[float, float]) -> Level:
    return Level.of(scale, [Stage(seconds=seconds, scale=to) for seconds, to in stages])


def test_at_scale_one_sessions_begin_as_they_were_recorded() -> None:
    found = list(recorded(rhythm(BURSTS), level(1), None))
    assert found == [Arrival(number, number, start / SECOND) for number, start in enumerate(BURSTS)]


@pytest.mark.parametrize("speed", [1.0, 2.0])
def test_a_session_that_took_long_does_not_begin_again_before_it_was_over(speed: float) -> None:
    starts = [0, SECOND // 100, SECOND // 50]
    short = Rhythm.of(starts, [start + 3 * SECOND for start in starts], speed)
    assert short.period == pytest.approx(3 / speed)
    assert [each.script for each in recorded(short, level(1), 7 / speed)] == [0, 1, 2] * 3


def test_speed_divides_the_times_between_sessions() -> None:
    found = [each.at for each in recorded(rhythm(BURSTS, speed=4), level(1), None)]
    assert found == [start / SECOND / 4 for start in BURSTS]


@pytest.mark.parametrize("scale", [2, 7, 10, 250])
def test_a_scale_makes_so_many_clones_of_each_session_in_its_own_place(scale: int) -> None:
    found = list(recorded(rhythm(BURSTS), level(scale), None))
    assert Counter(each.script for each in found) == dict.fromkeys(range(len(BURSTS)), scale)
    assert [each.number for each in found] == list(range(scale * len(BURSTS)))
    assert [each.at for each in found] == sorted(each.at for each in found)
    firsts = {each.script: each.at for each in reversed(found)}
    assert [firsts[script] for script in range(len(BURSTS))] == pytest.approx([start / SECOND for start in BURSTS])


@pytest.mark.parametrize("scale", [1, 3, 10, 100])
def test_a_scaled_load_keeps_the_shape_of_bursts(scale: int) -> None:
    kept = rhythm(BURSTS)
    width = bin_width(kept.period, None)
    seen = Counter(int(each.at / width) for each in recorded(kept, level(scale), None))
    found = fidelity(planned_profile(kept, level(scale), None, width), seen)
    assert found is not None
    assert found > 0.95
    evenly = Counter(
        int(each.at / width) for each in constant(len(BURSTS) / kept.period, len(BURSTS), level(scale), 60)
    )
    spoilt = fidelity(planned_profile(kept, level(scale), None, width), evenly)
    assert spoilt is not None
    assert spoilt < 0.4


def test_a_load_that_was_stopped_is_compared_with_what_was_due_until_then() -> None:
    steady = Rhythm(starts=(0.0, 0.5, 1.0, 1.5), period=2.0)
    until_then = planned_profile(steady, level(2.0), 60.0, 0.5, 1.2)
    assert until_then == {0: 2.0, 1: 2.0, 2: 2.0}
    assert fidelity(until_then, {0: 2, 1: 2, 2: 2}) == 1.0


def test_fidelity_is_the_share_that_began_in_its_place() -> None:
    assert fidelity({0: 3.0, 1: 1.0}, {0: 30, 1: 10}) == 1.0
    assert fidelity({0: 1.0, 1: 1.0}, {0: 10, 2: 10}) == 0.5
    assert fidelity({0: 1.0}, {1: 5}) == 0.0
    assert fidelity({0: 1.0}, {}) is None


def test_with_a_duration_the_recording_is_repeated_and_no_clone_is_numbered_twice() -> None:
    found = list(recorded(rhythm([0, SECOND, 2 * SECOND]), level(2), 9.0))
    assert len(found) == 18  # three seconds for three sessions, six clones in them, three times
    assert len({each.number for each in found}) == 18
    assert all(each.at < 9 for each in found)


def test_a_single_session_is_repeated_every_second() -> None:
    assert [each.at for each in recorded(rhythm([0]), level(1), 3.5)] == [0, 1, 2, 3]


def test_constant_arrivals_are_evenly_spaced() -> None:
    found = list(constant(4, 3, level(1), 2.0))
    assert [each.at for each in found] == pytest.approx([n / 4 for n in range(8)])
    assert [each.script for each in found] == [0, 1, 2, 0, 1, 2, 0, 1]


def test_poisson_arrivals_come_at_the_rate_and_by_seed() -> None:
    found = list(poisson(50, 3, level(1), 200.0, "a"))
    assert len(found) == pytest.approx(10_000, rel=0.05)
    gaps = [after.at - before.at for before, after in pairwise(found)]
    mean = sum(gaps) / len(gaps)
    spread = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert spread / mean == pytest.approx(1, abs=0.06)  # as far as exponential gaps are
    assert found == list(poisson(50, 3, level(1), 200.0, "a"))
    assert found != list(poisson(50, 3, level(1), 200.0, "b"))


def test_stages_ramp_on_straight_lines() -> None:
    steps = level(1, (10, 10), (5, 10), (10, 0))
    assert [steps.at(moment) for moment in (0, 5, 10, 14.9, 20, 25, 99)] == pytest.approx([0, 5, 10, 10, 5, 0, 0])
    found = [each.at for each in constant(10, 1, steps, 25.0)]
    parts = [sum(low <= at < high for at in found) for low, high in ((0, 10), (10, 15), (15, 25))]
    assert parts == pytest.approx([500, 500, 500], rel=0.02)


def test_a_stage_of_no_length_is_a_step() -> None:
    assert [level(1, (0, 8), (5, 8)).at(moment) for moment in (0, 2, 5)] == [8, 8, 8]


def test_workers_share_the_arrivals_of_one_load() -> None:
    whole = list(recorded(rhythm(BURSTS), level(10), None))
    shares = [list(islice(recorded(rhythm(BURSTS), level(10), None), shard, None, 4)) for shard in range(4)]
    assert sorted((each for share in shares for each in share), key=lambda each: each.number) == whole


@pytest.mark.parametrize("starts", [[], [0], [0, 0, 0], [0, 0, SECOND]])
@pytest.mark.parametrize("scale", [0.001, 0.5, 1, 1000])
def test_odd_recordings_give_as_many_clones_as_asked(starts: list[int], scale: float) -> None:
    found = list(recorded(rhythm(starts), level(scale), None))
    assert abs(len(found) - len(starts) * scale) <= 1
