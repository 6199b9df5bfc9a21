"""Live responses and recorded requests against a given description: exact places on both sides, no false alarm."""

from __future__ import annotations

from typing import Any

import pytest
from recorded import request, response

from wiretape_capture.snapshot.exchange import Response
from wiretape_replay.compare.difference import Comparison, Difference
from wiretape_replay.engine.described import with_violations
from wiretape_replay.openapi.check import SpecCheck, SpecViolation
from wiretape_replay.openapi.document import parse_description
from wiretape_replay.verdict.model import FindingClass, Outcome, Part

SPEC = """
openapi: VERSION
info: {title: shop, version: '1'}
servers: [{url: 'https://shop.example/api/{stage}', variables: {stage: {default: v1}}}]
paths:
  /orders/{orderId}:
    parameters:
      - {name: orderId, in: path, required: true, schema: {type: integer}}
    get:
      parameters:
        - {name: full, in: query, required: true, schema: {type: boolean}}
        - {name: tag, in: query, schema: {type: array, items: {type: string, enum: [a, b]}}}
        - {name: X-Tenant, in: header, required: true, schema: {type: string, minLength: 2}}
      responses:
        200:
          description: one
          headers:
            X-Total: {required: true, schema: {type: integer}}
            X-Next: {schema: {type: string, format: uuid}}
          content:
            application/json: {schema: {$ref: '#/components/schemas/Order'}}
        4XX: {description: refused, content: {application/problem+json: {schema: {type: object, required: [title]}}}}
  /orders/export.csv:
    get: {responses: {default: {description: all, content: {text/*: {}}}}}
  /orders:
    post:
      requestBody:
        required: true
        content: {application/json: {schema: {$ref: '#/components/schemas/Order'}}}
      responses: {201: {description: made}, 204: {description: none, content: {application/json: {schema: {}}}}}
components:
  schemas:
    Order:
      type: object
      required: [id, total, secret, made]
      properties:
        id: {type: integer, minimum: 1}
        total: {type: number, multipleOf: 0.01}
        note: NULLABLE
        secret: {type: string, writeOnly: true}
        made: {type: string, format: date-time, readOnly: true}
        state: {type: string, enum: [open, paid]}
        items: {type: array, minItems: 1, items: {$ref: '#/components/schemas/Item'}}
    Item:
      type: object
      additionalProperties: false
      properties: {sku: {type: string, pattern: '^[A-Z]+$'}, inner: {$ref: '#/components/schemas/Item'}}
"""
NULLABLE = {"3.0.3": "{type: string, nullable: true}", "3.1.0": "{type: [string, 'null']}"}
GOOD: dict[str, Any] = {"id": 7, "total": 19.99, "note": None, "made": "2026-01-02T03:04:05Z"}
HERE = "/api/v1/orders/7?full=true"


@pytest.fixture(params=["3.0.3", "3.1.0"])
def check(request: pytest.FixtureRequest) -> SpecCheck:
    text = SPEC.replace("VERSION", request.param).replace("NULLABLE", NULLABLE[request.param])
    return SpecCheck(parse_description(text.encode(), "shop.yaml"))


def answer(value: Any, status: int = 200, **headers: str) -> Response:
    return response(value, status, **{"X_Total": "3", **headers})


def told(found: list[SpecViolation]) -> list[tuple[Any, ...]]:
    return [(v.part.value, v.at, v.rule, v.expected, v.actual, v.location.removeprefix("shop.yaml#")) for v in found]


