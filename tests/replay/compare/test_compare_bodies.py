"""Bodies compared: what is equal, what is found, and at which exact place."""

from __future__ import annotations

import gzip
from typing import Any

import pytest
from recorded import QUIET, compare_bodies, exchange, request, response

from wiretape_capture.snapshot.exchange import Body, Response
from wiretape_replay.compare.difference import Comparison
from wiretape_replay.compare.response import compare, no_response
from wiretape_replay.formats import Window


def found(comparison: Comparison) -> list[tuple[str, str]]:
    return [(each.kind.value, each.at) for each in comparison.differences]


ORDER = {"id": 7, "total": 12.5, "currency": "EUR", "paid": True, "note": None, "lines": [
    {"sku": "A1", "qty": 1}, {"sku": "B2", "qty": 2}, {"sku": "C3", "qty": 3}]}  # fmt: skip


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ('{"a": 1, "b": 2}', '{"b":2,"a":1}'),
        ('{"a": 1.0}', '{"a": 1}'),
        ('{"a": 100}', '{"a": 1e2}'),
        ('{"a": "\\u00e9"}', '{"a": "é"}'),
        ('{"a": NaN, "b":1}', '{"b":1, "a": NaN}'),
        ("[12345678901234567890123, 0.1]", "[12345678901234567890123,0.10]"),
    ],
)
def test_spelling_alone_is_semantically_equal(expected: str, actual: str) -> None:
    comparison = compare_bodies(expected, actual)
    assert (comparison.outcome, comparison.differences, comparison.suppressed) == ("semantically-equal", (), ())


def test_compression_alone_is_semantically_equal() -> None:
    recorded = exchange(1, request("GET", "/x"), response(ORDER))
    packed = response(gzip.compress(response(ORDER).body.data or b""), Content_Encoding="gzip",
                      content_type="application/json; charset=utf-8")  # fmt: skip
    live = packed.model_copy(update={"headers": (*packed.headers, ("Content-Type", "application/json"))})
    comparison = compare(recorded, Response(status=200, headers=live.headers[:2], body=live.body),
                         route="GET /x", noise=QUIET, session=None, live_window=Window(0, 1))  # fmt: skip
    assert (comparison.outcome, comparison.differences) == ("semantically-equal", ())


