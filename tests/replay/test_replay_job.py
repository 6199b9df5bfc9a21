"""The replay job as the faces run it: a process with a real app and a real mock beside it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import orjson

from wiretape_capture.jobs.events import Failed, Finished, Progress, Ready, Started
from wiretape_capture.jobs.parent import Job
from wiretape_capture.launch.spec import AppSpec
from wiretape_capture.snapshot.bodies import body_of
from wiretape_capture.snapshot.exchange import Direction, Exchange, Request, Response
from wiretape_capture.snapshot.tape_writer import TapeWriter
from wiretape_replay.engine.spec import ReplaySpec
from wiretape_replay.mock.spec import MockSpec
from wiretape_replay.run_file import RunReader
from wiretape_replay.verdict.model import FindingClass, Run

START = 1_760_000_000_000_000_000

APP = """
import json, sys, urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

class Prices(BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            with urllib.request.urlopen("http://rates.test/v1/PATH", timeout=60) as reply:
                status, body = 200, {"price": 2 * json.load(reply)["rate"]}
        except urllib.error.HTTPError as error:
            status, body = 200, {"price": 3.0}
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass

HTTPServer(("127.0.0.1", int(sys.argv[1])), Prices).serve_forever()
"""


KILL_THE_MOCK = """def do_GET(self):
        import os, pathlib, signal
        children = pathlib.Path(f"/proc/{os.getppid()}/task/{os.getppid()}/children").read_text().split()
        for child in children:
            if b"wiretape_replay.mock" in pathlib.Path(f"/proc/{child}/cmdline").read_bytes():
                os.kill(int(child), signal.SIGKILL)"""


def exchange(sequence: int, direction: Direction, service: str, target: str, body: object) -> Exchange:
    data = orjson.dumps(body)
    head = (("Content-Type", "application/json"), ("Content-Length", str(len(data))))
    return Exchange(
        sequence=sequence, direction=direction, service=service, command="GET", location=target, status="200",
        started_ns=START + sequence * 1_000_000, duration_us=500 if sequence % 2 == 0 else 3000,
        request=Request(method="GET", target=target, headers=(("Host", service),)),
        response=Response(status=200, reason="OK", headers=head, body=body_of(data)),
    )  # fmt: skip


def recording() -> list[Exchange]:
    return [
        exchange(1, Direction.INBOUND, "127.0.0.1:8000", "/price", {"price": 3.0}),
        exchange(2, Direction.OUTBOUND, "rates.test:80", "/v1/rate", {"rate": 1.5}),
    ]


async def spec_for(tmp_path: Path, port: int, path: str = "rate", exchanges: Sequence[Exchange] = ()) -> ReplaySpec:
    tape = tmp_path / "prices.tape"
    writer = await TapeWriter.create(tape, name="prices", created_ns=START)
    for one in exchanges or recording():
        writer.put(one)
    await writer.close()
    source = tmp_path / "app.py"
    source.write_text(APP.replace("PATH", path))
    app = AppSpec(command=(sys.executable, str(source), str(port)), port=port, log=tmp_path / "app.log")
    return ReplaySpec(tape=tape, run=tmp_path / "r1.run", app=app, mock=MockSpec(tape=tape, ca_dir=tmp_path / "ca"))


async def outcome_of(spec: ReplaySpec, log: Path) -> Run:
    job = await Job.start("wiretape_replay.engine", spec, log=log)
    events = [event async for event in job.events()]
    assert isinstance(events[0], Started)
    assert not [event for event in events if isinstance(event, Failed)]
    assert {type(event) for event in events} >= {Ready, Progress, Finished}
    (ready,) = [event for event in events if isinstance(event, Ready)]
    assert set(ready.endpoints) >= {"proxy", "target"}
    last = events[-1]
    assert isinstance(last, Finished)
    return Run.model_validate(last.result)


async def test_an_unchanged_app_passes_with_its_service_mocked(tmp_path: Path, free_port: Callable[[], int]) -> None:
    spec = await spec_for(tmp_path, free_port())
    run = await outcome_of(spec, tmp_path / "job.log")
    assert (run.verdict.verdict, run.verdict.findings) == ("pass", ())
    assert [one.expression for one in run.verdict.evals] == ["requests.failed > 0.00", "mock.misses > 0.00"]
    assert run.mock is not None
    assert (run.mock.exact, run.mock.total) == (1, 1)
    async with await RunReader.open(spec.run) as reader:
        (answer,) = await reader.journal()
    assert (answer.location, answer.tier, answer.sequence) == ("/v1/rate", "exact", 2)


async def test_a_changed_outbound_call_fails_the_run(tmp_path: Path, free_port: Callable[[], int]) -> None:
    run = await outcome_of(await spec_for(tmp_path, free_port(), path="quote"), tmp_path / "job.log")
    assert run.counts.failed == 1
    assert run.verdict.verdict == "fail"
    assert [(one.kind, one.route, one.pointer, one.sequences, one.of) for one in run.verdict.findings] == [
        (FindingClass.OUTBOUND, "GET /price", "unexpected GET rates.test:80/v1/quote", (1,), 1),
        (FindingClass.OUTBOUND, "GET /price", "missing GET rates.test:80/v1/rate", (1,), 1),
    ]  # fmt: skip
    assert "first: GET /price: the app called GET /v1/quote of rates.test:80, which the recording" in run.verdict.reason


async def test_an_app_that_never_gets_ready_ends_the_job(tmp_path: Path, free_port: Callable[[], int]) -> None:
    spec = await spec_for(tmp_path, free_port())
    broken = AppSpec(command=(sys.executable, "-c", "raise SystemExit('no database')"), port=free_port())
    job = await Job.start("wiretape_replay.engine", spec.model_copy(update={"app": broken}), log=tmp_path / "job.log")
    events = [event async for event in job.events()]
    failed = events[-1]
    assert isinstance(failed, Failed)
    assert failed.exit_code == 3
    assert failed.problem == "the app exited with status 1 before it was ready"
    assert "no database" in failed.hint


async def test_a_mock_that_is_killed_makes_the_run_inconclusive(tmp_path: Path, free_port: Callable[[], int]) -> None:
    spec = await spec_for(tmp_path, free_port())
    source = (tmp_path / "app.py").read_text().replace("def do_GET(self):", KILL_THE_MOCK)
    (tmp_path / "app.py").write_text(source.replace("urllib.error.HTTPError", "OSError"))
    run = await outcome_of(spec, tmp_path / "job.log")
    assert run.counts.failed == 0
    assert run.verdict.verdict == "inconclusive"
    assert run.verdict.reason.startswith("the mock failed during the run: wiretape_replay.mock ended without a result")
