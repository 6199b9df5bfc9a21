"""Loads against a small server in the test's own loop: recordings in a few lines, answers down to the byte."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recorded import RECORDED_NS, exchange, request, response

from wiretape_capture.jobs.events import Counted, Event, Finished
from wiretape_capture.jobs.parent import Job
from wiretape_capture.snapshot.exchange import Exchange
from wiretape_capture.snapshot.tape_reader import TapeReader
from wiretape_capture.snapshot.tape_writer import TapeWriter
from wiretape_replay.compare.noise import NoiseModel
from wiretape_replay.engine.plan import make_plan
from wiretape_replay.engine.spec import ReplaySpec
from wiretape_replay.load.comparing import Compared, compare_all
from wiretape_replay.load.scenario import Scenario, scenario_of
from wiretape_replay.load.share import Share
from wiretape_replay.load.spec import Go, LoadSpec, WorkerSpec
from wiretape_replay.load.tally import Tally
from wiretape_replay.verdict.model import Run

PATIENT_MS = 60_000.0
"""A lag bound for machines that do other things too."""


async def write_tape(path: Path, exchanges: Sequence[Exchange]) -> Path:
    """A closed tape of these exchanges."""
    writer = await TapeWriter.create(path, name=path.stem, created_ns=RECORDED_NS)
    for one in exchanges:
        writer.put(one)
    await writer.close()
    return path


def session(number: int, *steps: tuple[str, str, Any, Any], at_ms: int = 0, gap_ms: int = 10) -> list[Exchange]:
    """A named session: method, target, request body and answer of each step, 5 ms each, `gap_ms` from start to start.

    An answer is a value for JSON, or a status with one.
    """
    found = []
    for index, (method, target, sent, answer) in enumerate(steps):
        status, value = answer if isinstance(answer, tuple) else (200, answer)
        found.append(exchange(
            number * 100 + index + 1, request(method, target, sent), response(value, int(status)),
            session=f"user-{number}", connection=f"c{number}",
            started_ns=RECORDED_NS + (at_ms + index * gap_ms) * 1_000_000,
        ))  # fmt: skip
    return found


ORDER = "6f1d2c3b-4a59-4876-9b8c-7d6e5f4a3b2c"


def order_session(number: int, at_ms: int = 0) -> list[Exchange]:
    """Makes an order and reads it back by the id that the app gave it."""
    identity = str(uuid.uuid5(uuid.NAMESPACE_URL, f"order {number}"))
    made = {"id": identity, "state": "new", "lines": [{"sku": "tea", "quantity": 2}]}
    return session(number, ("POST", "/orders", {"sku": "tea"}, (201, made)), ("GET", f"/orders/{identity}", None, made),
                   at_ms=at_ms)  # fmt: skip


type Answer = Callable[[Heard], Awaitable[None]]


@dataclass
class Heard:
    """One request as the server got it."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    number: int
    """How many requests came before, on all connections."""
    writer: asyncio.StreamWriter
    head: bytes = b""

    def json(self, value: Any, status: int = 200) -> None:
        """Answer with JSON."""
        data = json.dumps(value).encode()
        self.raw(b"HTTP/1.1 %d OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
                 % (status, len(data), data))  # fmt: skip

    def raw(self, data: bytes) -> None:
        """Answer with bytes."""
        self.writer.write(data)


@dataclass
class Server:
    """Where a load is sent to."""

    port: int = 0
    heard: list[Heard] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self.port}"


@asynccontextmanager
async def serving(answer: Answer, **options: Any) -> AsyncIterator[Server]:
    """A server whose every request goes to `answer`."""
    server = Server()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode("latin-1").split("\r\n")[:-2]
                pairs = [line.partition(":") for line in lines]
                headers = {name.lower(): value.strip() for name, _, value in pairs}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                method, target, _ = first.split(" ")
                heard = Heard(method, target, headers, body, len(server.heard), writer, head)
                server.heard.append(heard)
                await answer(heard)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(connected, "127.0.0.1", 0, **options)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()


@dataclass
class Shop:
    """Keeps orders under ids of its own."""

    orders: dict[str, Any] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)
    """Idempotency keys as they came."""

    async def __call__(self, heard: Heard) -> None:
        """Answer one request."""
        if heard.method == "POST":
            self.keys.append(heard.headers.get("idempotency-key", ""))
            identity = str(uuid.uuid4())
            self.orders[identity] = {"id": identity, "state": "new", "lines": [{"sku": "tea", "quantity": 2}]}
            heard.json(self.orders[identity], 201)
        elif made := self.orders.get(heard.target.rpartition("/")[2]):
            heard.json(made)
        else:
            heard.json({"error": "no such order"}, 404)


def load_spec(tape: Path, target: str, **more: Any) -> LoadSpec:
    """A load with one worker and a bound that a busy machine keeps; keys of a replay go to it."""
    own = {key: more.pop(key) for key in list(more) if key not in LoadSpec.model_fields}
    replay = ReplaySpec(tape=tape, run=tape.with_suffix(".run"), target=target, **own)
    return LoadSpec(replay=replay, **({"workers": 1, "max_lag_ms": PATIENT_MS} | more))


@dataclass
class Played:
    """What came of a share of a load that was played in the test's own loop."""

    tally: Tally
    compared: Compared

    @property
    def kinds(self) -> dict[int, list[int]]:
        """Counts at first sight by exchange: equal, unequal, different, error, blocked."""
        return self.tally.outcomes


def prepared(exchanges: Sequence[Exchange], spec: LoadSpec, url: str) -> Scenario:
    """What the workers of a load share."""
    plan = make_plan(list(exchanges), spec.replay)
    noise = NoiseModel.learn(plan.inbound, plan.bindings, (), plan.routes)
    return scenario_of(plan, plan.selection.exchanges, spec, url, noise)


async def play(tmp_path: Path, exchanges: Sequence[Exchange], url: str, stop: asyncio.Event | None = None,
               **more: Any) -> Played:  # fmt: skip
    """Play a load as a worker does, with its comparison, but in this process."""
    tape = await write_tape(tmp_path / "load.tape", exchanges)
    spec = load_spec(tape, url, **more)
    scenario = prepared(exchanges, spec, url)
    share = WorkerSpec(load=spec, scenario=tmp_path / "s", findings=tmp_path / "f", target=url, shard=0, of=1)
    told = Tally()

    def hear(event: Event) -> None:
        if isinstance(event, Counted):
            told.join(Tally.decoded(event.counts))

    async with asyncio.timeout(60):
        own = await Share.prepared(scenario, share)
        go = Go(start_ns=time.monotonic_ns(), wall_ns=time.time_ns())
        await own.play(go, hear, stop or asyncio.Event())
        async with await TapeReader.open(tape) as reader:
            compared = await compare_all(own.samples, scenario, reader, go.wall_ns)
    return Played(told, compared)


async def events_of(spec: LoadSpec, log: Path, on_event: Callable[[Job, Event], None] | None = None) -> list[Event]:
    """Everything that the load job says."""
    job = await Job.start("wiretape_replay.load", spec, log=log)
    events = []
    async for event in job.events():
        events.append(event)
        if on_event:
            on_event(job, event)
    await job.close()
    return events


async def load_run(spec: LoadSpec, log: Path) -> Run:
    """The run of a load that comes to its end."""
    last = (await events_of(spec, log))[-1]
    assert isinstance(last, Finished), last
    return Run.model_validate(last.result)
