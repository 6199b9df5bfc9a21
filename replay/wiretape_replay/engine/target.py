"""What a run plays against: the mock and the app, started when they are ours, reached, and stopped again."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Self
from urllib.parse import SplitResult, urlsplit

from wiretape_capture.errors import UsageError, WiretapeError
from wiretape_capture.jobs.events import Event, Failed, Finished, Heard, Notice, Ready
from wiretape_capture.jobs.parent import Job, failure
from wiretape_capture.launch.environment import app_environment, own_environment
from wiretape_capture.launch.ports import group_members
from wiretape_capture.launch.process import App
from wiretape_replay.engine.spec import ReplaySpec
from wiretape_replay.match.knowledge import Number
from wiretape_replay.mock.spec import MockAnswer, MockResult, MockSpec
from wiretape_replay.mock.told import Told

MOCK_MODULE = "wiretape_replay.mock"
MOCK_STOP_SECONDS = 15.0
HEARD_SECONDS = 2.0
"""How long the mock may take to hear of an exchange before that is sent all the same."""
CONNECT_TRIES = 10
CONNECT_PAUSE = 0.2


class MockJob:
    """The mock's process, followed from its start to its result."""

    def __init__(self, job: Job, journal: Path) -> None:
        self._job = job
        self._journal = journal
        self._ready: asyncio.Future[Ready] = asyncio.get_running_loop().create_future()
        self._stopping = False
        self.result: MockResult | None = None
        self.answers: list[MockAnswer] = []
        """The journal; known when the mock has stopped."""
        self.died = ""
        self._wants: frozenset[int] = frozenset()
        self._told = count(1)
        self._heard: dict[int, asyncio.Future[None]] = {}
        self._following = asyncio.create_task(self._follow())

    @classmethod
    async def start(cls, spec: MockSpec, journal: Path) -> Self:
        """Start it; `ready` says when it listens."""
        return cls(await Job.start(MOCK_MODULE, spec.model_copy(update={"journal": journal, "app": None})), journal)

    async def ready(self) -> Ready:
        """Where the mock listens, and the variables that lead an app there."""
        return await asyncio.shield(self._ready)

    async def begins(self, sequence: int) -> None:
        """Tell that an exchange is about to be sent, and wait until the mock knows."""
        if sequence not in self._wants:
            return
        number = next(self._told)
        self._heard[number] = heard = asyncio.get_running_loop().create_future()
        self._job.tell(Told(number=number, event="begins", sequence=sequence))
        with suppress(TimeoutError):
            await asyncio.wait_for(heard, HEARD_SECONDS)
        self._heard.pop(number, None)

    def ended(self, sequence: int, numbers: Sequence[Number]) -> None:
        """Tell that an exchange was answered, and the numbers that showed."""
        if sequence in self._wants:
            told = Told(number=next(self._told), event="ended", sequence=sequence, numbers=tuple(numbers))
            self._job.tell(told)

    def wants(self, sequence: int) -> bool:
        """Whether the mock wants to hear of an exchange."""
        return sequence in self._wants

    async def stop(self) -> None:
        """End the mock and keep its result."""
        self._stopping = True
        self._job.request_stop()
        _, pending = await asyncio.wait({self._following}, timeout=MOCK_STOP_SECONDS)
        if pending:
            self._job.kill()
            await self._following
        self.answers = await asyncio.to_thread(self._read_journal)

    def _read_journal(self) -> list[MockAnswer]:
        with suppress(FileNotFoundError), self._journal.open("rb") as lines:
            return [MockAnswer.model_validate_json(line) for line in lines if line.endswith(b"\n")]
        return []

    async def _follow(self) -> None:
        async for event in self._job.events():
            self._hear(event)
        if not self._ready.done():
            self._ready.set_exception(WiretapeError("the mock ended before it was ready", "its log says why"))

    def _hear(self, event: Event) -> None:
        if isinstance(event, Ready) and not self._ready.done():
            self._wants = frozenset(event.wants)
            self._ready.set_result(event)
        elif isinstance(event, Heard):
            if (waiting := self._heard.get(event.number)) is not None and not waiting.done():
                waiting.set_result(None)
        elif isinstance(event, Finished):
            self.result = MockResult.model_validate(event.result)
            self.died = "" if self._stopping else "the mock ended during the run"
        elif isinstance(event, Failed) and not self._ready.done():
            self._ready.set_exception(failure(event))
        elif isinstance(event, Failed):
            self.died = f"the mock failed during the run: {event.problem}"


