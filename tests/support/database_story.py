"""An app on one database, recorded while something happens to that, and told again."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx
from database_kit import Job as InLoop
from database_kit import begun

from wiretape_capture.jobs.events import Finished
from wiretape_capture.jobs.parent import Job
from wiretape_capture.launch.mapping import parse_map
from wiretape_capture.launch.spec import AppSpec
from wiretape_capture.proxy.spec import RecordResult, RecordSpec
from wiretape_capture.record import record
from wiretape_replay.engine.spec import ReplaySpec
from wiretape_replay.mock.serve import serve_mock
from wiretape_replay.mock.spec import MockResult, MockSpec
from wiretape_replay.verdict.model import Run

type Step = str | Callable[[], object]
"""The path of a request, or what happens between two."""


class Story:
    """`program` is told its port, and its database by DATABASE_URL; it is ready when it answers /health."""

    def __init__(self, folder: Path, url: str, free_port: Callable[[], int], program: Path,
                 env: Mapping[str, str] | None = None) -> None:  # fmt: skip
        self.folder, self.url, self.free_port, self.program = folder, url, free_port, program
        self.env = dict(env or {})

    def _app(self, **env: str) -> AppSpec:
        port = self.free_port()
        return AppSpec(command=(sys.executable, str(self.program), str(port)), port=port, ready="/health",
                       env={"DATABASE_URL": self.url, **self.env, **env}, log=self.folder / "app.log")  # fmt: skip

    @property
    def tape(self) -> Path:
        return self.folder / "tape.tape"

    async def record(self, *steps: Step) -> list[httpx.Response]:
        """The answers to the requests."""
        app = self._app()
        spec = RecordSpec(tape=self.tape, name="tape", ca_dir=self.folder / "ca", app=app, app_port=app.port,
                          maps=(parse_map(f"db={self.url}"),))  # fmt: skip
        job: InLoop[RecordResult] = InLoop()
        task = asyncio.create_task(record(spec, job.emit, job.stop))
        await begun(job, task)
        came = await _asked(job.ready.result().endpoints["inbound"], *steps)
        job.stop.set()
        await task
        return came

    def _mock(self, app: AppSpec | None = None) -> MockSpec:
        return MockSpec(tape=self.tape, ca_dir=self.folder / "ca", app=app, maps=(parse_map(f"db={self.url}"),))

    async def replay(self, run: str, **env: str) -> Run:
        """The app, judged; `env` changes its code."""
        spec = ReplaySpec(tape=self.tape, run=self.folder / run, app=self._app(**env), mock=self._mock())
        job = await Job.start("wiretape_replay.engine", spec, log=self.folder / "replay.log")
        last = [event async for event in job.events()][-1]
        assert isinstance(last, Finished), last
        return Run.model_validate(last.result)

    async def mocked(self, *steps: Step) -> list[httpx.Response]:
        """The answers with the mock alone, which hears of no request."""
        app = self._app()
        job: InLoop[MockResult] = InLoop()
        task = asyncio.create_task(serve_mock(self._mock(app), job.emit, job.stop))
        await begun(job, task)
        came = await _asked(f"http://127.0.0.1:{app.port}", *steps)
        job.stop.set()
        await task
        return came


async def _asked(url: str, *steps: Step) -> list[httpx.Response]:
    came = []
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=40) as client:
        for each in steps:
            if isinstance(each, str):
                came.append(await client.get(each))
            else:
                await asyncio.to_thread(each)
    return came
