"""Response times of whole runs: warm-up, and an app measured in turn with its baseline."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest

from wiretape_capture.launch.spec import AppSpec
from wiretape_capture.snapshot.bodies import body_of
from wiretape_capture.snapshot.exchange import Direction, Exchange, Request, Response
from wiretape_capture.snapshot.tape_writer import TapeWriter
from wiretape_replay.engine.replay import replay
from wiretape_replay.engine.spec import BaselineSpec, ReplaySpec
from wiretape_replay.engine.turns import moved
from wiretape_replay.run_file import RunReader
from wiretape_replay.verdict.histogram import Histogram
from wiretape_replay.verdict.model import FindingClass, Run, Severity

START = 1_760_000_000_000_000_000


def get(sequence: int, path: str) -> Exchange:
    body = orjson.dumps({"path": path})
    return Exchange(
        sequence=sequence, direction=Direction.INBOUND, service="127.0.0.1:8000", command="GET", location=path,
        status="200", started_ns=START + sequence * 10**7, duration_us=2000, connection="c1",
        request=Request(method="GET", target=path, headers=(("Host", "127.0.0.1:8000"),)),
        response=Response(status=200, reason="OK", body=body_of(body), headers=(
            ("Content-Type", "application/json"), ("Content-Length", str(len(body))))),
    )  # fmt: skip


@pytest.fixture
async def tape(tmp_path: Path) -> Path:
    path = tmp_path / "shop.tape"
    async with await TapeWriter.create(path, name="shop", created_ns=START) as writer:
        for sequence, target in enumerate(["/a", "/b", "/a", "/b", "/a"], 1):
            writer.put(get(sequence, target))
    return path


@asynccontextmanager
async def answering(seconds: Mapping[str, float]) -> AsyncIterator[str]:
    """An app that echoes the path after so long, and counts how often each was asked for."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                path = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1].decode()
                await asyncio.sleep(seconds.get(path, 0.002))
                body = orjson.dumps({"path": path})
                head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
                writer.write(head + body)
        except asyncio.IncompleteReadError:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def run_of(spec: ReplaySpec) -> Run:
    async with asyncio.timeout(60):
        return await replay(spec, lambda _: None, asyncio.Event())


LIMIT = ("latency.p50 > baseline * 1.5", "latency.p50[GET /a] > baseline * 1.5")


async def test_an_equally_fast_app_passes_against_its_baseline(tape: Path, tmp_path: Path) -> None:
    async with answering({}) as app, answering({}) as baseline:
        run = await run_of(ReplaySpec(tape=tape, run=tmp_path / "r.run", target=app, fail_if=LIMIT,
                                      against=BaselineSpec(target=baseline), latency_seconds=20))  # fmt: skip
    assert (run.verdict.verdict, run.verdict.findings) == ("pass", ())
    assert {one.route: one.pairs for one in run.against_baseline} == {"GET /a": 59, "GET /b": 59}
    assert all("118 pairs sent in turn" in one.note for one in run.verdict.evals[:1])
    assert run.counts.total == 5


async def test_a_slowed_route_fails_the_eval_and_is_a_finding(tape: Path, tmp_path: Path) -> None:
    async with answering({"/a": 0.06}) as app, answering({}) as baseline:
        run = await run_of(ReplaySpec(tape=tape, run=tmp_path / "r.run", target=app, fail_if=LIMIT[1:],
                                      against=BaselineSpec(target=baseline), latency_seconds=20,
                                      command="wiretape verify"))  # fmt: skip
    assert run.verdict.verdict == "fail"
    (finding,) = run.verdict.findings
    assert (finding.kind, finding.route, finding.severity) == (FindingClass.LATENCY, "GET /a", Severity.WARNING)
    assert finding.sequences == (1, 3, 5)
    assert finding.reproduce == "wiretape verify --only 1"
    assert "pairs of requests sent in turn to baseline and app, p = 0.0" in finding.evidence
    slow = next(one for one in run.against_baseline if one.route == "GET /a")
    assert slow.app.p50 > slow.baseline.p50 + 5


async def test_too_few_pairs_are_inconclusive(tape: Path, tmp_path: Path) -> None:
    async with answering({"/a": 0.06}) as app, answering({}) as baseline:
        run = await run_of(ReplaySpec(tape=tape, run=tmp_path / "r.run", target=app, fail_if=LIMIT[1:],
                                      against=BaselineSpec(target=baseline), latency_seconds=0.000001))  # fmt: skip
    assert (run.verdict.verdict, run.exit_code) == ("inconclusive", 4)
    assert "2 pairs are too few, it needs 8" in run.verdict.evals[0].note