@dataclass(slots=True)
class Target:
    """A reachable app."""

    url: str
    endpoints: dict[str, str] = field(default_factory=dict)
    app: App | None = None
    mock: MockJob | None = None

    @property
    def netloc(self) -> str:
        """Its `host:port`."""
        return urlsplit(self.url).netloc

    async def processes(self) -> list[int]:
        """The app's process ids as they are now; none for an app that is not ours."""
        return await asyncio.to_thread(group_members, self.app.pid) if self.app is not None else []

    async def gone(self) -> None:
        """Return when the app's process has ended and nothing answers any more; never for an app that is not ours."""
        if self.app is None:
            await asyncio.Event().wait()
            return
        await self.app.wait()
        parts = urlsplit(self.url)
        await asyncio.sleep(CONNECT_PAUSE)
        if await _refusal(parts.hostname or "", _port(parts)) is None:
            await asyncio.Event().wait()  # it only started a server, which goes on

    async def obituary(self) -> str:
        """How an app that is gone came to its end, with its last words."""
        assert self.app is not None
        last = " | ".join(self.app.last_output()[-4:])
        return f"the app ended with status {await self.app.wait()} during the run; it last said: {last or 'nothing'}"


@asynccontextmanager
async def staged(spec: ReplaySpec, tell: Callable[[Event], None]) -> AsyncIterator[Target]:
    """Start what is ours, wait until the target answers, and stop all of it at the end."""
    async with AsyncExitStack() as stack:
        mock, ready = await _mock(spec, stack)
        app = None
        if spec.app is not None:
            app = await App.start(spec.app, app_variables(spec, ready))
            stack.push_async_callback(app.stop)
            await app.wait_ready()
        elif mock is not None:
            tell(Notice(message="the app at the target must reach the mock by itself: give it the mock's environment"))
        url = _url(spec, app)
        await _reach(url, app)
        endpoints = {**ready.endpoints, "target": url}
        tell(Ready(endpoints=endpoints, environment=ready.environment))
        yield Target(url, endpoints, app, mock)


async def _mock(spec: ReplaySpec, stack: AsyncExitStack) -> tuple[MockJob | None, Ready]:
    if spec.mock is None:
        return None, Ready()
    journal = spec.mock.journal
    if journal is None:
        journal = await asyncio.to_thread(_private_journal, stack)
    mock = await MockJob.start(spec.mock, journal)
    stack.push_async_callback(mock.stop)
    return mock, await mock.ready()


def app_variables(spec: ReplaySpec, ready: Ready) -> dict[str, str]:
    """What the app needs to reach the mock, which does not know the app's own variables and could not extend them."""
    if spec.mock is None or spec.app is None:
        return ready.environment
    maps = {service.name: ready.endpoints[f"map:{service.name}"] for service in spec.mock.maps}
    port = int(ready.endpoints["proxy"].rpartition(":")[2])
    base = own_environment(os.environ, spec.app)
    return app_environment(base, proxy_port=port, ca_dir=spec.mock.ca_dir, maps=maps, services=spec.mock.maps)


def _private_journal(stack: AsyncExitStack) -> Path:
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wiretape-"))) / "journal"


def _url(spec: ReplaySpec, app: App | None) -> str:
    if spec.target is not None:
        return spec.target
    if app is None or app.spec.port is None:
        raise UsageError("there is no target to replay against", "give --target URL, or the app with its port")
    host = f"[{app.host}]" if ":" in app.host else app.host
    return f"http://{host}:{app.spec.port}"


async def _reach(url: str, app: App | None) -> None:
    """Wait shortly until the target accepts a connection."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or parts.hostname is None:
        raise UsageError(f"{url!r} is no http or https URL", "write it as http://127.0.0.1:8000")
    refusal: OSError | None = None
    for _ in range(CONNECT_TRIES if app is not None else 2):
        refusal = await _refusal(parts.hostname, _port(parts))
        if refusal is None:
            return
        await asyncio.sleep(CONNECT_PAUSE)
    number = refusal.errno if refusal is not None else None
    why = os.strerror(number).lower() if number and number > 0 else str(refusal) or "it does not answer"
    raise WiretapeError(f"the target {url} cannot be reached: {why}", "start the app there, or correct the target")


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


async def _refusal(host: str, port: int) -> OSError | None:
    try:
        async with asyncio.timeout(5):
            _, writer = await asyncio.open_connection(host, port)
    except OSError as error:  # a TimeoutError is one too
        return error
    writer.close()
    return None
