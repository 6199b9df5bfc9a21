"""Whole runs: a recording made by hand, a real app as a process, the verdict."""

from __future__ import annotations

import asyncio
import os
import sys
import textwrap
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import orjson
import pytest

from wiretape_capture.errors import UsageError, WiretapeError
from wiretape_capture.jobs.events import Event, Progress, Ready
from wiretape_capture.launch.spec import AppSpec
from wiretape_capture.snapshot.bodies import body_of
from wiretape_capture.snapshot.exchange import Body, Direction, Exchange, Protocol, Request, Response
from wiretape_capture.snapshot.tape_writer import TapeWriter
from wiretape_replay.engine.replay import replay
from wiretape_replay.engine.spec import ReplaySpec
from wiretape_replay.run_file import RunReader
from wiretape_replay.verdict.model import Outcome, Run

APP = """
import json, os, sys, time, uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

orders, served = {}, 0

class Shop(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body, *headers):
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in (*headers, ("Content-Type", "application/json"), ("Content-Length", str(len(data)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        CHANGE_GET
        name = self.path.rpartition("/")[2]
        if self.path == "/orders":
            self.answer(200, sorted(orders))
        elif name in orders:
            self.answer(200, orders[name])
        elif self.path == "/slow":
            time.sleep(60)
        else:
            self.answer(404, {"error": "no such thing"})

    def do_POST(self):
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        CHANGE_POST
        name = str(uuid.uuid4())
        orders[name] = {"id": name, "item": sent["item"], "total": 12.5, "at": time.time()}
        self.answer(201, orders[name], ("Location", f"/orders/{name}"))

    def log_message(self, *args):
        pass

ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Shop).serve_forever()
"""


def app_spec(tmp_path: Path, port: int, get: str = "pass", post: str = "pass") -> AppSpec:
    source = tmp_path / f"app{port}.py"
    source.write_text(textwrap.dedent(APP).replace("CHANGE_GET", get).replace("CHANGE_POST", post))
    return AppSpec(command=(sys.executable, str(source), str(port)), port=port, log=tmp_path / f"app{port}.log")


START = 1_760_000_000_000_000_000
ORDER = "0b5f0e5c-8a35-4f6e-9a43-7d1f4f1e2a01"


def exchange(
    sequence: int, method: str, target: str, body: object = None, sent: object = None, status: int = 200, *,
    connection: str = "c1", headers: Sequence[tuple[str, str]] = (), at_ms: int | None = None,
) -> Exchange:  # fmt: skip
    asked = orjson.dumps(sent) if sent is not None else b""
    framing = (("Content-Type", "application/json"), ("Content-Length", str(len(asked)))) if asked else ()
    answered = orjson.dumps(body)
    return Exchange(
        sequence=sequence, direction=Direction.INBOUND, service="127.0.0.1:8000", command=method, location=target,
        status=str(status), started_ns=START + (at_ms if at_ms is not None else sequence * 10) * 1_000_000,
        duration_us=2000, connection=connection,
        request=Request(method=method, target=target, body=body_of(asked),
                        headers=(("Host", "127.0.0.1:8000"), ("User-Agent", "test"), *framing)),
        response=Response(status=status, reason="", body=body_of(answered), headers=(
            *headers, ("Content-Type", "application/json"), ("Content-Length", str(len(answered))))),
    )  # fmt: skip


def shop() -> list[Exchange]:
    order = {"id": ORDER, "item": "tea", "total": 12.5, "at": START / 1e9 + 0.02}
    return [
        exchange(1, "GET", "/orders", []),
        exchange(2, "POST", "/orders", order, {"item": "tea"}, 201, headers=[("Location", f"/orders/{ORDER}")]),
        exchange(3, "GET", f"/orders/{ORDER}", order),
        exchange(4, "GET", "/orders", [ORDER], connection="c2"),
        exchange(5, "GET", "/nothing", {"error": "no such thing"}, status=404, connection="c3"),
    ]


