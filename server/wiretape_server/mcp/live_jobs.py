"""The jobs this server process started: recordings, mocks and runs. They outlive the call, never the server."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel

from wiretape_capture.errors import UsageError, WiretapeError
from wiretape_capture.jobs.events import Event, Failed, Finished, Notice, Progress, Ready
from wiretape_capture.jobs.parent import Job, failure

type Kind = Literal["recording", "mock", "run"]

MODULES: dict[Kind, str] = {
    "recording": "wiretape_capture.record",
    "mock": "wiretape_replay.mock",
    "run": "wiretape_replay.engine",
}
MOST_RUNNING = 8
MOST_ENDED = 50
STOP_GRACE = 10.0
SHUTDOWN_GRACE = 5.0


class LiveJob:
    """One job, what it last said, and how it ended."""

    def __init__(self, kind: Kind, name: str, job: Job, log: Path) -> None:
        self.kind = kind
        self.name = name
        self.job = job
        self.log = log
        self.app_log: Path | None = None
        """Where the output of the app goes that the job starts."""
        self.ready: Ready | None = None
        self.progress: Progress | None = None
        self.notices: deque[str] = deque(maxlen=20)
        self.result: Finished | None = None
        self.failed: Failed | None = None
        self.ended = False
        self.waiting = 0
        """Calls that wait for it; the last one to be cancelled stops it."""
        self._moved = asyncio.Event()

    async def follow(self) -> None:
        """Take in events until the job ends."""
        try:
            async for event in self.job.events():
                self._take(event)
        finally:
            self.ended = True
            self._wake()

    @property
    def doing(self) -> str:
        """What it said last before it made progress, such as whom it waits for."""
        return self.notices[-1] if self.notices and self.progress is None else ""

    def _take(self, event: Event) -> None:
        match event:
            case Ready():
                self.ready = event
            case Progress():
                self.progress = event
            case Notice():
                self.notices.append(event.message)
            case Finished():
                self.result = event
            case Failed():
                self.failed = event
        self._wake()

    def _wake(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()

    async def moved(self) -> None:
        """Wait for the next event or the end."""
        if not self.ended:
            await self._moved.wait()

    async def end(self) -> None:
        """Wait until the job has ended."""
        while not self.ended:
            await self.moved()

    async def stop(self, grace: float = STOP_GRACE) -> None:
        """Ask the job to finish; kill it when it has not after `grace` seconds."""
        self.job.request_stop()
        try:
            async with asyncio.timeout(grace):
                await self.end()
        except TimeoutError:
            self.job.kill()
            await self.end()

    def outcome(self) -> Finished:
        """The result of a job that ended; raises the job's own error."""
        if self.result is not None:
            return self.result
        failed = self.failed or Failed(problem=f"{self.kind} {self.name!r} was stopped before it had a result",
                                       hint="start it again")  # fmt: skip
        if failed.exit_code != UsageError.exit_code:
            logs = (("log", self.log), ("the app's output", self.app_log))
            told = [f"{what}: {Path(*file.parts[-3:])}" for what, file in logs if file is not None and _filled(file)]
            if told:
                failed = failed.model_copy(update={"hint": f"{failed.hint} ({', '.join(told)})".lstrip()})
        raise failure(failed)


def _filled(file: Path) -> bool:
    return file.exists() and file.stat().st_size > 0


class LiveJobs:
    """All jobs of this process, by kind and name. Leaving the context stops them."""

    def __init__(self) -> None:
        self._jobs: dict[tuple[Kind, str], LiveJob] = {}
        self._starting: dict[tuple[Kind, str], asyncio.Task[LiveJob]] = {}
        """Jobs whose process is about to be there: their names are taken."""
        self._tasks = asyncio.TaskGroup()
        self.on_end: list[Callable[[LiveJob], Awaitable[None]]] = []
        """Told of each job that ended."""

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop_all()
        await self._tasks.__aexit__(None, None, None)

    async def start(self, kind: Kind, name: str, spec: BaseModel, log: Path) -> LiveJob:
        """Start a job; its name must be free among the running ones of its kind."""
        self._refuse_another(kind, name)
        starting = asyncio.create_task(self._start(kind, name, spec, log))
        self._starting[(kind, name)] = starting
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            starting.add_done_callback(self._stop_unwanted)
            raise
        finally:
            starting.add_done_callback(lambda _: self._starting.pop((kind, name), None))

    async def _start(self, kind: Kind, name: str, spec: BaseModel, log: Path) -> LiveJob:
        live = LiveJob(kind, name, await Job.start(MODULES[kind], spec, log=log), log)
        self._jobs[(kind, name)] = live
        self._forget_oldest()
        self._tasks.create_task(self._follow(live))
        return live

    async def _follow(self, live: LiveJob) -> None:
        await live.follow()
        for told in self.on_end:
            await told(live)

    def _stop_unwanted(self, starting: asyncio.Task[LiveJob]) -> None:
        """Nobody waits any more for what was started."""
        if not starting.cancelled() and starting.exception() is None:
            self.stop_soon(starting.result())

    def _refuse_another(self, kind: Kind, name: str) -> None:
        running = [(live.kind, live.name) for live in self._jobs.values() if not live.ended]
        running += [key for key in self._starting if key not in running]
        if (kind, name) in running:
            raise UsageError(f"{kind} {name!r} is already running", f"stop it first or give another name: stop_{kind}")
        if len(running) >= MOST_RUNNING:
            names = ", ".join(f"{kind} {name}" for kind, name in running)
            raise WiretapeError(f"{len(running)} jobs are running ({names})", "stop one before starting another")

    def find(self, kind: Kind, name: str) -> LiveJob | None:
        """The job of that name, running or lately ended."""
        return self._jobs.get((kind, name))

    def of(self, kind: Kind) -> list[LiveJob]:
        """Jobs of one kind in the order they were started."""
        return [live for live in self._jobs.values() if live.kind == kind]

    def forget(self, live: LiveJob) -> None:
        """Drop an ended job."""
        self._jobs.pop((live.kind, live.name), None)

    def stop_soon(self, live: LiveJob) -> None:
        """Stop a job without waiting for it."""
        self._tasks.create_task(live.stop())

    async def stop_all(self) -> None:
        """Stop every running job, all at once, also those that are only about to run."""
        await asyncio.gather(*self._starting.values(), return_exceptions=True)
        await asyncio.gather(*(live.stop(SHUTDOWN_GRACE) for live in self._jobs.values() if not live.ended))

    def _forget_oldest(self) -> None:
        ended = [live for live in self._jobs.values() if live.ended]
        for live in ended[:-MOST_ENDED]:
            self.forget(live)