ORDER = "/components/schemas/Order"
GET = "/paths/~1orders~1{orderId}/get"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({}, []),
        ({"note": "x", "extra": 1, "total": 3, "id": 10**30}, []),
        ({"id": "7"}, [("body", "/id", "type", "integer", "string", f"{ORDER}/properties/id/type")]),
        ({"id": 7.5}, [("body", "/id", "type", "integer", "number", f"{ORDER}/properties/id/type")]),
        ({"id": 7.0}, []),
        ({"id": 0}, [("body", "/id", "minimum", "minimum 1", 0, f"{ORDER}/properties/id/minimum")]),
        ({"total": 19.999}, [("body", "/total", "multipleOf", "multipleOf 0.01", 19.999,
                              f"{ORDER}/properties/total/multipleOf")]),
        ({"made": "yesterday"}, [("body", "/made", "format", "date-time", "yesterday",
                                  f"{ORDER}/properties/made/format")]),
        ({"state": "lost"}, [("body", "/state", "enum", ["open", "paid"], "lost", f"{ORDER}/properties/state/enum")]),
        ({"items": []}, [("body", "/items", "minItems", "minItems 1", [], f"{ORDER}/properties/items/minItems")]),
        ({"items": [{"sku": "A"}, {"inner": {"inner": {"sku": "a"}}}]},
         [("body", "/items/1/inner/inner/sku", "pattern", 'pattern "^[A-Z]+$"', "a",
           "/components/schemas/Item/properties/sku/pattern")]),
        ({"items": [{"other": 1}] * 500}, [("body", "/items/0", "additionalProperties", "additionalProperties false",
                                            {"other": 1}, "/components/schemas/Item/additionalProperties")]),
    ],
)  # fmt: skip
def test_bodies(check: SpecCheck, value: dict[str, Any], expected: list[tuple[Any, ...]]) -> None:
    assert told(check.response("GET", HERE, answer(GOOD | value))) == expected


def test_what_is_missing_is_named_and_what_is_write_only_may_lack(check: SpecCheck) -> None:
    found = check.response("GET", HERE, answer({"id": 7, "total": 1}))
    assert told(found) == [("body", "/made", "required", "present", "missing", f"{ORDER}/required")]
    assert found[0].breaking


@pytest.mark.parametrize(
    ("live", "expected"),
    [
        (answer(b"{", content_type="application/json"),
         ("body", "", "not-json", "JSON", "text", f"{GET}/responses/200/content/application~1json/schema")),
        (answer(None), ("body", "", "body-missing", "application/json", "no body", f"{GET}/responses/200/content")),
        (answer("x", content_type="text/html"),
         ("header", "content-type", "content-type", "application/json", "text/html", f"{GET}/responses/200/content")),
        (response(GOOD), ("header", "x-total", "header-missing", "present", "missing",
                          f"{GET}/responses/200/headers/X-Total/required")),
        (answer(GOOD, X_Total="many"), ("header", "x-total", "type", "integer", "many",
                                        f"{GET}/responses/200/headers/X-Total/schema/type")),
        (answer(GOOD, X_Next="7"), ("header", "x-next", "type", "string", "7",
                                    f"{GET}/responses/200/headers/X-Next/schema/type")),
        (answer(GOOD, 500), ("status", "", "undocumented-status", "200 or 4XX", "500", f"{GET}/responses")),
        (answer({"detail": ""}, 404, content_type="application/problem+json"),
         ("body", "/title", "required", "present", "missing",
          f"{GET}/responses/4XX/content/application~1problem+json/schema/required")),
    ],
)  # fmt: skip
def test_answers_that_are_wrong_as_a_whole(check: SpecCheck, live: Response, expected: tuple[Any, ...]) -> None:
    assert told(check.response("GET", HERE, live)) == [expected]


def test_routes(check: SpecCheck) -> None:
    assert told(check.response("GET", "/orders/export.csv", response("a,b", content_type="text/csv"))) == []
    assert told(check.response("POST", "/orders", response({}, 201))) == []
    assert told(check.response("POST", "/orders", response(None, 204))) == []
    assert told(check.response("DELETE", "/api/v1/orders/7", response({}))) == [
        ("exchange", "", "undocumented-route", "GET", "DELETE /api/v1/orders/7", "/paths")
    ]
    assert check.response("OPTIONS", "/nowhere", response(None, 204)) == []
    found = check.response("GET", "/nowhere?x=1", response({}))
    assert [(v.expected, v.actual, v.severity) for v in found] == [("a path that fits", "GET /nowhere", "warning")]