APP = """
import http.server, json, os, sys, time
class App(http.server.BaseHTTPRequestHandler):
    disable_nagle_algorithm = True
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        time.sleep(float(sys.argv[2]))
        body = json.dumps({"path": self.path}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), App).serve_forever()
"""


async def test_apps_of_our_own_are_started_for_it(tape: Path, tmp_path: Path, free_port: Callable[[], int]) -> None:
    (tmp_path / "app.py").write_text(APP)

    def app(port: int, seconds: str) -> AppSpec:
        return AppSpec(command=(sys.executable, str(tmp_path / "app.py"), str(port), seconds), port=port,
                       log=tmp_path / f"{port}.log")  # fmt: skip

    ours, theirs = free_port(), free_port()
    run = await run_of(ReplaySpec(
        tape=tape, run=tmp_path / "r.run", app=app(ours, "0.06"), fail_if=("latency.p50 > baseline * 2",),
        against=BaselineSpec(app=app(theirs, "0.002"), runs=1), latency_seconds=3,
    ))  # fmt: skip
    assert run.verdict.verdict == "fail"
    assert [finding.kind for finding in run.verdict.findings] == [FindingClass.LATENCY] * 2
    assert (tmp_path / f"{ours}.log").exists()
    assert (tmp_path / f"{ours}.turns.log").exists()


async def test_a_baseline_that_wants_the_same_port_is_moved_where_its_command_names_it(
    tape: Path, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    (tmp_path / "app.py").write_text(APP)
    port = free_port()
    app = AppSpec(command=(sys.executable, str(tmp_path / "app.py"), str(port), "0.001"), port=port)
    slow = app.model_copy(update={"command": (*app.command[:-1], "0.06")})
    run = await run_of(ReplaySpec(tape=tape, run=tmp_path / "r.run", app=slow, fail_if=("latency.p50 > baseline * 2",),
                                  against=BaselineSpec(app=app, runs=1), latency_seconds=2))  # fmt: skip
    assert run.verdict.verdict == "fail", run.notes


async def test_a_baseline_whose_port_nobody_names_is_not_measured_and_it_is_told(
    tape: Path, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    port = free_port()
    (tmp_path / "app.py").write_text(APP.replace("int(sys.argv[1])", str(port)))
    app = AppSpec(command=(sys.executable, str(tmp_path / "app.py"), "x", "0"), port=port)
    run = await run_of(ReplaySpec(tape=tape, run=tmp_path / "r.run", app=app, fail_if=LIMIT[:1],
                                  against=BaselineSpec(app=app, runs=1), latency_seconds=3))  # fmt: skip
    assert run.verdict.verdict == "inconclusive"
    assert any("both want one port" in note for note in run.notes)


def test_a_port_is_moved_as_a_whole_number_only() -> None:
    app = AppSpec(command=("serve", "--bind=127.0.0.1:8000", "--max", "18000"), port=8000, env={"PORT": "8000"})
    other = moved(app, 9001)
    assert other is not None
    assert (other.command, other.env, other.port) == (
        ("serve", "--bind=127.0.0.1:9001", "--max", "18000"), {"PORT": "9001"}, 9001,
    )  # fmt: skip
    assert moved(AppSpec(command=("serve",), port=8000), 9001) is None


async def test_warm_up_is_compared_but_not_measured(tape: Path, tmp_path: Path) -> None:
    async with answering({}) as app:
        run = await run_of(ReplaySpec(tape=tape, run=tmp_path / "r.run", target=app, warmup=1))
    assert (run.counts.total, run.verdict.verdict) == (5, "pass")
    assert run.latency is not None
    assert run.latency.count == 3
    assert "2 first requests of their routes are warm-up, not in the response times" in run.notes
    merged = Histogram.merged(route.histogram for route in run.routes if route.histogram)
    assert merged.count == 3
    async with await RunReader.open(tmp_path / "r.run") as reader:
        results = await reader.results()
    assert [one.sequence for one in results if one.warmup] == [1, 2]
    assert merged == Histogram.of(one.latency_ms for one in results if one.latency_ms and not one.warmup)


async def test_a_failure_during_warm_up_still_fails(tape: Path, tmp_path: Path) -> None:
    async def broken(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(broken, "127.0.0.1", 0)
    async with server:
        target = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        run = await run_of(ReplaySpec(tape=tape, run=tmp_path / "r.run", target=target, warmup=9))
    assert (run.verdict.verdict, run.counts.errors) == ("fail", 5)
