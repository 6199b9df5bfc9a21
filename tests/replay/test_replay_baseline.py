"""Runs of a real app whose ordinary fields vary, beside replays of its unchanged code."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from noisy_app import answers, command

from wiretape_capture.errors import WiretapeError
from wiretape_capture.jobs.events import Event, Ready
from wiretape_capture.launch.process import App
from wiretape_capture.launch.spec import AppSpec
from wiretape_capture.snapshot.bodies import body_of
from wiretape_capture.snapshot.exchange import Direction, Exchange, Request, Response
from wiretape_capture.snapshot.tape_writer import TapeWriter
from wiretape_replay.compare.learned import LearnedRule
from wiretape_replay.compare.places import Kind
from wiretape_replay.engine.replay import replay
from wiretape_replay.engine.spec import BaselineSpec, ReplaySpec
from wiretape_replay.verdict.model import Run

COUNT = 12

type Play = Callable[..., Run]


async def write_tape(path: Path, port: int, count: int, method: str = "GET") -> None:
    """A recording of the app at `port`."""
    taken = answers(port, count)
    tape = await TapeWriter.create(path, name=path.stem, created_ns=taken[0][1])
    for sequence, (target, at_ns, data) in enumerate(taken, 1):
        tape.put(Exchange(
            sequence=sequence, direction=Direction.INBOUND, service=f"127.0.0.1:{port}", command=method,
            location=target, status="200", started_ns=at_ns, duration_us=900, connection="c1",
            request=Request(method=method, target=target, headers=(("Host", f"127.0.0.1:{port}"),)),
            response=Response(status=200, reason="OK", body=body_of(data), headers=(
                ("Content-Type", "application/json"), ("Content-Length", str(len(data))))),
        ))  # fmt: skip
    await tape.close()


@pytest.fixture
def port(free_port: Callable[[], int]) -> int:
    return free_port()


@pytest.fixture
def play(tmp_path: Path, port: int) -> Play:
    """Replay a fresh recording against the app with a change."""

    def app(name: str, change: str = "") -> AppSpec:
        return AppSpec(command=command(port, change), port=port, log=tmp_path / f"{name}.log")

    async def run(change: str, runs: int, rules: tuple[LearnedRule, ...], count: int, events: list[Event]) -> Run:
        tape = tmp_path / "shop.tape"
        if not tape.exists():
            await write_tape(tape, port, count)
        spec = ReplaySpec(
            tape=tape, run=tmp_path / f"{time.time_ns()}.run", app=app("changed", change),
            against=BaselineSpec(app=app("same"), runs=runs, commit="4f2a9c1") if runs else None,
            latency_seconds=0, learned=rules,
        )  # fmt: skip
        async with asyncio.timeout(60):
            return await replay(spec, events.append, asyncio.Event())

    def call(change: str = "", runs: int = 3, rules: tuple[LearnedRule, ...] = (), count: int = COUNT,
             events: list[Event] | None = None) -> Run:  # fmt: skip
        return asyncio.run(run(change, runs, rules, count, [] if events is None else events))

    return call


def places(run: Run) -> set[str]:
    return {finding.pointer for finding in run.verdict.findings}


def test_unchanged_code_passes_beside_itself_and_later_alone(play: Play, tmp_path: Path) -> None:
    events: list[Event] = []
    run = play(events=events)
    assert (run.verdict.verdict, run.verdict.findings) == ("pass", ())
    assert run.notes == ("unchanged code was replayed 3 times: 6 of its fields vary by themselves",)
    assert {one.reason for one in run.suppressed} >= {"differed in 36 of 36 answers of unchanged code"}
    assert {(rule.pointer, rule.kind.value) for rule in run.noise} >= {
        ("/served_by", "value"), ("/hits", "value"), ("/score", "value"), ("/promo", "null"), ("/tags", "order"),
        ("/picks", "items"),
    }  # fmt: skip
    assert {rule.commit for rule in run.noise} == {"4f2a9c1"}
    assert len([event for event in events if isinstance(event, Ready)]) == 1, "only the candidate is told of"
    assert {path.name for path in tmp_path.glob("*.log")} == {
        "changed.log", "same.baseline1.log", "same.baseline2.log", "same.baseline3.log",
    }  # fmt: skip
    # Items are told as new ones too, at /picks/*, where an answer's sample shares some with the recorded one.
    assert places(play(runs=0)) >= {"/served_by", "/score", "/tags", "/picks/*/name"}, "which nothing else explains"
    later = play(runs=0, rules=run.noise)
    assert (later.verdict.verdict, later.verdict.findings) == ("pass", ())
    assert f"{len(run.noise)} noise rules of wiretape-noise.toml applied" in later.notes
    assert any(one.reason.startswith("N-") for one in later.suppressed)
    broken = play("body['score'] *= 100; body['served_by'] = ''", runs=0, rules=run.noise)
    assert places(broken) == {"/score", "/served_by"}


def test_faults_on_noisy_fields_are_found(play: Play) -> None:
    changes = {
        "/served_by": "body['served_by'] = None",
        "/hits": "body['hits'] = -body['hits']",
        "/score": "body['score'] = 87.0",
        "/promo": "body['promo'] = None",
        "/tags/*": "body['tags'].pop()",
        "/picks": "body['picks'].pop()",
        "/unit": "body['unit'] = str(uuid.uuid4())",
        "/price": "body['price'] = 12.51",
    }
    run = play("; ".join(changes.values()))
    assert run.verdict.verdict == "fail"
    assert places(run) == set(changes)
    assert run.counts.failed == COUNT


def test_a_rule_for_a_route_that_is_gone_is_told(play: Play) -> None:
    gone = LearnedRule(route="GET /old", pointer="/x", kind=Kind.VALUE)
    run = play(runs=0, rules=(gone,), count=2)
    assert run.notes[-2:] == (
        "1 noise rule of wiretape-noise.toml applied",
        f"noise rule {gone.id} is for GET /old, which this snapshot does not have",
    )


@pytest.mark.parametrize(
    ("method", "note"),
    [
        ("GET", "unchanged code was replayed 3 times: "),
        (
            "POST",
            "the baseline was replayed once, for the snapshot writes and a running instance keeps what was written; ",
        ),
    ],
)
async def test_a_running_instance_keeps_what_is_written(
    tmp_path: Path, free_port: Callable[[], int], method: str, note: str
) -> None:
    port, other = free_port(), free_port()
    tape = tmp_path / "shop.tape"
    await write_tape(tape, port, 2, method)
    spec = ReplaySpec(tape=tape, run=tmp_path / "r.run", latency_seconds=0,
                      app=AppSpec(command=command(port), port=port, log=tmp_path / "app.log"),
                      against=BaselineSpec(target=f"http://127.0.0.1:{other}"))  # fmt: skip
    instance = await App.start(AppSpec(command=command(other), port=other, log=tmp_path / "other.log"), {})
    try:
        await instance.wait_ready()
        run = await replay(spec, lambda _: None, asyncio.Event())
    finally:
        await instance.stop()
    assert any(each.startswith(note) for each in run.notes)
    assert ("unchanged code was replayed once" in "".join(run.notes)) == (method == "POST")


async def test_a_baseline_that_does_not_start_is_named(tmp_path: Path, port: int) -> None:
    tape = tmp_path / "shop.tape"
    await write_tape(tape, port, 1)
    broken = AppSpec(command=("/nonexistent/app",), port=port)
    spec = ReplaySpec(tape=tape, run=tmp_path / "r.run", against=BaselineSpec(app=broken),
                      app=AppSpec(command=command(port), port=port, log=tmp_path / "app.log"))  # fmt: skip
    with pytest.raises(WiretapeError, match="the baseline: "):
        await replay(spec, lambda _: None, asyncio.Event())
