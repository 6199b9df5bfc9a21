"""What changed between two descriptions: the table of rules by direction, and what recordings can and cannot show."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue
from recorded import exchange, request, response

from wiretape_capture.snapshot.exchange import Exchange
from wiretape_replay.contract.profile import Contract
from wiretape_replay.openapi.changes import changes
from wiretape_replay.openapi.document import Description, parse_description
from wiretape_replay.openapi.write import openapi
from wiretape_replay.routes import RouteTable

type Told = list[tuple[str, str, str]]


def spec(sent: Any, answered: Any) -> Description:
    """One operation whose request and response have one schema each."""
    content = [{"content": {"application/json": {"schema": schema}}} for schema in (sent, answered)]
    operation = {"requestBody": content[0], "responses": {"200": {"description": "", **content[1]}}}
    return described({"/x": {"post": operation}})


def described(paths: Any) -> Description:
    return parse_description(json.dumps({"openapi": "3.1.0", "paths": paths}).encode(), "spec")


def told(base: Description, revision: Description) -> Told:
    return sorted((each.where, each.rule, each.level) for each in changes(base, revision).changes)


def both(before: Any, after: Any) -> Told:
    """The levels of the same change in a request and in a response."""
    return told(spec(before, before), spec(after, after))


def fields(required: list[str] | None = None, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required or []}


TEXT = {"type": "string"}
ONE, TWO = {"type": "string", "enum": ["x"]}, {"type": "string", "enum": ["x", "y"]}


@pytest.mark.parametrize(
    ("before", "after", "rule", "in_request", "in_response"),
    [
        (fields(), fields(a=TEXT), "added-optional", "info", "info"),
        (fields(), fields(["a"], a=TEXT), "added-required", "breaking", "info"),
        (fields(["a"], a=TEXT), fields(), "removed-required", "warning", "breaking"),
        (fields(a=TEXT), fields(), "removed-optional", "warning", "warning"),
        (fields(["a"], a=TEXT), fields(a=TEXT), "became-optional", "info", "breaking"),
        (fields(a=TEXT), fields(["a"], a=TEXT), "became-required", "breaking", "info"),
        (fields(a={"type": "integer"}), fields(a={"type": "number"}), "type-widened", "info", "breaking"),
        (fields(a={"type": "number"}), fields(a={"type": "integer"}), "type-narrowed", "breaking", "info"),
        (fields(a={"type": "integer"}), fields(a=TEXT), "type-changed", "breaking", "breaking"),
        (fields(a=TEXT), fields(a={"type": "string", "format": "uuid"}), "format-narrowed", "breaking", "info"),
        (fields(a={"type": "string", "format": "uuid"}), fields(a=TEXT), "format-widened", "info", "breaking"),
        (fields(a={"type": "string", "format": "uuid"}), fields(a={"type": "string", "format": "date"}),
         "format-changed", "breaking", "breaking"),
        (fields(a=TEXT), fields(a={"type": ["string", "null"]}), "became-nullable", "info", "breaking"),
        (fields(a={"anyOf": [TEXT, {"type": "null"}]}), fields(a=TEXT), "became-non-null", "breaking", "info"),
        (fields(a=ONE), fields(a=TWO), "enum-value-added", "info", "warning"),
        (fields(a=TWO), fields(a=ONE), "enum-value-removed", "breaking", "info"),
        (fields(a={"maximum": 9}), fields(a={"maximum": 5}), "bound-tightened", "breaking", "info"),
        (fields(a={"minLength": 2}), fields(a={"minLength": 1}), "bound-loosened", "info", "info"),
    ],
)  # fmt: skip
def test_a_change_means_another_thing_in_a_request(
    before: Any, after: Any, rule: str, in_request: str, in_response: str
) -> None:
    assert both(before, after) == [("request /a", rule, in_request), ("response 200 /a", rule, in_response)]


def test_changes_below_arrays_maps_references_and_parts() -> None:
    before = {"type": "array", "items": fields(a={"type": "object", "additionalProperties": {"type": "integer"}})}
    after = {"type": "array", "items": fields(a={"type": "object", "additionalProperties": TEXT})}
    assert both(before, after)[0] == ("request /*/a/*", "type-changed", "breaking")
    parts = {"allOf": [fields(["a"], a=TEXT), fields(b=TEXT)]}
    assert both(parts, fields(["a"], a=TEXT, b=TEXT)) == []


def test_schemas_that_hold_themselves_come_to_an_end() -> None:
    def tree(kind: str) -> Description:
        node = fields(value={"type": kind}, below={"type": "array", "items": {"$ref": "#/components/schemas/Node"}})
        answer = {"description": "", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Node"}}}}
        text = {"openapi": "3.0.0", "paths": {"/x": {"get": {"responses": {"200": answer}}}},
                "components": {"schemas": {"Node": node}}}  # fmt: skip
        return parse_description(json.dumps(text).encode(), "spec")

    assert told(tree("integer"), tree("string")) == [("response 200 /value", "type-changed", "breaking")]


def test_operations_parameters_statuses_and_headers() -> None:
    ok: dict[str, Any] = {"description": ""}
    before = described({
        "/a/{id}": {"parameters": [{"name": "q", "in": "query"}], "get": {"responses": {"200": ok, "404": ok}}},
        "/b": {"get": {"responses": {"200": {"description": "", "headers": {"X": {"required": True}}}}}},
        "/gone": {"get": {"responses": {}}},
    })  # fmt: skip
    needed = {"name": "t", "in": "header", "required": True}
    after = described({
        "/a/{name}": {"get": {"parameters": [needed], "responses": {"201": ok}}},
        "/b": {"get": {"responses": {"200": ok}}},
        "/new": {"get": {"responses": {}}},
    })  # fmt: skip
    found = changes(before, after)
    assert [(c.level, c.operation, c.where, c.rule) for c in found.changes] == [
        ("breaking", "GET /a/{id}", "request header t", "added-required"),
        ("breaking", "GET /a/{id}", "response 200", "status-removed"),
        ("breaking", "GET /b", "response 200 header x", "removed-required"),
        ("breaking", "GET /gone", "", "operation-removed"),
        ("warning", "GET /a/{id}", "request query q", "removed-optional"),
        ("info", "GET /a/{id}", "response 201", "status-added"),
        ("info", "GET /a/{id}", "response 404", "error-status-removed"),
        ("info", "GET /new", "", "operation-added"),
    ]
    assert found.breaking == 4


def test_paths_are_matched_below_those_of_the_servers() -> None:
    ok = {"get": {"responses": {"200": {"description": ""}}}}
    servers = [{"url": "https://shop.example/api/v1"}]
    promised = parse_description(
        json.dumps({"openapi": "3.1.0", "servers": servers, "paths": {"/orders/{order}": ok}}).encode(), "spec"
    )
    assert changes(promised, described({"/api/v1/orders/{id}": ok})).changes == ()
    assert changes(described({"/orders/{id}": ok}), promised).changes == ()


def test_an_id_says_nothing_about_values() -> None:
    def first(kind: str) -> str:
        return changes(spec({}, fields(a={"type": kind})), spec({}, fields(a={"type": "string"}))).changes[0].id

    assert first("integer") == first("boolean")


def recorded(bodies: list[Any], sent: list[Any] | None = None) -> Description:
    exchanges = [
        exchange(n, request("POST", "/x", sent[n] if sent else None), response(json.dumps(value).encode()))
        for n, value in enumerate(bodies)
    ]
    return written(exchanges)


def written(exchanges: list[Exchange]) -> Description:
    contract = Contract.infer(exchanges, RouteTable.infer((e.command, e.request.target) for e in exchanges))
    return parse_description(json.dumps(openapi(contract, ["s"])).encode(), "recorded")


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([{"a": 1}] * 10, [{"a": "x"}], [("response 200 /a", "type-changed", "breaking")]),
        ([{"a": 1}] * 9, [{"a": "x"}], [("response 200 /a", "type-changed", "warning")]),
        ([{"a": 1}] * 10, [{"a": None}], [("response 200 /a", "became-nullable", "breaking")]),
        ([{"a": 1}] * 10, [{}], [("response 200 /a", "removed-required", "breaking")]),
        ([{"a": 1}] * 10 + [{}], [{}], [("response 200 /a", "removed-optional", "info")]),
        ([{"a": 1}] * 8, [{}], [("response 200 /a", "removed-required", "warning")]),
        ([{"a": 1}] * 10, [{"a": 1}], []),  # one answer with it does not make it optional
        ([{"a": 1}] * 10, [{"a": 1}, {}], [("response 200 /a", "became-optional", "breaking")]),
        ([{"a": 1.5}] * 10, [{"a": 1}], [("response 200 /a", "type-narrowed", "info")]),
        ([{"a": [1]}] * 10, [{"a": []}], []),
        ([{"a": []}] * 10, [{"a": [1]}], []),
        ([{"at": "2026-01-02T03:04:05Z"}] * 10, [{"at": "2026-01-03T03:04:05Z"}], []),
        ([{"at": "2026-01-02T03:04:05Z"}] * 10, [{"at": "soon"}], [("response 200 /at", "format-widened", "breaking")]),
        ([{"s": "a"}, {"s": "b"}] * 20, [{"s": "c"}] * 3, []),
        ([{"s": "a"}, {"s": "b"}] * 20, [{"s": "c"}] * 30, [("response 200 /s", "enum-value-added", "warning"),
                                                            ("response 200 /s", "enum-value-removed", "info")] * 1),
    ],
)  # fmt: skip
def test_recordings_show_what_was_seen(before: list[Any], after: list[Any], expected: Told) -> None:
    found = {(where, rule, level) for where, rule, level in told(recorded(before), recorded(after))}
    assert sorted(found) == expected


def test_requests_of_a_recording_are_a_sample() -> None:
    old, new = [{"a": 1, "b": 1}] * 12, [{"a": 1, "c": 1}] * 12
    found = told(recorded([{}] * 12, old), recorded([{}] * 12, new))
    assert found == [("request /b", "removed-required", "info"), ("request /c", "added-required", "breaking")]


def test_evidence_is_told() -> None:
    found = changes(recorded([{"a": 1}] * 12), recorded([{"a": "x"}] * 3)).changes[0]
    assert found.evidence == "integer in 12 of 12 recorded, now string in 3 of 3 recorded"
    gone = changes(recorded([{"a": 1}] * 12), recorded([{}] * 3)).changes[0]
    assert gone.evidence == "present in 12 of 12, now in none of 3"


def test_what_was_not_recorded_is_not_removed() -> None:
    promised = spec(fields(["a"], a=TEXT, b=TEXT), fields(["a"], a=TEXT, b={"type": ["string", "null"]}))
    found = told(promised, recorded([{"a": "x"}], [{"a": "x"}]))
    assert {level for _, _, level in found} == {"info"}
    assert [level for _, _, level in told(promised, described({}))] == ["breaking"]


JSON: st.SearchStrategy[JsonValue] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8), st.sampled_from(["open", "2026-01-02"])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=8,
)


@given(st.lists(JSON, min_size=1, max_size=5), st.sampled_from([1, 11, 31]), st.integers(1, 5))
@settings(deadline=None, max_examples=40)
def test_a_part_of_a_recording_breaks_nothing(bodies: list[JsonValue], times: int, part: int) -> None:
    whole = bodies * times
    assert changes(recorded(whole), recorded(whole[:part])).breaking == 0
    assert changes(recorded(whole), recorded(whole)).changes == ()
