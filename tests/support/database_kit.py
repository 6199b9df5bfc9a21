"""Recordings and mocks of a database in the test's own loop, and programs that talk to it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson

from wiretape_capture.jobs.events import Event, Notice, Ready
from wiretape_capture.launch.mapping import parse_map
from wiretape_capture.proxy.spec import RecordResult, RecordSpec
from wiretape_capture.record import record
from wiretape_capture.snapshot.exchange import Exchange
from wiretape_capture.snapshot.search import Query
from wiretape_capture.snapshot.tape_reader import TapeReader

BOUND = 60.0


class Job[T]:
    """A job that runs in this loop."""

    def __init__(self) -> None:
        self.ready: asyncio.Future[Ready] = asyncio.get_running_loop().create_future()
        self.stop = asyncio.Event()
        self.notices: list[str] = []
        self.result: T | None = None

    def emit(self, event: Event) -> None:
        """Takes the job's events."""
        if isinstance(event, Ready):
            self.ready.set_result(event)
        elif isinstance(event, Notice):
            self.notices.append(event.message)

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables for the app."""
        return self.ready.result().environment

    @property
    def url(self) -> str:
        """Where the database `db` is."""
        return self.ready.result().endpoints["map:db"]

    @property
    def port(self) -> int:
        """Its port."""
        return int(self.url.rpartition(":")[2].partition("/")[0])


async def begun[T](job: Job[T], task: asyncio.Task[T]) -> None:
    """Wait until a job is ready; raises what it failed with."""
    waits: list[asyncio.Future[Any]] = [job.ready, task]
    async with asyncio.timeout(BOUND):
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        task.result()


@asynccontextmanager
async def recording(folder: Path, dsn: str, *, name: str = "tape") -> AsyncIterator[Job[RecordResult]]:
    """Record the database `db`; the tape is `folder/NAME.tape` when the block has ended."""
    spec = RecordSpec(tape=folder / f"{name}.tape", name=name, ca_dir=folder / "ca", maps=(parse_map(f"db={dsn}"),))
    job: Job[RecordResult] = Job()
    task = asyncio.create_task(record(spec, job.emit, job.stop))
    await begun(job, task)
    try:
        yield job
    finally:
        job.stop.set()
        async with asyncio.timeout(BOUND):
            job.result = await task


async def exchanges(tape: Path) -> list[Exchange]:
    """What is on a tape."""
    async with await TapeReader.open(tape) as reader:
        return await reader.exchanges(Query(), max_body=1 << 24)


def question(exchange: Exchange) -> dict[str, Any]:
    """The request's document."""
    found: dict[str, Any] = orjson.loads(exchange.request.body.data or b"{}")
    return found


def answer(exchange: Exchange) -> dict[str, Any]:
    """The response's document."""
    assert exchange.response is not None
    found: dict[str, Any] = orjson.loads(exchange.response.body.data or b"{}")
    return found


async def program(path: Path, environment: Mapping[str, str], *words: str) -> str:
    """What a program prints; it must succeed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, path, *words, env={**os.environ, **environment}, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(BOUND):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()