def test_requests(check: SpecCheck) -> None:
    good = request("GET", "/api/v1/orders/7?full=true&tag=a&tag=b", X_Tenant="ab")
    assert check.request(good) == []
    bad = request("GET", "/orders/seven?full=perhaps&tag=a&tag=c", X_Tenant="a")
    assert [(v.part, v.pointer, v.rule, v.severity) for v in check.request(bad)] == [
        ("exchange", "path:orderId", "type", "warning"),
        ("exchange", "query:full", "type", "warning"),
        ("exchange", "query:tag", "enum", "warning"),
        ("exchange", "header:X-Tenant", "minLength", "warning"),
    ]
    assert [v.pointer for v in check.request(request("GET", "/orders/7", X_Tenant="ab"))] == ["query:full"]


def test_request_bodies_may_lack_what_is_read_only(check: SpecCheck) -> None:
    sent = {"id": 1, "total": 1, "secret": "s"}
    assert check.request(request("POST", "/orders", sent)) == []
    assert [v.at for v in check.request(request("POST", "/orders", {"id": 1}))] == ["request /total", "request /secret"]
    assert [v.rule for v in check.request(request("POST", "/orders"))] == ["body-missing"]
    wrong = request("POST", "/orders", "a=1", content_type="application/x-www-form-urlencoded")
    assert [v.rule for v in check.request(wrong)] == ["content-type"]


def test_a_schema_that_never_ends_is_said_not_to_be_checked() -> None:
    text = """
openapi: 3.1.0
paths:
  /x: {get: {responses: {200: {description: '', content: {'*/*': {schema: {$ref: '#/components/schemas/A'}}}}}}}
components: {schemas: {A: {allOf: [{$ref: '#/components/schemas/A'}]}}}
"""
    found = SpecCheck(parse_description(text.encode(), "loop.yaml")).response("GET", "/x", response({}))
    assert [(v.rule, v.severity) for v in found] == [("unchecked", "info")]


def test_alternatives_tell_the_likeliest_fault() -> None:
    text = """
openapi: 3.1.0
paths: {/x: {get: {responses: {200: {description: '', content: {application/json: {schema: {properties: {owner:
  {anyOf: [{type: object, properties: {name: {type: string}}}, {type: 'null'}]}}}}}}}}}}
"""
    check = SpecCheck(parse_description(text.encode(), "any.yaml"))
    assert check.response("GET", "/x", response({"owner": None})) == []
    found = check.response("GET", "/x", response({"owner": {"name": 5}}))
    assert [(v.at, v.rule) for v in found] == [("/owner/name", "type")]


def test_a_plain_difference_shows_the_violation_and_others_are_added() -> None:
    plain = Difference(FindingClass.TYPE, Part.BODY, "/id", "/id", 7, "7", "a string")
    at_id = SpecViolation(Part.BODY, "/id", "/id", "type", "integer", "string", "a.yaml#/id")
    other = SpecViolation(Part.BODY, "/note", "/note", "type", "string", "null", "a.yaml#/note")
    joined = with_violations(Comparison(Outcome.DIFFERENT, (plain,)), [at_id, other])
    assert [(d.kind, d.pointer, d.evidence) for d in joined.differences] == [
        ("type", "/id", "breaks a.yaml#/id"), ("schema", "/note", "breaks a.yaml#/note"),
    ]  # fmt: skip
    assert with_violations(Comparison(Outcome.BYTES_EQUAL), [other]).outcome is Outcome.DIFFERENT
    assert with_violations(Comparison(Outcome.BYTES_EQUAL), []).outcome is Outcome.BYTES_EQUAL
