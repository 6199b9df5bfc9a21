"""Findings: one for each fault, with a stable id, a sentence, a place and a line that repeats it."""

from __future__ import annotations

import hashlib
import json
import shlex
import uuid
from typing import Any

from recorded import LIVE, QUIET, exchange, request, response

from wiretape_capture.snapshot.exchange import Exchange
from wiretape_replay.compare.curl import curl_line
from wiretape_replay.compare.difference import Comparison
from wiretape_replay.compare.findings import collect, finding_ids
from wiretape_replay.compare.response import compare, no_response

ROUTE = "GET /orders/{id}"


def one(sequence: int, expected: Any, actual: Any, status: int = 200) -> tuple[Exchange, str, Comparison]:
    recorded = exchange(sequence, request("GET", f"/orders/{sequence}"), response(expected))
    live = response(actual, status)
    return recorded, ROUTE, compare(recorded, live, route=ROUTE, noise=QUIET, session=None, live_window=LIVE)


def test_the_same_fault_in_many_exchanges_is_one_finding() -> None:
    results = [one(n, {"lines": [{"qty": n}] * n}, {"lines": [{"qty": str(n)}] * n}) for n in (1, 2, 3)]
    results.append(one(4, {"a": 1}, {"a": 1}))
    findings, suppressed = collect(results, target="http://127.0.0.1:9000", reproduce=lambda s: f"again {s[0]}")
    assert suppressed == []
    (finding,) = findings
    assert finding.id == finding_ids(ROUTE, results[2][2])[0]
    assert (finding.kind, finding.pointer, finding.example_pointer) == ("type", "/lines/*/qty", "/lines/0/qty")
    assert (finding.sequences, finding.count, finding.of, finding.breaking) == ((1, 2, 3), 3, 4, True)
    assert finding.message == f'{ROUTE}: /lines/0/qty: was the number 1 and is now the string "1"'
    assert (finding.expected, finding.actual) == (1, "1")
    assert finding.curl == "curl -sS http://127.0.0.1:9000/orders/1"
    assert finding.reproduce == "again 1"


def test_ids_depend_on_neither_values_nor_order() -> None:
    first, _ = collect([one(1, {"a": 1}, {"a": 2}), one(2, {"b": 1}, {})])
    second, _ = collect([one(5, {"b": 7}, {}), one(6, {"a": 3}, {"a": 4})])
    assert {each.id for each in first} == {each.id for each in second}
    assert all(each.id.startswith("F-") and len(each.id) == 10 for each in first)


def test_the_most_severe_come_first() -> None:
    findings, _ = collect([one(1, {"a": 1}, {"a": 2, "new": 1}), one(2, {}, {"error": "x"}, status=500)])
    assert [(each.kind.value, each.severity.value) for each in findings] == [
        ("status", "error"), ("value", "error"), ("added", "info")]  # fmt: skip


def test_dependants_are_grouped_under_the_root() -> None:
    results = [one(1, {}, {}, status=500)]
    findings, _ = collect(results, blocked={2: 1, 3: 2, 4: 9})
    assert findings[0].dependants == (2, 3)


def test_what_was_suppressed_is_counted() -> None:
    uuids = [
        str(uuid.UUID(bytes=hashlib.md5(name).digest(), version=4)) for name in (b"a", b"b", b"c", b"d", b"e", b"f")
    ]
    results = [one(n, {"id": uuids[n]}, {"id": uuids[n + 3]}) for n in range(3)]
    findings, suppressed = collect(results)
    assert findings == []
    assert [(each.pointer, each.reason, each.count) for each in suppressed] == [("/id", "uuid", 3)]


def test_values_are_fit_to_be_written() -> None:
    results = [one(1, {"a": "x" * 500}, {"a": "\ud800"}), one(2, "[12345678901234567890]", "[NaN]"),
               one(3, {"b": {"deep": [1] * 500}}, {})]  # fmt: skip
    findings, _ = collect(results)
    assert len(json.dumps([each.model_dump(mode="json") for each in findings])) < 4000
    assert all(each.model_dump_json() for each in findings)


def test_no_response_is_a_finding() -> None:
    recorded = exchange(1, request("GET", "/orders/1"), response({}))
    findings, _ = collect([(recorded, ROUTE, no_response("connection refused"))])
    assert findings[0].message == f"{ROUTE}: no response came: connection refused"


def test_curl_lines_survive_a_shell() -> None:
    sent = request("PUT", "/a?q=it's", {"name": "O'Hara\n"}, X_Empty="", Accept_Encoding="br")
    words = shlex.split(curl_line(sent, "http://h:1/"))
    assert words == ["curl", "-sS", "-X", "PUT", "-H", "X-Empty;", "-H", "Content-Type: application/json",
                     "--data-binary", '{"name": "O\'Hara\\n"}', "http://h:1/a?q=it's"]  # fmt: skip
    assert "@request-body" in curl_line(request("POST", "/a", b"\0\1"), "http://h")
    assert curl_line(request("HEAD", "/a"), "http://h") == "curl -sS -I http://h/a"
