"""Recordings and mocks of a database in the test's own loop, and programs that talk to it."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson

from wiretape_capture.jobs.events import Event, Notice, Ready
from wiretape_capture.launch.mapping import parse_map
from wiretape_capture.launch.spec import AppSpec, ServiceMap
from wiretape_capture.proxy.spec import RecordResult, RecordSpec
from wiretape_capture.record import record
from wiretape_capture.snapshot.exchange import Exchange
from wiretape_capture.snapshot.search import Query
from wiretape_capture.snapshot.tape_reader import TapeReader
from wiretape_replay.engine.ends import live_fates, recorded_fates
from wiretape_replay.mock.serve import serve_mock
from wiretape_replay.mock.spec import MockAnswer, MockResult, MockSpec

BOUND = 60.0


class Job[T]:
    """A job that runs in this loop."""

    def __init__(self) -> None:
        self.ready: asyncio.Future[Ready] = asyncio.get_running_loop().create_future()
        self.stop = asyncio.Event()
        self.notices: list[str] = []
        self._noticed = asyncio.Event()
        self.result: T | None = None

    def emit(self, event: Event) -> None:
        """Takes the job's events."""
        if isinstance(event, Ready):
            self.ready.set_result(event)
        elif isinstance(event, Notice):
            self.notices.append(event.message)
            self._noticed.set()

    async def told(self, words: str) -> str:
        """A notice with these words, once it is there."""
        async with asyncio.timeout(BOUND):
            while (found := next((each for each in self.notices if words in each), None)) is None:
                self._noticed.clear()
                await self._noticed.wait()
            return found

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
async def _running[T](job: Job[T], work: Coroutine[None, None, T]) -> AsyncIterator[None]:
    """Run a job until the block has ended, then keep its result."""
    task = asyncio.create_task(work)
    await begun(job, task)
    try:
        yield
    finally:
        job.stop.set()
        async with asyncio.timeout(BOUND):
            job.result = await task


@asynccontextmanager
async def recording(folder: Path, dsn: str, *, name: str = "tape") -> AsyncIterator[Job[RecordResult]]:
    """Record the database `db`; the tape is `folder/NAME.tape` when the block has ended."""
    async with recording_of(folder, parse_map(f"db={dsn}"), name=name) as job:
        yield job


def service_map(address: str, scheme: str = "") -> ServiceMap:
    """The map `db` of an address; a scheme is what its port would have said."""
    service = parse_map(f"db={address}")
    return service.model_copy(update={"scheme": scheme}) if scheme else service


@asynccontextmanager
async def recording_of(folder: Path, *maps: ServiceMap, name: str = "tape", env: Mapping[str, str] | None = None,
                       ) -> AsyncIterator[Job[RecordResult]]:  # fmt: skip
    """Record databases for an app that has these variables, and waits."""
    waiting = (sys.executable, "-c", "import signal; signal.pause()")
    app = None if env is None else AppSpec(command=waiting, env=dict(env))
    spec = RecordSpec(tape=folder / f"{name}.tape", name=name, ca_dir=folder / "ca", maps=maps, app=app)
    job: Job[RecordResult] = Job()
    async with _running(job, record(spec, job.emit, job.stop)):
        yield job


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


type Command = tuple[str, ...]


async def run(command: Command, environment: Mapping[str, str]) -> str:
    """What a program prints; it must succeed."""
    process = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, **environment}, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(BOUND):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


@asynccontextmanager
async def mocking(folder: Path, dsn: str, *, name: str = "tape", **fields: Any) -> AsyncIterator[Job[MockResult]]:
    """Answer for the database `db` from `folder/NAME.tape`; the journal is `folder/NAME.journal`."""
    spec = MockSpec(tape=folder / f"{name}.tape", ca_dir=folder / "ca", maps=(parse_map(f"db={dsn}"),),
                    journal=folder / f"{name}.journal", **fields)  # fmt: skip
    job: Job[MockResult] = Job()
    async with _running(job, serve_mock(spec, job.emit, job.stop)):
        yield job


def open_lines() -> int:
    """How many threads of this process talk to a client of a mocked database."""
    return sum(thread.name == "database-line" for thread in threading.enumerate())


def journal(folder: Path, name: str = "tape") -> list[MockAnswer]:
    """What a mock answered."""
    lines = (folder / f"{name}.journal").read_bytes().splitlines()
    return [MockAnswer.model_validate_json(line) for line in lines]


async def other_ends(folder: Path, name: str = "tape") -> list[str]:
    """Statements that were answered from the tape and whose transactions came to another end than recorded."""
    tape, answers = await exchanges(folder / f"{name}.tape"), journal(folder, name)
    was, now = recorded_fates(tape), live_fates(answers)
    served = Counter(each.sequence for each in answers)
    return [f"{each.location}: {was[each.sequence].end} is {fate.end}"
            for each, fate in zip(answers, now, strict=True)
            if each.sequence in was and fate is not None and served[each.sequence] == 1
            and was[each.sequence].end is not fate.end]  # fmt: skip