async def record(tmp_path: Path, exchanges: Sequence[Exchange]) -> Path:
    tape = await TapeWriter.create(tmp_path / "shop.tape", name="shop", created_ns=START)
    for one in exchanges:
        tape.put(one)
    await tape.close()
    return tmp_path / "shop.tape"


class Playing:
    """One run, its events, and its file."""

    def __init__(self, spec: ReplaySpec) -> None:
        self.spec = spec
        self.events: list[Event] = []
        self.stop = asyncio.Event()

    async def run(self) -> Run:
        async with asyncio.timeout(60):
            return await replay(self.spec, self.events.append, self.stop)

    async def outcomes(self) -> dict[int, Outcome]:
        async with await RunReader.open(self.spec.run) as reader:
            return {result.sequence: result.outcome for result in await reader.results()}


async def playing(tmp_path: Path, exchanges: Sequence[Exchange], **given: object) -> Playing:
    tape = tmp_path / "shop.tape"
    if not tape.exists():
        await record(tmp_path, exchanges)
    return Playing(ReplaySpec.model_validate({"tape": tape, "run": tmp_path / "r1.run", **given}))


async def test_an_unchanged_app_passes_with_no_finding(tmp_path: Path, free_port: Callable[[], int]) -> None:
    one = await playing(tmp_path, shop(), app=app_spec(tmp_path, free_port()))
    run = await one.run()
    assert (run.verdict.findings, run.verdict.verdict, run.exit_code) == ((), "pass", 0)
    assert run.verdict.reason == "all 5 exchanges came out equal"
    assert run.counts.total == 5
    assert run.bindings == 1
    assert run.contract_violations == 0
    assert run.suppressed
    assert {route.route: route.requests for route in run.routes} == {
        "GET /nothing": 1, "GET /orders": 2, "GET /orders/{id}": 1, "POST /orders": 1,
    }  # fmt: skip
    assert run.latency is not None
    assert run.latency.count == 5
    assert isinstance(one.events[-1], Progress)
    assert (one.events[-1].done, one.events[-1].total) == (5, 5)
    assert [event.endpoints["target"] for event in one.events if isinstance(event, Ready)] == [run.target]
    async with await RunReader.open(one.spec.run) as reader:
        assert await reader.run() == run
        live = await reader.live_response(3)
        assert live is not None
        assert b'"item": "tea"' in (live.body.data or b"")


async def test_a_changed_type_fails_with_a_finding_at_its_place(tmp_path: Path, free_port: Callable[[], int]) -> None:
    change = "orders.update({k: {**v, 'total': str(v['total'])} for k, v in orders.items()})"
    one = await playing(tmp_path, shop(), app=app_spec(tmp_path, free_port(), get=change),
                        command="wiretape verify --only 1 -- python app.py")  # fmt: skip
    run = await one.run()
    assert (run.verdict.verdict, run.exit_code) == ("fail", 1)
    (finding,) = run.verdict.findings
    assert (finding.route, finding.pointer, finding.sequences) == ("GET /orders/{id}", "/total", (3,))
    assert finding.evidence == "number in 1 of 1 recorded answers"
    assert run.contract_violations == 1
    assert finding.reproduce == "wiretape verify --only 3 -- python app.py"
    assert run.verdict.reason.startswith("requests.failed > 0.00 is true, observed 1.00; first: GET /orders/{id}")
    async with await RunReader.open(one.spec.run) as reader:
        recorded = await reader.recorded(3)
        assert recorded == shop()[2]
    assert (await one.outcomes())[3] is Outcome.DIFFERENT


