"""The contract implied by a recording, and what breaks it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue
from recorded import exchange, request, response

from wiretape_replay.contract.leaf import Profile
from wiretape_replay.contract.profile import Contract
from wiretape_replay.routes import RouteTable

ROUTE = "GET /orders/{id}"
USER = "8f3c1b52-6a0e-4d7c-9b1f-0e6d5a4c3b2a"


def contract() -> Contract:
    exchanges = [
        exchange(n, request("GET", f"/orders/{n}"), response({
            "id": n, "user": USER, "total": n + 0.5, "note": None if n % 2 else "x", "lines": [{"sku": "A", "qty": n}],
        } | ({"gift": True} if n == 1 else {})))
        for n in range(1, 13)
    ]  # fmt: skip
    return Contract.infer(exchanges, RouteTable.infer((each.command, each.location) for each in exchanges))


GOOD: dict[str, Any] = {"id": 99, "user": USER, "total": 3, "note": None, "lines": []}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"extra": 1, "gift": False}, []),
        ({"id": "99"}, [("/id", "type-changed", "integer", "string", "integer in 12 of 12 recorded answers")]),
        ({"id": 1.5}, [("/id", "type-changed", "integer", "number", "integer in 12 of 12 recorded answers")]),
        ({"id": None}, [("/id", "unexpected-null", "integer", "null", "integer in 12 of 12 recorded answers")]),
        ({"user": "bob"}, [("/user", "format-changed", "uuid", "text", "uuid in 12 of 12 recorded answers")]),
        ({"note": 5}, [("/note", "type-changed", "null or string", "integer",
                        "null in 6 or string in 6 of 12 recorded answers")]),
        ({"lines": [{"sku": "A"}]}, [("/lines/*/qty", "required-missing", "present", "missing",
                                      "present in 12 of 12 recorded answers")]),
    ],
)  # fmt: skip
def test_violations_state_their_evidence(change: dict[str, Any], expected: list[tuple[str, ...]]) -> None:
    violations = contract().check(ROUTE, 200, GOOD | change)
    assert [(v.pointer, v.rule, v.expected, v.actual, v.evidence) for v in violations] == expected


def test_exact_place_of_a_violation() -> None:
    lines = [{"sku": "A", "qty": 1}, {"sku": "B", "qty": "2"}]
    assert [v.at for v in contract().check(ROUTE, 200, GOOD | {"lines": lines})] == ["/lines/1/qty"]


def test_a_status_that_was_never_recorded() -> None:
    violations = contract().check(ROUTE, 500, {})
    assert [(v.rule, v.evidence) for v in violations] == [("status-new", "status 200 in 12 of 12 recorded answers")]
    assert contract().check("GET /unknown", 500, {}) == []


JSON: st.SearchStrategy[JsonValue] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=10,
)


@given(st.lists(JSON, max_size=6), st.integers(0, 6))
def test_profiles_merge_to_the_profile_of_all(values: list[JsonValue], cut: int) -> None:
    whole, left, right = Profile(), Profile(), Profile()
    for index, value in enumerate(values):
        whole.add(value)
        (left if index < cut else right).add(value)
    right.merge(left)
    assert right == whole


@given(JSON)
def test_what_was_recorded_breaks_nothing(value: JsonValue) -> None:
    recorded = [exchange(1, request("GET", "/x"), response([value]))]
    assert Contract.infer(recorded, RouteTable.infer([("GET", "/x")])).check("GET /x", 200, [value]) == []
