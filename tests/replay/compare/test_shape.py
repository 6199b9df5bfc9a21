"""What a noisy value must keep."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from wiretape_replay.compare.shape import Bounds, Shape


def shape_of(*values: Any, recorded: Any = None) -> Shape:
    shape = Shape()
    for value in values:
        shape.add(value, recorded)
    return shape


HOSTS = ["web-1", "web-12", "web-3"] * 4
SCORES = [0.871, 0.866, 0.874, 0.869] * 4
COUNTS = [*range(100, 140)]
UUIDS = ["0b5f0e5c-8a35-4f6e-9a43-7d1f4f1e2a01", "c7c9a2de-9a2c-4c1a-8a0e-0e0f5a1b2c3d"] * 6


@pytest.mark.parametrize(
    ("seen", "value", "fault"),
    [
        (HOSTS, "web-7", ""),
        (HOSTS, "", "is 0 characters long, where it was 5 to 6"),
        (HOSTS, "w" * 90, "is 90 characters long, where it was 5 to 6"),
        (HOSTS, None, "is null, where it was string"),
        (HOSTS, 7, "is number, where it was string"),
        (HOSTS, UUIDS[0], "has the format uuid, where it had text"),
        (UUIDS, "abc", "has the format text, where it had uuid"),
        (["1042", "977", "88213"] * 4, "12x", "is no longer made of digits"),
        (SCORES, 0.8702, ""),
        (SCORES, 87.02, "is 87.02, where it lay between 0.866 and 0.874"),
        (SCORES, -0.87, "has another sign, where it lay between 0.866 and 0.874"),
        (SCORES, 1, "is 1, where it lay between 0.866 and 0.874"),
        (COUNTS, 152, ""),
        (COUNTS, 140.5, "has a fraction, where it was whole"),
        (COUNTS, 10**9, "is 1e+09, where it lay between 100 and 139"),
        (["2026-11-23T10:00:00Z"] * 3, "2026-11-23T10:00:00+00:00",
         "has the format datetime T offset, where it had datetime T Z"),
        ([[1, 2, 3, 4]] * 3, [1, 2, 3], "is 3 elements long, where it was 4"),
        ([[1], [1, 2, 3]] * 3, [1, 2, 3, 4], ""),
        ([[1], [1, 2, 3]] * 3, [], "is 0 elements long, where it was 1 to 3"),
        ([True, False], True, ""),
    ],
)  # fmt: skip
def test_a_value_keeps_its_shape_or_says_how_not(seen: list[Any], value: Any, fault: str) -> None:
    assert shape_of(*seen).fault(value) == fault


def test_a_number_may_not_stray_further_from_its_recorded_one_than_unchanged_code() -> None:
    shape = Shape()
    for value in (2, 9, 40, 200, 900) * 3:
        shape.add(value * 1.01, value)
    assert shape.fault(2.02, 2) == ""
    assert shape.fault(2020.0, 2) == "is 2020 for 2, where it lay between 2.02 and 909"


@pytest.mark.parametrize("family", ["gauss", "log-normal", "uniform", "counts"])
def test_unchanged_values_keep_their_shape(family: str) -> None:
    random = Random(family)
    families: dict[str, Callable[[], float]] = {
        "gauss": lambda: random.gauss(0, 1),
        "log-normal": lambda: random.lognormvariate(3, 1),
        "uniform": random.random,
        "counts": lambda: random.randrange(50, 5000),
    }
    draw = families[family]
    alarms = 0
    for _ in range(300):
        shape, recorded = shape_of(), draw()
        for _ in range(random.choice([4, 12, 40])):
            shape.add(draw(), recorded)
        alarms += bool(shape.fault(draw(), recorded))
    assert alarms <= 3


def test_what_was_written_down_checks_like_what_was_seen() -> None:
    for seen, bad in ((HOSTS, "w" * 90), (SCORES, 87.0), (UUIDS, "abc"), (COUNTS, 1.5)):
        written = Shape.within(Bounds.model_validate_json(shape_of(*seen).bounds.model_dump_json()))
        assert (written.fault(seen[0]), bool(written.fault(bad))) == ("", True)


URLS = [f"https://labels.test/{name}.pdf" for name in ("AJCJ1yrQJJKf", "f3GtXw2LpQ9z", "Zk7Rm4VbN1cD")]


@pytest.mark.parametrize(("value", "fault"), [
    ("https://labels.test/Qw3Er5Ty7Ui9.pdf", ""),
    ("n/a", "has the format text, where it had url"),
    ("https://", "has the format text, where it had url"),
    ("mailto:x@example.org", "has the format text, where it had url"),
])  # fmt: skip
def test_an_address_stays_one(value: str, fault: str) -> None:
    assert shape_of(*URLS).fault(value) == Shape.within(shape_of(*URLS).bounds, 3).fault(value) == fault
    assert shape_of("ann@example.org", "bob@mail.example.org").fault("eve@example.org") == ""
    assert "format" in shape_of("ann@example.org", "bob@mail.example.org").fault("ann at example")


def test_a_text_seen_a_few_times_may_not_shrink_to_nothing() -> None:
    names = shape_of("Ada Lovelace of London", "Grace Hopper of New York")
    assert names.fault("Alan Turing") == ""
    assert names.fault("n/a") == "is 3 characters long, where it was 22 to 24"
    assert Shape.within(names.bounds, 40).fault("Grace Hopper, Newark") == ""


def test_a_number_that_each_start_draws_once_was_drawn_as_often_as_there_were_starts() -> None:
    ports = shape_of(*[40_112] * 20, *[40_530] * 20, *[41_007] * 20)
    assert (ports.draws, ports.fault(52_900)) == (3, "")
    assert ports.fault(52_900_000) == "is 5.29e+07, where it lay between 40112 and 41007"
    assert shape_of(*[40_112, 40_530, 41_007] * 20).fault(80_900) != ""


def counter_of(*starts: int, taped: int) -> Shape:
    """Twelve answers of each start beside the recorded ones; the recording counts once."""
    shape = Shape()
    for number, start in enumerate(starts):
        for n in range(12):
            shape.add(start + n, taped + n)
            if number == 0:
                shape.add(taped + n, taped=True)
    return shape


def test_a_counter_was_drawn_as_often_as_it_began() -> None:
    hits = counter_of(8_011, 8_650, 7_400, taped=7_902)
    assert hits.draws == 4
    assert [hits.fault(start, 7_902) for start in (104, 870, 8_990, 40_000)] == ["", "", "", ""]
    assert hits.fault(-8_011, 7_902) == "has another sign, where it lay between 7400 and 8661"
    assert hits.fault(8_011.5, 7_902) == "has a fraction, where it was whole"
    assert hits.fault(8_011_000, 7_902) == "is 8.011e+06, where it lay between 7400 and 8661"


def test_a_counter_of_any_start_keeps_its_shape() -> None:
    random, alarms = Random("starts"), 0
    for _ in range(2000):
        taped, one, two, three, now = (random.randrange(100, 9000) for _ in range(5))
        alarms += any(counter_of(one, two, three, taped=taped).fault(now + n, taped + n) for n in range(12))
    assert alarms <= 2


def test_what_a_start_draws_once_is_not_drawn_again_by_its_recording() -> None:
    ports = Shape()
    for _ in range(20):
        ports.add(40_112, 41_007)
        ports.add(41_007, taped=True)
    assert (ports.draws, ports.fault(40_112)) == (2, "")


def test_shapes_join() -> None:
    shape = shape_of("a", 1)
    shape.merge(shape_of("abcdef", None))
    assert (shape.types, shape.shortest, shape.longest) == ({"string": 2, "number": 1, "null": 1}, 1, 6)
