"""The contract implied by a recording, and what breaks it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue
from recorded import exchange, request, response

from wiretape_capture.snapshot.exchange import Exchange
from wiretape_replay.contract.check import check
from wiretape_replay.contract.fold import folded
from wiretape_replay.contract.leaf import Profile, merged
from wiretape_replay.contract.profile import Contract
from wiretape_replay.engine.violations import Violations
from wiretape_replay.routes import RouteTable
from wiretape_replay.verdict.model import Severity

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


def many_keys(first: int, count: int) -> dict[str, JsonValue]:
    return {"key" + chr(0x4E00 + n): n for n in range(first, first + count)}


KEYED = st.builds(many_keys, st.integers(0, 300), st.integers(0, 300))


@given(st.tuples(KEYED, KEYED, KEYED))
def test_profiles_of_many_keys_merge_in_any_grouping_and_order(objects: tuple[dict[str, JsonValue], ...]) -> None:
    one, two, three = map(profile_of, objects)
    assert merged(merged(one, two), three) == merged(one, merged(two, three))
    assert merged(one, two) == merged(two, one)


@given(st.lists(JSON, max_size=9), st.integers(0, 9), st.integers(0, 9))
def test_profiles_merge_in_any_grouping_and_order(values: list[JsonValue], low: int, high: int) -> None:
    one, two, three = profile_of(*values[:low]), profile_of(*values[low:high]), profile_of(*values[high:])
    assert merged(merged(one, two), three) == merged(one, merged(two, three))
    assert merged(one, two) == merged(two, one)
    assert merged(one, Profile()) == one


EXCHANGES = st.lists(
    st.builds(
        lambda path, status, sent, answer: exchange(
            1, request("POST", path, sent, X_Tenant="t"), response(answer, status, X_Total="3")
        ),
        st.sampled_from(["/orders/1?page=2", "/orders/2", "/orders?q=a&q=b", "/users/me"]),
        st.sampled_from([200, 201, 404]),
        JSON,
        JSON,
    ),
    max_size=12,
)
TABLE = RouteTable.infer([("POST", "/orders/1"), ("POST", "/users/me")])


@given(EXCHANGES, st.integers(0, 12))
def test_contracts_merge_to_the_contract_of_all(exchanges: list[Exchange], cut: int) -> None:
    whole = Contract.infer(exchanges, TABLE)
    left, right = Contract.infer(exchanges[:cut], TABLE), Contract.infer(exchanges[cut:], TABLE)
    right.merge(left)
    assert right == whole


@given(EXCHANGES)
def test_no_recorded_answer_breaks_the_contract_of_its_recording(exchanges: list[Exchange]) -> None:
    contract = Contract.infer(exchanges * 11, TABLE)
    for each in exchanges:
        assert each.response is not None
        route, answer = TABLE.route("POST", each.request.target), each.response
        assert contract.check_response(route, answer.status, answer.headers, answer.body) == []


def profile_of(*values: Any) -> Profile:
    profile = Profile()
    for value in values:
        profile.add(value)
    return profile


def test_objects_keyed_by_data_are_maps() -> None:
    profile = folded(profile_of(*({f"user{chr(97 + n)}": {"score": n}} for n in range(20))))
    assert list(profile.members) == ["*"]
    assert profile.members["*"].members["score"].types == {"integer": 20}
    assert [v.pointer for v in check(profile, {"somebody": {"score": "x"}})] == ["/*/score"]


def test_optional_fields_are_no_map() -> None:
    profile = folded(profile_of(*({"id": n} | {f"field{chr(97 + n)}": n} for n in range(20))))
    assert "id" in profile.members


STATES = ["open", "paid", "sent"] * 12


@pytest.mark.parametrize(
    ("recorded", "live", "expected"),
    [
        (STATES, "lost", [("enum-new-value", False, "open or paid or sent in 36 of 36 recorded answers")]),
        (STATES[:29], "lost", []),
        ([*STATES, "once"], "lost", []),  # a value seen once may be one of many
        ([f"{word} order" for word in STATES], "lost", []),  # texts with spaces are no codes
        ([n % 50 for n in range(100)], 5000, [("range-outlier", False, "0 to 49 in 100 of 100 recorded answers")]),
        ([n % 50 for n in range(100)], 4000, []),
        ([n % 50 for n in range(100)], -1, [("range-outlier", False, "0 to 49 in 100 of 100 recorded answers")]),
        ([n % 50 for n in range(99)], -1, []),
        ([[1]] * 30, [], [("array-emptied", False, "1 element or more in 30 of 30 recorded answers")]),
        ([[1]] * 29, [], []),
        ([{"a": 1}] * 10, {}, [("required-missing", True, "present in 10 of 10 recorded answers")]),
        ([{"a": 1}] * 9, {}, []),
        ([1] * 10, 1.5, [("type-changed", True, "integer in 10 of 10 recorded answers")]),
        ([1] * 9, 1.5, []),
    ],
)
def test_rules_need_their_evidence(recorded: list[JsonValue], live: JsonValue,
                                   expected: list[tuple[str, bool, str]]) -> None:  # fmt: skip
    assert [(v.rule, v.breaking, v.evidence) for v in check(profile_of(*recorded), live)] == expected


def test_outliers_are_told_and_not_counted() -> None:
    found = check(profile_of(*range(100)), 10**9)
    assert [v.severity for v in found] == [Severity.INFO]
    violations = Violations()
    violations.add("GET /x", 1, found)
    assert violations.by_route.total() == 0
    assert [(f.kind, f.severity, f.breaking) for f in violations.shown_by([])] == [("schema", "info", False)]


def test_headers_and_media_types_of_answers() -> None:
    recorded = [exchange(n, request("GET", "/x"), response([], X_Total="3", Date="now")) for n in range(10)]
    known = Contract.infer(recorded, TABLE)
    live = response("<p>", content_type="text/html; charset=utf-8")
    found = known.check_response("GET /x", 200, live.headers, live.body)
    assert [(v.part, v.pointer, v.rule, v.expected, v.actual, v.evidence) for v in found] == [
        ("header", "content-type", "content-type-changed", "application/json", "text/html",
         "application/json in 10 of 10 recorded answers with a body"),
        ("header", "x-total", "header-missing", "present", "missing", "present in 10 of 10 recorded answers"),
    ]  # fmt: skip


def test_requests_are_profiled_unless_they_were_refused() -> None:
    target = "/orders/7?page=2&tag=a&tag=b&full=true"
    sent = request("POST", target, {"qty": 1}, Idempotency_Key="k1", Authorization="Bearer abc", Accept="*/*")
    refused = exchange(2, request("POST", "/orders/8?page=x", {"qty": "many"}), response({}, 422))
    contract = Contract.infer([exchange(1, sent, response({}, 201)), refused], TABLE)
    requests = contract.requests["POST /orders/{id}"]
    assert requests.count == 1
    assert requests.parameters.members["id"].types == {"integer": 1}
    assert {name: dict(below.types) for name, below in requests.query.members.items()} == {
        "page": {"integer": 1}, "tag": {"array": 1}, "full": {"boolean": 1}
    }  # fmt: skip
    assert list(requests.headers.members) == ["idempotency-key"]
    assert requests.schemes == {"bearer": 1}
    assert requests.bodies["application/json"].members["qty"].types == {"integer": 1}
