"""What the mock's tests share: recordings in memory or on tape, and a mock served inside of the test's own loop."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from wiretape_capture.jobs.events import Event, Notice, Ready
from wiretape_capture.snapshot.exchange import Body, Direction, Exchange, Headers, Request, Response
from wiretape_capture.snapshot.tape_writer import TapeWriter
from wiretape_replay.mock.conversation import Seconds
from wiretape_replay.mock.serve import serve_mock
from wiretape_replay.mock.spec import MockAnswer, MockResult, MockSpec

CLOCK = 1_714_557_600_000_000_000
"""2024-05-01T10:00:00Z, when all test recordings begin."""
JSON = (("Content-Type", "application/json"),)


def body_of(data: bytes) -> Body:
    return Body(size=len(data), sha256=hashlib.sha256(data).hexdigest(), data=data)


def as_bytes(body: Any) -> bytes:
    return body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)


def answer(status: int = 200, body: Any = None, headers: Headers = JSON, reason: str = "OK", **more: Any) -> Response:
    return Response(status=status, reason=reason, headers=headers, body=body_of(as_bytes(body)), **more)


def call(sequence: int, method: str, target: str, response: Response | None, *, body: Any = None,
         service: str = "api.example.com:80", scheme: str = "http", headers: Headers | None = None,
         direction: Direction = Direction.OUTBOUND, **more: Any) -> Exchange:  # fmt: skip
    sent = headers if headers is not None else (JSON if body is not None else ())
    return Exchange(
        sequence=sequence, direction=direction, scheme=scheme, service=service, command=method, location=target,
        status=str(response.status) if response else "", started_ns=CLOCK + sequence * 1_000_000_000,
        duration_us=more.pop("duration_us", 1_000),
        request=Request(method=method, target=target, headers=sent, body=body_of(as_bytes(body))),
        response=response, **more,
    )  # fmt: skip


async def write_tape(path: Path, exchanges: Sequence[Exchange]) -> Path:
    async with await TapeWriter.create(path, name=path.stem, created_ns=CLOCK) as tape:
        for exchange in exchanges:
            tape.put(exchange)
    return path


@dataclass
class Served:
    """A mock that is up."""

    ready: Ready
    events: list[Event]
    stop: asyncio.Event
    task: asyncio.Task[MockResult]
    journal: Path
    notice: asyncio.Event

    @property
    def proxy(self) -> str:
        return self.ready.endpoints["proxy"]

    @property
    def port(self) -> int:
        return int(self.proxy.rpartition(":")[2])

    @property
    def notices(self) -> list[str]:
        return [event.message for event in self.events if isinstance(event, Notice)]

    async def noticed(self) -> None:
        """Wait for the first notice."""
        await asyncio.wait_for(self.notice.wait(), 10)

    async def end(self) -> MockResult:
        self.stop.set()
        return await asyncio.wait_for(asyncio.shield(self.task), 10)

    def answers(self) -> list[MockAnswer]:
        return [MockAnswer.model_validate_json(line) for line in self.journal.read_bytes().splitlines()]


@asynccontextmanager
async def serving(folder: Path, exchanges: Sequence[Exchange], *, seconds: Seconds | None = None,
                  **more: Any) -> AsyncIterator[Served]:  # fmt: skip
    tape = await write_tape(folder / "shop.tape", exchanges)
    journal = folder / "journal.jsonl"
    spec = MockSpec(tape=tape, ca_dir=folder / "ca", journal=journal, **more)
    events: list[Event] = []
    is_ready, notice = asyncio.Event(), asyncio.Event()

    def emit(event: Event) -> None:
        events.append(event)
        if isinstance(event, Ready):
            is_ready.set()
        if isinstance(event, Notice):
            notice.set()

    stop = asyncio.Event()
    task = asyncio.create_task(serve_mock(spec, emit, stop, seconds))
    up = asyncio.create_task(is_ready.wait())
    await asyncio.wait({task, up}, return_when=asyncio.FIRST_COMPLETED, timeout=60)
    up.cancel()
    if task.done():
        task.result()
    ready = next(event for event in events if isinstance(event, Ready))
    try:
        yield Served(ready, events, stop, task, journal, notice)
    finally:
        stop.set()
        await asyncio.wait_for(task, 10)


async def exchange_bytes(port: int, data: bytes, *, until: bytes | None = None) -> bytes:
    """Send bytes, and what comes back until the peer closes or `until` was seen."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        async with asyncio.timeout(60):
            return await (reader.readuntil(until) if until is not None else reader.read())
    except asyncio.IncompleteReadError as error:
        return error.partial
    finally:
        writer.close()
