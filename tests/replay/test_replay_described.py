"""Whole runs against a given OpenAPI description, with a real app as a process."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from recorded import exchange, request, response

from wiretape_capture.errors import UsageError
from wiretape_capture.launch.spec import AppSpec
from wiretape_capture.snapshot.tape_writer import TapeWriter
from wiretape_replay.engine.replay import replay
from wiretape_replay.engine.spec import ReplaySpec
from wiretape_replay.run_file import RunReader
from wiretape_replay.verdict.model import Outcome, Run

APP = """
import json, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Pages(BaseHTTPRequestHandler):
    def do_GET(self):
        data = json.dumps(ANSWER).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass

HTTPServer(("127.0.0.1", int(sys.argv[1])), Pages).serve_forever()
"""
SPEC = """
openapi: 3.0.3
info: {title: pages, version: '1'}
paths:
  /pages/{name}:
    get:
      parameters: [{name: size, in: query, required: true, schema: {type: integer}}]
      responses:
        200: {description: page, content: {application/json: {schema: {$ref: '#/components/schemas/Page'}}}}
components:
  schemas:
    Page: {type: object, required: [title, rank], properties: {title: {type: string}, rank: {type: integer}}}
"""
GOOD = {"title": "Imprint", "rank": 3}


async def run(tmp_path: Path, port: int, recorded: Any, live: Any, **given: Any) -> Run:
    tape = tmp_path / "pages.tape"
    async with await TapeWriter.create(tape, name="pages", created_ns=1) as writer:
        for sequence, target in enumerate(["/pages/imprint", "/pages/about?size=9", "/elsewhere"], 1):
            writer.put(exchange(sequence, request("GET", target), response(recorded, Content_Length="1")))
    source = tmp_path / "app.py"
    source.write_text(APP.replace("ANSWER", repr(live)))
    (tmp_path / "pages.yaml").write_text(SPEC)
    app = AppSpec(command=(sys.executable, str(source), str(port)), port=port, log=tmp_path / "app.log")
    spec = ReplaySpec(tape=tape, run=tmp_path / "r.run", app=app, **({"openapi": tmp_path / "pages.yaml"} | given))
    async with asyncio.timeout(60):
        return await replay(spec, lambda _event: None, asyncio.Event())


def told(found: Run) -> list[tuple[Any, ...]]:
    return [(f.kind.value, f.severity.value, f.breaking, f.route, f.pointer, f.count, f.of, f.evidence)
            for f in found.verdict.findings]  # fmt: skip


UNDOCUMENTED = ("schema", "warning", False, "GET /elsewhere", "", 1, 1, "breaks pages.yaml#/paths")


async def test_an_answer_as_recorded_that_breaks_the_description_fails(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    wrong = GOOD | {"rank": "third"}
    found = await run(tmp_path, free_port(), wrong, wrong, route_templates=("/pages/{page}",))
    assert found.verdict.verdict == "fail"
    rank = "breaks pages.yaml#/components/schemas/Page/properties/rank/type"
    assert told(found) == [("schema", "error", True, "GET /pages/{page}", "/rank", 2, 2, rank), UNDOCUMENTED]
    first = found.verdict.findings[0]
    assert (first.expected, first.actual, first.sequences) == ("integer", "string", (1, 2))
    assert "curl" in first.curl
    async with await RunReader.open(tmp_path / "r.run") as reader:
        outcomes = {result.sequence: result.outcome for result in await reader.results()}
    assert outcomes == {1: Outcome.DIFFERENT, 2: Outcome.DIFFERENT, 3: Outcome.BYTES_EQUAL}


async def test_a_plain_difference_is_told_once_with_the_rule_it_breaks(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    found = await run(tmp_path, free_port(), GOOD, GOOD | {"rank": "3"}, route_templates=("/pages/{page}",))
    types = [each for each in told(found) if each[0] == "type"]
    assert [(each[4], each[7]) for each in types if each[3] == "GET /pages/{page}"] == [
        ("/rank", "integer in 2 of 2 recorded answers; breaks pages.yaml#/components/schemas/Page/properties/rank/type")
    ]
    assert [each for each in told(found) if each[0] == "schema"] == [UNDOCUMENTED]


async def test_recorded_requests_are_checked_on_demand_and_never_fail_the_run(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    found = await run(tmp_path, free_port(), GOOD, GOOD, openapi_requests=True)
    size = "breaks pages.yaml#/paths/~1pages~1{name}/get/parameters/0/required"
    assert found.verdict.verdict == "pass"
    assert told(found)[0] == ("schema", "warning", False, "GET /pages/imprint", "query:size", 1, 1, size)
    assert len(told(found)) == 2


async def test_a_description_that_cannot_be_used_is_told_before_the_app_starts(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text(json.dumps({"openapi": "3.1.0", "paths": {"/x": {"$ref": "#/gone"}}}))
    with pytest.raises(UsageError, match='refers to "#/gone" at #/paths/~1x, which does not exist'):
        await run(tmp_path, free_port(), GOOD, GOOD, openapi=bad)
    assert not (tmp_path / "app.log").exists()
    assert not (tmp_path / "r.run").exists()
