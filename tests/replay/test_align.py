"""Which element is which, in arrays of any length."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from wiretape_replay.align import Alignment, align

ITEMS = st.lists(st.sampled_from(["a", "b", "c", 1, True, None]) | st.integers(0, 9), max_size=12)


def aligned(recorded: list[JsonValue], live: list[JsonValue]) -> Alignment:
    return align(recorded, live, lambda _name, value: value)


@given(ITEMS, ITEMS)
def test_every_element_has_one_partner_or_none(recorded: list[JsonValue], live: list[JsonValue]) -> None:
    found = aligned(recorded, live)
    assert sorted([*(i for i, _ in found.pairs), *found.removed]) == [*range(len(recorded))]
    assert sorted([*(j for _, j in found.pairs), *found.added]) == [*range(len(live))]


def test_one_lost_and_one_new_of_ten_thousand_are_two_differences() -> None:
    texts: list[JsonValue] = [f"item {number}" for number in range(10_000)]
    changed = [*texts[:3], "new one", *texts[3:5000], *texts[5001:]]
    found = aligned(texts, changed)
    assert (found.removed, found.added, len(found.pairs)) == ((5000,), (3,), 9_999)


def test_long_arrays_with_many_changes_are_aligned_by_what_both_have_once() -> None:
    random = Random(1)
    rows: list[JsonValue] = [{"a": random.randrange(10**9), "b": random.choice("xyz")} for _ in range(8_000)]
    gone = set(random.sample(range(8_000), 40))
    kept = [row for index, row in enumerate(rows) if index not in gone]
    found = aligned(rows, kept)
    assert (set(found.removed), found.added) == (gone, ())
    assert all(rows[i] == kept[j] for i, j in found.pairs)


def test_long_arrays_of_equal_elements_stay_in_bounds() -> None:
    same: list[JsonValue] = ["x"] * 5_000
    found = aligned(same, [*same[:4_000], "y"])
    assert (len(found.pairs), len(found.removed), found.added) == (4_001, 999, ())
