"""What could come from one generator, and what could not."""

from __future__ import annotations

import pytest

from wiretape_replay.masks import same_make


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
