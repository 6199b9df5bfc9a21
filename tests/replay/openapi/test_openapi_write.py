"""A contract as OpenAPI 3.1: valid by the official meta-schema, honest about evidence, and true of its recording."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openapi_spec_validator import validate
from pydantic import JsonValue
from recorded import exchange, request, response

from wiretape_capture.snapshot.exchange import Exchange
from wiretape_replay.contract.profile import Contract
from wiretape_replay.openapi.check import SpecCheck
from wiretape_replay.openapi.document import parse_description
from wiretape_replay.openapi.write import openapi
from wiretape_replay.openapi.yaml_text import dump_yaml, load_yaml
from wiretape_replay.routes import RouteTable

USER = "8f3c1b52-6a0e-4d7c-9b1f-0e6d5a4c3b2a"


def inferred(exchanges: list[Exchange], *overrides: str) -> Contract:
    return Contract.infer(exchanges, RouteTable.infer(((e.command, e.request.target) for e in exchanges), overrides))


def written(exchanges: list[Exchange]) -> dict[str, Any]:
    tree = openapi(inferred(exchanges), ["checkout"])
    validate(tree)
    return tree


def orders(count: int) -> list[Exchange]:
    return [
        exchange(
            n, request("GET", f"/orders/{n}?full=true" + ("&page=2" if n % 2 else ""), X_Tenant="a"),
            response({"id": n, "user": USER, "at": "2026-01-02T03:04:05Z", "note": None if n % 2 else "x",
                      "state": ["open", "paid"][n % 2], "total": n + 0.5, "password": "hunter2", "lines": [{"qty": n}]},
                     X_Total=str(n)),
        )
        for n in range(1, count + 1)
    ]  # fmt: skip


def test_what_was_recorded_often_is_promised() -> None:
    operation = written(orders(30))["paths"]["/orders/{id}"]["get"]
    assert [(p["in"], p["name"], p["required"], p["schema"]["type"]) for p in operation["parameters"]] == [
        ("path", "id", True, "integer"),
        ("query", "full", True, "boolean"),
        ("query", "page", False, "integer"),
        ("header", "x-tenant", True, "string"),
    ]
    answer = operation["responses"]["200"]
    assert answer["headers"]["x-total"]["required"] is True
    schema = answer["content"]["application/json"]["schema"]
    assert schema["required"] == ["at", "id", "lines", "note", "password", "state", "total", "user"]
    told = {name: {key: value for key, value in below.items() if key in ("type", "format", "enum", "examples")}
            for name, below in schema["properties"].items()}  # fmt: skip
    assert told == {
        "id": {"type": "integer", "examples": [1]},
        "user": {"type": "string", "format": "uuid"},
        "at": {"type": "string", "format": "date-time"},
        "note": {"type": ["null", "string"], "examples": ["x"]},
        "state": {"type": "string", "enum": ["open", "paid"]},
        "total": {"type": "number", "examples": [1.5]},
        "password": {"type": "string"},
        "lines": {"type": "array"},
    }
    assert schema["properties"]["id"]["x-wiretape-evidence"] == {
        "seen": 30, "of": 30, "types": {"integer": 30}, "range": [1, 30]
    }  # fmt: skip


def test_what_was_recorded_rarely_is_told_and_not_promised() -> None:
    schema = written(orders(9))["paths"]["/orders/{id}"]["get"]["responses"]["200"]["content"]["application/json"][
        "schema"
    ]
    assert "required" not in schema
    assert not {"format", "enum"} & set().union(*schema["properties"].values())


def test_requests_with_bodies_and_credentials() -> None:
    sent = [
        exchange(n, request("POST", "/orders", {"qty": n}, Authorization="Bearer x"), response({"id": n}, 201))
        for n in range(10)
    ]
    tree = written(sent)
    operation = tree["paths"]["/orders"]["post"]
    assert operation["requestBody"]["required"] is True
    assert operation["requestBody"]["content"]["application/json"]["schema"]["required"] == ["qty"]
    assert operation["security"] == [{"bearer": []}]
    assert tree["components"]["securitySchemes"] == {"bearer": {"type": "http", "scheme": "bearer"}}


def test_what_openapi_cannot_name_is_left_out_and_said() -> None:
    tree = written([exchange(1, request("PROPFIND", "/files"), response({})), *orders(1)])
    assert list(tree["paths"]) == ["/orders/{id}"]
    assert tree["x-wiretape-left-out"] == ["PROPFIND /files"]


def test_paths_that_differ_by_their_names_are_one() -> None:
    exchanges = [exchange(1, request("GET", "/a/1"), response({})), exchange(2, request("PUT", "/a/1"), response({}))]
    tree = openapi(inferred(exchanges, "PUT /a/{thing}"), ["x"])
    validate(tree)
    assert {path: sorted(item) for path, item in tree["paths"].items()} == {"/a/{id}": ["get", "put"]}


def test_yaml_says_the_same() -> None:
    tree = json.loads(json.dumps(written(orders(12))))
    read = load_yaml(dump_yaml(tree))
    assert json.loads(json.dumps(read, default=float)) == tree


JSON: st.SearchStrategy[JsonValue] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False),
              st.text(max_size=8), st.sampled_from([USER, "2026-01-02T03:04:05Z", "2026-01-02 03:04:05", "open"])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=8,
)  # fmt: skip


def dumped(value: JsonValue) -> bytes:
    return json.dumps(value).encode()


@given(
    st.lists(st.tuples(JSON, JSON, st.sampled_from([200, 201, 404])), min_size=1, max_size=5), st.sampled_from([1, 11])
)
@settings(deadline=None, max_examples=20)
def test_a_description_is_valid_and_true_of_what_it_was_written_from(
    answers: list[tuple[JsonValue, JsonValue, int]], times: int
) -> None:
    exchanges = [
        exchange(
            n,
            request("POST", f"/things/{n}?a={n}", dumped(sent), X_Key=str(n)),
            response(dumped(answer), status, X_Left=str(n)),
        )
        for n, (sent, answer, status) in enumerate(answers * times)
    ]
    tree = written(exchanges)
    data = json.dumps(tree).encode()
    check = SpecCheck(parse_description(data, "openapi.json"))
    for each in exchanges[: len(answers)]:
        assert each.response is not None
        assert check.response("POST", each.request.target, each.response) == []
        if each.response.status < 400:
            assert check.request(each.request) == []


@pytest.mark.parametrize("status", [200, 599])
def test_answers_without_a_body(status: int) -> None:
    tree = written([exchange(1, request("GET", "/x"), response(None, status))])
    assert "content" not in tree["paths"]["/x"]["get"]["responses"][str(status)]
