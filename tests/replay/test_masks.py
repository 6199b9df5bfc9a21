"""What could come from one generator, and what could not."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wiretape_replay.formats import format_of
from wiretape_replay.masks import same_make, skeleton


@pytest.mark.parametrize(("expected", "actual"), [
    ("ZhvYD4mlqfwH", "PVQylHg_uf7L"), ("SHP-000123", "SHP-001204"), ("9998", "10000"), ("ord_9f2c", "ord_77ab"),
    ("LAM-131", "DSK-2044"), ("V1St_GXR", "Z5kAb12q"),
])  # fmt: skip
def test_plain_values_of_one_generator(expected: str, actual: str) -> None:
    assert same_make(expected, actual)


@pytest.mark.parametrize(("expected", "actual"), [
    ("ZhvYD4mlqfwH", "n/a"), ("ZhvYD4mlqfwH", ""), ("SHP-000123", "n/a"), ("x1y2z3", "n/a"),
    ("ZhvYD4mlqfwH", "not found"), ("LAM-131", "None"), ("LAM-131", "LAM131"), ("a9f3c2", "null"),
])  # fmt: skip
def test_a_placeholder_is_of_another_make(expected: str, actual: str) -> None:
    assert not same_make(expected, actual)


HEX = st.one_of(
    st.text("0123456789abcdef", min_size=14, max_size=66), st.text("0123456789ABCDEF", min_size=14, max_size=66)
)


@given(st.one_of(HEX, st.uuids().map(str), st.uuids(version=4).map(str)))
@example("9f2c8a7be1d34f60a1b2c3d4e5f60718")
@example("507f1f77bcf86cd799439011")
@example("5f1d2a3b-4c5d-4e6f-8a9b-0c1d2e3f4a5b")
def test_identifiers_known_as_a_whole_are_one_piece(text: str) -> None:
    """So that two of them need not be cut into pieces to be of one make."""
    if format_of(text) in ("hex", "uuid"):
        assert skeleton(text) == f"\0{format_of(text)}\0"
        assert same_make(text, text)
