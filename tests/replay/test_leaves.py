"""Pointers and leaves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from wiretape_replay.leaves import escape, get, leaf_name, split, unescape, walk

JSON: st.SearchStrategy[JsonValue] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=4), inner, max_size=4)),
    max_leaves=20,
)


@given(JSON)
def test_every_leaf_is_found_again_by_its_pointer(value: JsonValue) -> None:
    leaves = list(walk(value))
    assert leaves
    for pointer, leaf in leaves:
        assert get(value, pointer) == leaf


@given(st.text())
def test_escaping_is_lossless(key: str) -> None:
    assert unescape(escape(key)) == key


def test_leaves_come_in_document_order() -> None:
    document: JsonValue = {"a/b": [1, {"~": None}], "e": {}, "": []}
    assert list(walk(document)) == [("/a~1b/0", 1), ("/a~1b/1/~0", None), ("/e", {}), ("/", [])]


def test_a_pointer_to_nothing_is_an_error() -> None:
    for pointer in ("/b", "/a/7", "/a/x", "/a/0/z"):
        with pytest.raises(LookupError):
            get({"a": [1]}, pointer)


def test_name_of_a_leaf() -> None:
    assert leaf_name("/items/3/price") == "price"
    assert leaf_name("/tags/0") == "tags"
    assert leaf_name("") == ""
    assert split("/a~1b/0") == ["a/b", "0"]