async def test_dependants_of_a_failure_are_blocked_not_failed(tmp_path: Path, free_port: Callable[[], int]) -> None:
    change = "return self.answer(500, {'error': 'broken'})"
    one = await playing(tmp_path, shop()[:3], app=app_spec(tmp_path, free_port(), post=change))
    run = await one.run()
    assert await one.outcomes() == {
        1: Outcome.BYTES_EQUAL if run.counts.bytes_equal else Outcome.SEMANTICALLY_EQUAL,
        2: Outcome.DIFFERENT, 3: Outcome.BLOCKED,
    }  # fmt: skip
    (finding,) = run.verdict.findings
    assert (finding.route, finding.dependants) == ("POST /orders", (3,))
    assert run.counts.failed == 2


async def test_a_filter_takes_what_it_depends_on_along(tmp_path: Path, free_port: Callable[[], int]) -> None:
    one = await playing(tmp_path, shop(), app=app_spec(tmp_path, free_port()), routes=("GET /orders/*",))
    run = await one.run()
    assert await one.outcomes() == dict.fromkeys((2, 3), Outcome.SEMANTICALLY_EQUAL)
    assert run.verdict.verdict == "pass"


async def test_a_filter_that_fits_nothing_names_the_nearest_route(tmp_path: Path) -> None:
    one = await playing(tmp_path, shop(), target="http://127.0.0.1:1", routes=("GET /order",))
    with pytest.raises(UsageError, match=r"no inbound exchange .* matches GET /order; did you mean GET /orders"):
        await one.run()


async def test_an_app_that_dies_ends_the_run_with_its_last_words(tmp_path: Path, free_port: Callable[[], int]) -> None:
    change = "print('out of coffee', flush=True); os._exit(7)"
    one = await playing(tmp_path, shop(), app=app_spec(tmp_path, free_port(), post=change))
    run = await one.run()
    assert run.verdict.verdict == "fail"
    assert run.counts.errors == 4 - run.counts.blocked
    assert run.notes == ("the app ended with status 7 during the run; it last said: out of coffee",)


async def test_a_run_says_which_bodies_are_not_what_they_claim(tmp_path: Path, free_port: Callable[[], int]) -> None:
    change = "json.dumps = lambda body: '{\"error\": 1,,}'"
    one = await playing(tmp_path, shop()[-1:], app=app_spec(tmp_path, free_port(), get=change))
    run = await one.run()
    how = ("compared as text, for it is no valid application/json: "
           "expecting property name enclosed in double quotes at line 1 column 13")  # fmt: skip
    assert run.notes == (f"GET /nothing: 1 answer {how}",)
    assert [(each.kind, each.evidence) for each in run.verdict.findings] == [("type", how)]


@pytest.mark.skipif(os.getpid() < 300, reason="a process that is this young has the number of a count")
@pytest.mark.parametrize(("told", "verdict"), [
    ("os.getpid()", "pass"), ("os.getppid()", "fail"), ("os.getpid() + 1", "fail"), ("str(os.getpid())", "fail"),
])  # fmt: skip
async def test_the_process_id_of_our_own_app_is_no_finding(tmp_path: Path, free_port: Callable[[], int], told: str,
                                                           verdict: str) -> None:  # fmt: skip
    change = f"self.path == '/nothing' and self.answer(404, {{'pid': {told}}})"
    recorded = exchange(1, "GET", "/nothing", {"pid": 70_017}, status=404)
    app = app_spec(tmp_path, free_port(), get=f"return {change}")
    run = await (await playing(tmp_path, [recorded], app=app)).run()
    assert run.verdict.verdict == verdict
    assert [each.reason for each in run.suppressed if "pid" in each.pointer] == (
        ["process id of the app"] if verdict == "pass" else []
    )


