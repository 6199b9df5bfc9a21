"""Reading JSON without loss, and knowing what is surely the same."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recorded import compare_bodies

from wiretape_replay.exact_json import DEPTH_LIMIT, equal, loads

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from([0.5, 1.0, "a", "1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab1"), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES, VALUES)
def test_what_is_surely_the_same_has_no_difference(one: object, other: object) -> None:
    a, b = json.dumps([one]), json.dumps([other])
    if equal(loads(a), loads(b)):
        assert json.loads(a) == json.loads(b)
        assert repr(json.loads(a)) == repr(json.loads(b))
        assert compare_bodies(a, b).differences == ()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ('{"a": [1, "x", null, true]}', '{"a": [1, "x", null, true]}', True),
        ('{"a": true}', '{"a": 1}', False),
        ('[[false]]', '[[0]]', False),
        ('{"a": 1, "b": 2}', '{"b": 2, "a": 1}', False),
        ('{"a": 1.0}', '{"a": 1}', False),
        ('{"a": 1.50}', '{"a": 1.5}', True),
        ('{"a": 1, "a": 2}', '{"a": 3, "a": 2}', False),
        ('{"7": 1}', '{"7": 1}', False),
        ('[NaN]', '[NaN]', False),
    ],
)  # fmt: skip
def test_equality_looks_at_types_order_and_repeated_keys(one: str, other: str, same: bool) -> None:
    assert equal(loads(one), loads(other)) is same


@pytest.mark.parametrize("opened", ["[", '{"a":'])
def test_deep_documents_are_refused(opened: str) -> None:
    closed = "]" if opened == "[" else "}"
    assert loads(opened * (DEPTH_LIMIT - 1) + "[]" + closed * (DEPTH_LIMIT - 1))
    with pytest.raises(ValueError, match="nested too deeply"):
        loads(opened * DEPTH_LIMIT + "[]" + closed * DEPTH_LIMIT)