def test_the_same_bytes_are_bytes_equal() -> None:
    assert compare_bodies(ORDER, ORDER).outcome == "bytes-equal"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"total": 13}, [("value", "/total")]),
        ({"total": "12.5"}, [("type", "/total")]),
        ({"total": None}, [("null", "/total")]),
        ({"note": "x"}, [("null", "/note")]),
        ({"paid": 1}, [("type", "/paid")]),
        ({"paid": False}, [("value", "/paid")]),
        ({"lines": {}}, [("type", "/lines")]),
        ({"lines": []}, [("removed", "/lines/0"), ("removed", "/lines/1"), ("removed", "/lines/2")]),
        ({"lines": [ORDER["lines"][0], ORDER["lines"][2]]}, [("removed", "/lines/1")]),  # type: ignore[index]
        ({"lines": [*ORDER["lines"], {"sku": "D4", "qty": 4}]}, [("added", "/lines/3")]),  # type: ignore[misc]
        ({"lines": ORDER["lines"][::-1]}, [("order", "/lines")]),  # type: ignore[index]
        ({"lines": [*ORDER["lines"][:2], {"sku": "C3", "qty": 4}]}, [("value", "/lines/2/qty")]),  # type: ignore[index]
        ({"extra": 1}, [("added", "/extra")]),
    ],
)
def test_each_mutation_is_one_finding_at_its_place(change: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert found(compare_bodies(ORDER, ORDER | change)) == expected


def test_a_new_optional_field_does_not_fail_the_exchange() -> None:
    comparison = compare_bodies(ORDER, ORDER | {"extra": 1})
    assert comparison.outcome == "semantically-equal"
    assert [each.severity for each in comparison.differences] == ["info"]


def test_a_renamed_field_is_one_loss_that_names_its_new_name() -> None:
    renamed = {("amount" if name == "total" else name): value for name, value in ORDER.items()}
    lost, new = compare_bodies(ORDER, renamed).differences
    assert (lost.kind, lost.at, lost.severity, lost.breaking) == ("removed", "/total", "error", True)
    assert (new.kind, new.at, new.severity, new.breaking) == ("added", "/amount", "info", False)
    assert lost.message == 'the field "total" is gone and "amount" appeared with the same value: it looks renamed'


def test_numbers_are_compared_exactly() -> None:
    assert found(compare_bodies("[12345678901234567890123]", "[12345678901234567890124]")) == [("value", "/0")]
    assert found(compare_bodies("[0.1]", "[0.1000000000000000055]")) == [("value", "/0")]


def test_all_values_of_repeated_keys_are_compared() -> None:
    assert found(compare_bodies('{"a":1}', '{"a":2,"a":1}')) == [("schema", "/a")]
    assert found(compare_bodies('{"a":2,"a":1}', '{"a":3, "a":1}')) == [("value", "/a")]
    assert found(compare_bodies('{"a":1,"a":{"b":1},"a":2}', '{"a":1,"a":{"b":"1"},"a":2}')) == [("type", "/a/b")]
    assert found(compare_bodies('{"a":2,"b":0,"a":1}', '{"b":0, "a":2,"a":1}')) == []


@pytest.mark.parametrize(
    ("expected", "actual", "read_as"),
    [
        ('{"a":1,,}', '{"a":2,,}', "text, for it is no valid application/json: "
                                   "expecting property name enclosed in double quotes at line 1 column 8"),
        ('{"a":1}', '{"a":1', "text, for it is no valid application/json: expecting ',' delimiter at line 1 column 7"),
        ('{"a":1', '{"a":1}', "text, for it is no valid application/json: expecting ',' delimiter at line 1 column 7"),
        ("[" * 9_999 + "1" + "]" * 9_999, "[" * 9_999 + "2" + "]" * 9_999,
         "text, for it is no valid application/json: nested too deeply"),
        (b'{"a":"\xff\xfe\xfa"}', b'{"a":"\xff\xfe\xfb"}', "bytes, for it is no text in any known character set"),
    ],
)  # fmt: skip
def test_a_body_that_is_not_what_it_claims_says_how_it_was_compared(expected: Any, actual: Any, read_as: str) -> None:
    comparison = compare_bodies(expected, actual, content_type="application/json")
    assert (comparison.outcome, comparison.read_as) == ("different", f"compared as {read_as}")
    assert [each.evidence for each in comparison.differences] == [comparison.read_as]
    assert compare_bodies(expected, expected, content_type="application/json").outcome == "bytes-equal"


def test_json_inside_a_string_is_compared_as_json() -> None:
    assert found(compare_bodies({"p": '{"a":1,"b":2}'}, {"p": '{"b": 2, "a": 1}'})) == []
    assert found(compare_bodies({"p": '{"a":1}'}, {"p": '{"a":"1"}'})) == [("type", "/p/a")]


@pytest.mark.parametrize(
    ("media", "expected", "actual", "places"),
    [
        ("text/plain", "a\nb\nc\n", "a\nc\n", [("removed", "/1")]),
        ("text/html", "<p>1</p>\n<p>2</p>", "<p>1</p>\n<p>3</p>", [("value", "/1")]),
        ("application/xml", "<o><id>1</id><t>2</t></o>", "<o><id>1</id><t>x</t></o>", [("value", "/o/t/0")]),
        ("application/xml", "<o> <id>1</id></o>", "<o><id>1</id>\n</o>", []),
        ("application/xml", "<o a='1' b='2'/>", '<o b="2" a="1"></o>', []),
        ("text/csv", "a,b\n1,2\n3,4\n", "a,b\n1,2\n3,5\n", [("value", "/rows/1/b")]),
        ("application/x-www-form-urlencoded", "a=1&b=2", "b=2&a=1", []),
        ("application/x-ndjson", '{"a":1}\n{"a":2}\n', '{"a":1}\n{"a":"2"}\n', [("type", "/1/a")]),
        ("text/event-stream", 'data: {"n":1}\n\n', 'data: {"n":2}\n\n', [("value", "/0/data/n")]),
        ("image/png", b"\x89PNG\x00\x01", b"\x89PNG\x00\x02", [("body", "")]),
        ("application/json", '{"a":1', '{"a":2', [("value", "/0")]),
        ("application/json", '{"a":1}', "oops", [("type", "")]),
        ("application/json", '{"a":1}', "", [("removed", "")]),
    ],
)
def test_other_kinds_of_bodies(media: str, expected: Any, actual: Any, places: list[tuple[str, str]]) -> None:
    assert found(compare_bodies(expected, actual, content_type=media)) == places


def test_a_body_too_large_to_hold_is_compared_by_its_hash() -> None:
    def large(name: str) -> Response:
        return Response(status=200, body=Body(size=1 << 30, sha256=name * 64, data=None))

    recorded = exchange(1, request("GET", "/x"), large("a"))
    same, other = (compare(recorded, large(name), route="GET /x", noise=QUIET, session=None, live_window=Window(0, 1))
                   for name in "ab")  # fmt: skip
    assert (same.outcome, found(other)) == ("bytes-equal", [("body", "")])
    assert other.read_as == f"compared as bytes, for {1 << 30} bytes are too many to be read"


@pytest.mark.parametrize("depth", [150, 5_000, 200_000])
def test_deep_nesting_ends_in_a_comparison(depth: int) -> None:
    deep = "[" * depth + "1" + "]" * depth
    assert compare_bodies(deep, deep.replace("1", "2")).outcome == "different"
    assert compare_bodies(deep, deep).outcome == "bytes-equal"


@pytest.mark.parametrize(
    "text", ['{"a": 1e999999999}', '["\\ud800"]', "[" + "9" * 5000 + "]", '{"a": -Infinity}', "[1e-400]"]
)
def test_odd_documents_are_compared(text: str) -> None:
    assert compare_bodies(text, f" {text}").differences == ()
    assert compare_bodies(text, '{"b": 1}').outcome == "different"


def test_another_class_of_status_is_the_only_finding() -> None:
    recorded = exchange(1, request("GET", "/x"), response(ORDER))
    comparison = compare(recorded, response({"error": "boom"}, status=500), route="GET /x", noise=QUIET, session=None,
                         live_window=Window(0, 1))  # fmt: skip
    assert [(each.kind, each.breaking, each.message) for each in comparison.differences] == [
        ("status", True, "the status was 200 and is now 500")]  # fmt: skip


def test_no_response_is_an_error() -> None:
    comparison = no_response("connection refused")
    assert (comparison.outcome, comparison.differences[0].message) == (
        "error", "no response came: connection refused")  # fmt: skip