async def test_a_target_that_refuses_is_an_error_of_the_environment(tmp_path: Path,
                                                                    free_port: Callable[[], int]) -> None:  # fmt: skip
    one = await playing(tmp_path, shop(), target=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(WiretapeError, match="cannot be reached: connection refused") as failed:
        await one.run()
    assert failed.value.exit_code == 3
    assert not one.spec.run.exists()


@pytest.mark.parametrize("kind", ["empty", "websocket", "cut off"])
async def test_a_run_that_sends_nothing_is_inconclusive(tmp_path: Path, kind: str) -> None:
    first = shop()[0]
    recorded = {
        "empty": [], "websocket": [first.model_copy(update={"protocol": Protocol.WEBSOCKET})],
        "cut off": [first.model_copy(update={"response": None, "status": "", "error": "reset"})],
    }[kind]  # fmt: skip
    run = await (await playing(tmp_path, recorded, target="http://127.0.0.1:1")).run()
    assert (run.verdict.verdict, run.exit_code) == ("inconclusive", 4)
    assert run.verdict.reason.startswith("nothing was sent")
    assert "`wiretape mock` answers its outbound calls" in run.verdict.reason
    assert len(run.notes) == (kind != "empty")


async def test_a_run_without_any_response_never_passes(tmp_path: Path, free_port: Callable[[], int]) -> None:
    async def slam(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    port = free_port()
    async with await asyncio.start_server(slam, "127.0.0.1", port):
        one = await playing(tmp_path, shop(), target=f"http://127.0.0.1:{port}", fail_if=("requests.total > 100",))
        run = await one.run()
    assert run.verdict.verdict == "inconclusive"
    assert run.verdict.reason == "nothing was compared: no exchange got a response"


async def test_a_stopped_run_is_written_and_inconclusive(tmp_path: Path, free_port: Callable[[], int]) -> None:
    slow = [*shop()[:1], exchange(9, "GET", "/slow", {})]
    one = await playing(tmp_path, slow, app=app_spec(tmp_path, free_port()))
    running = asyncio.create_task(one.run())
    while not any(isinstance(event, Progress) and event.done == 1 for event in one.events):
        assert not running.done()
        await asyncio.sleep(0.02)
    one.stop.set()
    run = await running
    assert (run.verdict.verdict, run.verdict.reason) == ("inconclusive", "stopped after 1 of 2 exchanges")
    assert await one.outcomes() == {1: Outcome.BYTES_EQUAL if run.counts.bytes_equal else Outcome.SEMANTICALLY_EQUAL}
    with pytest.raises(OSError, match=r"refused|Connect call failed"):
        await asyncio.open_connection("127.0.0.1", one.spec.app.port if one.spec.app else 0)


async def test_a_long_poll_sees_what_its_session_does(tmp_path: Path, free_port: Callable[[], int]) -> None:
    written = asyncio.Event()

    async def poll(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"GET"):
            await written.wait()
        else:
            written.set()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\nnull")
        writer.close()

    def under_way(one: Exchange, took_ms: int) -> Exchange:
        headers = (*one.request.headers, ("Cookie", "session=0b5f0e5c8a354f6e9a43"))
        return one.model_copy(update={"duration_us": took_ms * 1000,
                                      "request": one.request.model_copy(update={"headers": headers})})  # fmt: skip

    both = [under_way(exchange(1, "GET", "/events", at_ms=0), 900),
            under_way(exchange(2, "POST", "/say", at_ms=500, connection="c2"), 5)]  # fmt: skip
    port = free_port()
    async with await asyncio.start_server(poll, "127.0.0.1", port):
        run = await (await playing(tmp_path, both, target=f"http://127.0.0.1:{port}", timeout=10)).run()
    assert run.verdict.verdict == "pass"
    assert written.is_set()


async def test_one_at_a_time_requests_are_sent_in_the_order_in_which_they_began(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    came: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append((await reader.readuntil(b"\r\n\r\n")).split()[1].decode())
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\nnull")
        writer.close()

    spans = [(0, 10, "a"), (5, 7, "b"), (13, 90, "b"), (15, 20, "a"), (16, 10, "c"), (22, 60, "c")]
    tape = [exchange(number, "GET", f"/{at_ms}", at_ms=at_ms, connection=connection).model_copy(
                update={"duration_us": took * 1000, "session": connection})
            for number, (at_ms, took, connection) in enumerate(spans, 1)]  # fmt: skip
    port = free_port()
    async with await asyncio.start_server(answer, "127.0.0.1", port):
        await (await playing(tmp_path, tape, target=f"http://127.0.0.1:{port}", concurrency=1)).run()
    assert came == [f"/{at_ms}" for at_ms, _, _ in spans]


async def test_a_stop_while_the_app_starts_ends_the_run_and_the_app(tmp_path: Path,
                                                                    free_port: Callable[[], int]) -> None:  # fmt: skip
    never = AppSpec(command=(sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"),
                    port=free_port(), log=tmp_path / "app.log")  # fmt: skip
    one = await playing(tmp_path, shop(), app=never)
    running = asyncio.create_task(one.run())
    while not any(isinstance(event, Progress) and event.message == "starting" for event in one.events):
        assert not running.done()
        await asyncio.sleep(0.02)
    one.stop.set()
    run = await running
    assert (run.verdict.verdict, run.verdict.reason) == ("inconclusive", "stopped after 0 of 5 exchanges")


async def test_a_run_file_is_never_overwritten(tmp_path: Path) -> None:
    one = await playing(tmp_path, shop(), target="http://127.0.0.1:1")
    one.spec.run.write_text("mine")
    with pytest.raises(UsageError, match="there is a run file"):
        await one.run()


async def test_a_baseline_is_asked_for_before_anything_starts(tmp_path: Path) -> None:
    one = await playing(tmp_path, shop(), target="http://127.0.0.1:1", fail_if=("latency.p95 > baseline * 1.1",))
    with pytest.raises(UsageError, match="needs a baseline"):
        await one.run()


async def test_a_later_run_is_judged_against_a_baseline(tmp_path: Path, free_port: Callable[[], int]) -> None:
    first = await playing(tmp_path, shop(), app=app_spec(tmp_path, free_port()))
    before = await first.run()
    second = await playing(tmp_path, shop(), app=app_spec(tmp_path, free_port()), run=tmp_path / "r2.run",
                           baseline=first.spec.run, fail_if=("latency.avg > baseline * 1000",))  # fmt: skip
    run = await second.run()
    assert before.latency is not None
    assert run.verdict.evals[0].note == (
        f"baseline latency.avg was {before.latency.avg:.2f}; 5 pairs with an earlier run, which is weaker evidence"
    )
    assert run.verdict.verdict == "pass"


async def test_recorded_timing_keeps_to_an_absolute_schedule(tmp_path: Path, free_port: Callable[[], int]) -> None:
    apart = [exchange(n, "GET", "/orders", [], at_ms=n * 100, connection=f"c{n}") for n in range(1, 5)]
    one = await playing(tmp_path, apart, app=app_spec(tmp_path, free_port()), timing="2x")
    began = time.monotonic()
    run = await one.run()
    assert 150 <= run.duration_ms <= (time.monotonic() - began) * 1000
    assert run.verdict.verdict == "pass"


async def test_a_large_upload_streams_from_the_tape(tmp_path: Path, free_port: Callable[[], int]) -> None:
    size = 12 << 20
    received: list[int] = []

    async def sink(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"content-length: 12582912" in head.lower()
        received.extend([len(await reader.readexactly(1 << 16)) for _ in range(size >> 16)])
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\nnull")
        writer.close()

    big = exchange(1, "PUT", "/blob", None)
    body = body_of(bytes(size))
    request = big.request.model_copy(update={"body": body, "headers": (("Host", "a"), ("Content-Length", str(size)))})
    port = free_port()
    async with await asyncio.start_server(sink, "127.0.0.1", port):
        one = await playing(tmp_path, [big.model_copy(update={"request": request})], target=f"http://127.0.0.1:{port}")
        run = await one.run()
    assert run.verdict.verdict == "pass"
    assert sum(received) == size
    assert Body(size=size, sha256=body.sha256, data=None).size == size
