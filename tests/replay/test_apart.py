"""Long texts are cut so that what differs is in sight."""

from __future__ import annotations

import pytest

from wiretape_replay.apart import apart, first_difference
from wiretape_replay.compare.messages import said_pair, shown_pair

LONG = "a" * 500


@pytest.mark.parametrize(("one", "other", "at"), [
    ("", "", 0), ("a", "", 0), ("abc", "abd", 2), ("abc", "abcd", 3), (LONG + "x", LONG + "y", 500),
    ("x" + LONG, "y" + LONG, 0), (LONG, LONG, 500),
])  # fmt: skip
def test_where_two_texts_begin_to_differ(one: str, other: str, at: int) -> None:
    assert first_difference(one, other) == at


def test_short_texts_stay_whole() -> None:
    assert apart("select 1", "select 2", 20, 10) == ("select 1", "select 2")


def test_an_early_difference_is_told_from_the_beginning() -> None:
    assert apart("b" + LONG, "c" + LONG, 20, 10) == ("b" + "a" * 18 + "…", "c" + "a" * 18 + "…")


def test_a_late_difference_is_told_with_what_stands_around_it() -> None:
    assert apart(LONG + "xyz" + LONG, LONG + "!", 20, 10) == ("…aaaxyzaa…", "…aaa!")
    assert apart(LONG, LONG + "bc", 20, 10) == ("…aaa", "…aaabc")


def test_texts_that_are_equal_are_cut_alike() -> None:
    assert apart(LONG, LONG, 20, 10) == ("a" * 19 + "…",) * 2


def test_values_of_a_finding_show_their_difference() -> None:
    was, now = shown_pair(LONG + "old", LONG + "new")
    assert (str(was)[-3:], str(now)[-3:], len(str(was))) == ("old", "new", 70)
    assert said_pair(LONG + "old", LONG + "new") == ("…" + "a" * 20 + 'old"', "…" + "a" * 20 + 'new"')
    assert said_pair(7, None) == ("7", "null")
