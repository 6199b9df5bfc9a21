"""Reading JSON without loss, and knowing what is surely the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue
from recorded import compare_bodies

from wiretape_replay import exact_json
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
    for innermost in ("1", "[]", "NaN"):  # jiter refuses NaN: it is read by the standard library
        assert loads(opened * DEPTH_LIMIT + innermost + closed * DEPTH_LIMIT)
        with pytest.raises(ValueError, match="nested too deeply"):
            loads(opened * (DEPTH_LIMIT + 1) + innermost + closed * (DEPTH_LIMIT + 1))


NUMBERS = st.from_regex(r"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)
STRINGS = st.text(st.characters(codec="utf-8", exclude_characters='"\\'), max_size=4) | st.sampled_from(
    [r"\ud800", r"\u0061", r"\n", r"\x", "\0", r"\ud83d\ude00"])  # fmt: skip
TEXTS = st.recursive(
    NUMBERS
    | STRINGS.map('"{}"'.format)
    | st.sampled_from(["true", "null", "NaN", "-Infinity", "01", "1.", " 1 ", "-"]),
    lambda inner: st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
    | st.lists(st.tuples(st.sampled_from(["a", "b", "7", r"\u0061"]), inner), max_size=3).map(
        lambda items: "{" + ",".join(f'"{key}": {value}' for key, value in items) + "}"),
    max_leaves=6,
)  # fmt: skip


def read(reader: Callable[[str], object], text: str) -> object:
    try:
        return spelt(reader(text))
    except ValueError as error:
        return str(error)


def spelt(value: object) -> object:
    """With types, the order of keys and what repeated ones had before."""
    if isinstance(value, dict):
        members = [(key, spelt(item)) for key, item in value.items()]
        return type(value), members, spelt(getattr(value, "earlier", None))
    if isinstance(value, list):
        return [spelt(item) for item in value]
    return type(value), str(value)


@given(TEXTS)
def test_every_text_is_read_as_by_the_standard_library(text: str) -> None:
    assert read(loads, text) == read(exact_json._read, text)


KEYED = st.recursive(
    st.sampled_from([None, True, False, 0, 1, -1, 2**70, Decimal("1.0"), Decimal("1"), "1", "", "\ud800", "\u0663"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "1", "\u0663", 'x"7']), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(KEYED, KEYED)
def test_equality_by_spelling_is_that_of_a_walk(one: JsonValue, other: JsonValue) -> None:
    for a, b in ((one, other), (one, deepcopy(one))):
        walked = a == b and exact_json._same_spelling(a, b)
        assert equal(a, b) is walked or not keys_are_plain(a)


def keys_are_plain(value: JsonValue) -> bool:
    """Keys of other characters may be taken for numbers, which costs a closer look and nothing else."""
    if isinstance(value, dict):
        return all(key.isascii() and '"' not in key and keys_are_plain(item) for key, item in value.items())
    return not isinstance(value, list) or all(map(keys_are_plain, value))


@given(KEYED, KEYED)
def test_what_a_walk_finds_to_differ_is_never_called_equal(one: JsonValue, other: JsonValue) -> None:
    for a, b in ((one, other), (one, deepcopy(one))):
        if equal(a, b):
            assert a == b
            assert exact_json._same_spelling(a, b)
