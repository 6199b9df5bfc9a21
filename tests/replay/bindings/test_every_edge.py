"""An app with every kind of edge: what a client really took from where is found whole, nothing else, and followed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from everything import SCRIPT, TRUTH, Everything
from recorded import RECORDED_NS, body, record, replay

from wiretape_capture.snapshot.exchange import Exchange, Request
from wiretape_capture.snapshot.tape_writer import TapeWriter
from wiretape_replay.bindings.plan import find_bindings
from wiretape_replay.engine.replay import replay as replay_run
from wiretape_replay.engine.spec import ReplaySpec
from wiretape_replay.verdict.model import Run
from wiretape_server.cli.main import run as wiretape


@pytest.mark.parametrize("seed", range(1, 41))
def test_every_edge_is_found_and_no_other(seed: int) -> None:
    plan = find_bindings(record(Everything(seed, seed * 3), SCRIPT))
    assert {(edge.producer, edge.consumer) for edge in plan.edges} == TRUTH


@pytest.mark.parametrize("seed", range(1, 41))
def test_every_edge_is_followed_whatever_the_values_are(seed: int) -> None:
    """Live numbers begin 0 to 11 away from the recorded ones, so most of them name something else in the recording."""
    exchanges = record(Everything(seed, 10), SCRIPT)
    result = replay(exchanges, Everything(seed + 1000, 10 + seed % 12))
    expected = [each.response.status for each in exchanges if each.response]
    assert ([answer.status for answer in result.live.values()], result.blocked) == (expected, {})
    assert result.live[31].body.data is not None
    assert json.loads(result.live[31].body.data)["name"] == "pot"


@contextmanager
def served(app: Everything) -> Iterator[str]:
    class Served(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            sent = Request(method=self.command, target=self.path, headers=tuple(self.headers.items()), body=body(data))
            found = app(sent, RECORDED_NS)
            self.send_response(found.status)
            for name, value in (*found.headers, ("Content-Length", str(found.body.size))):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(found.body.data or b"")

        do_GET = do_POST = do_PUT = answer

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Served)
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


async def write_tape(path: Path, exchanges: list[Exchange]) -> None:
    tape = await TapeWriter.create(path, name=path.stem, created_ns=RECORDED_NS)
    for each in exchanges:
        tape.put(each)
    await tape.close()


async def run_against(folder: Path, app: Everything, name: str = "r1") -> Run:
    tape = folder / ".wiretape" / "snapshots" / "all.tape"
    if not tape.exists():
        tape.parent.mkdir(parents=True)
        await write_tape(tape, record(Everything(3, 10), SCRIPT))
    (folder / ".wiretape" / "runs").mkdir(exist_ok=True)
    with served(app) as url:
        spec = ReplaySpec(tape=tape, run=folder / ".wiretape" / "runs" / f"{name}.run", target=url)
        return await replay_run(spec, lambda _event: None, never())


def never() -> asyncio.Event:
    return asyncio.Event()


async def test_a_real_run_confirms_every_edge(tmp_path: Path) -> None:
    run = await run_against(tmp_path, Everything(1003, 15))
    assert {use.example for use in run.binding_uses} >= TRUTH - {(30, 32)}  # the same way as (30, 31)
    assert all(use.ok == use.count == use.confirmed for use in run.binding_uses), run.binding_uses
    assert sum(use.count for use in run.binding_uses) >= len(TRUTH)


async def test_values_that_never_changed_are_told_as_unconfirmed(tmp_path: Path) -> None:
    run = await run_against(tmp_path, Everything(3, 10))
    assert all(use.same == use.count and use.unconfirmed for use in run.binding_uses)


async def test_what_waits_for_a_failed_producer_is_grouped_under_it(tmp_path: Path) -> None:
    broken = Everything(1003, 15)
    broken._invoices = lambda *_: None  # type: ignore[method-assign]
    run = await run_against(tmp_path, broken)
    waiting = {consumer for producer, consumer in TRUTH if producer == 11}
    status = next(each for each in run.verdict.findings if each.sequences == (11,))
    assert (set(status.dependants), run.counts.blocked) == (waiting, len(waiting))
    assert {use.not_found for use in run.binding_uses if use.example[0] == 11} == {1}


async def test_bindings_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                   capfd: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    run = await run_against(tmp_path, Everything(1003, 15))
    monkeypatch.chdir(tmp_path)

    def told(*words: str) -> str:
        done: list[int] = []
        thread = Thread(target=lambda: done.append(wiretape(words)))
        thread.start()
        thread.join(60)
        assert done == [0]
        return capfd.readouterr().out

    assert json.loads(told("diff", "r1", "--bindings", "--json")) == [
        use.model_dump(mode="json") for use in run.binding_uses
    ]
    listed = told("show", "all", "--bindings").splitlines()
    assert listed[0].split() == ["producer", "at", "consumer", "as", "times"]
    assert len(listed) == len(run.binding_uses) + 1
    shown = told("diff", "r1", "--bindings")
    assert "header:link/0 > url query/page_token" in shown
    assert "unconfirmed" not in shown
