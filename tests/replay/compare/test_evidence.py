"""The statistics of noise against exact enumeration."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from random import Random

import pytest

from wiretape_replay.compare.evidence import (
    Tally,
    at_most_percent,
    benjamini_hochberg,
    fisher_greater,
    median,
    rises,
)


def enumerated(a: int, n: int, b: int, m: int) -> Fraction:
    """Every way in which the differences can fall on the answers, the first n of which are the candidate's."""
    ways = list(combinations(range(n + m), a + b))
    return Fraction(sum(sum(place < n for place in way) >= a for way in ways), len(ways))


@pytest.mark.parametrize(("n", "m"), [(1, 1), (1, 9), (3, 9), (5, 5), (6, 4), (4, 0)])
def test_fisher_is_the_share_of_all_ways(n: int, m: int) -> None:
    for a in range(n + 1):
        for b in range(m + 1):
            assert fisher_greater(a, n, b, m) == pytest.approx(float(enumerated(a, n, b, m)), rel=1e-9)


def test_fisher_stays_exact_where_numbers_are_large() -> None:
    assert fisher_greater(5000, 5000, 0, 15000) == pytest.approx(0.0, abs=1e-300)
    assert fisher_greater(0, 5000, 40, 15000) == pytest.approx(1.0)
    assert fisher_greater(2500, 5000, 7500, 15000) == pytest.approx(0.5, abs=0.02)


def test_fisher_falls_with_each_further_difference() -> None:
    chances = [fisher_greater(a, 30, 9, 90) for a in range(31)]
    assert chances == sorted(chances, reverse=True)
    assert chances[0] == 1.0


def test_benjamini_and_hochberg_on_their_own_example() -> None:
    # Benjamini and Hochberg (1995), the fifteen p-values of §3.2: four hypotheses are rejected at q = 0.05.
    chances = [
        0.0001,
        0.0004,
        0.0019,
        0.0095,
        0.0201,
        0.0278,
        0.0298,
        0.0344,
        0.0459,
        0.3240,
        0.4262,
        0.5719,
        0.6528,
        0.7590,
        1.0,
    ]
    assert benjamini_hochberg(chances, 0.05) == [True] * 4 + [False] * 11
    shuffled = Random(1).sample(range(15), 15)
    assert benjamini_hochberg([chances[i] for i in shuffled], 0.05) == [i < 4 for i in shuffled]
    assert benjamini_hochberg([]) == []


def test_false_discoveries_stay_within_their_share() -> None:
    random = Random(7)
    false = found = 0
    for _ in range(400):
        null = [random.random() for _ in range(20)]
        real = [random.random() * 1e-5 for _ in range(5)]
        rejected = benjamini_hochberg(null + real, 0.01)
        false += sum(rejected[:20])
        found += sum(rejected)
    assert false / found <= 0.015
    assert found - false == 2000


def tally(*passes: tuple[int, int]) -> Tally:
    found = Tally()
    for differed, of in passes:
        found.add(differed, of)
    return found


def test_a_place_is_constant_from_three_answers_on() -> None:
    assert not tally((0, 1), (0, 1)).constant
    assert tally((0, 1), (0, 1), (0, 1)).constant
    assert not tally((0, 50), (1, 50)).constant


def test_what_is_drawn_once_in_a_process_is_no_rise() -> None:
    assert fisher_greater(50, 50, 50, 150) < 1e-15
    assert rises(50, 50, tally((0, 50), (50, 50), (0, 50))) == 1.0
    assert rises(50, 50, tally((5, 50), (9, 50), (4, 50))) < 1e-15


def test_unchanged_code_is_hardly_ever_a_rise() -> None:
    for rate in (0.1, 0.5, 0.9):
        random = Random(f"noise {rate}")

        def drawn(random: Random = random, rate: float = rate) -> int:
            return sum(random.random() < rate for _ in range(30))

        known = [tally((drawn(), 30), (drawn(), 30), (drawn(), 30)) for _ in range(1500)]
        alarms = sum(rises(drawn(), 30, each) <= 0.01 for each in known if not each.constant)
        assert alarms <= 1500 * 0.0125


def test_the_rule_of_three_bounds_the_true_rate() -> None:
    assert at_most_percent(0) == 100
    for of in (10, 30, 100, 300):
        bound = at_most_percent(of) / 100
        assert 0.025 < (1 - bound) ** of <= 0.05  # the chance to see none at the bound


def test_the_median_is_a_value_that_was_seen() -> None:
    assert [median([3]), median([4, 1]), median([5, 1, 3])] == [3, 1, 3]
