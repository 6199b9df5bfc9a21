"""The record job as its own process: how it begins, what it says, and every way in which it can end."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from wiretape_capture.jobs.events import Event, Failed, Finished, Notice, Progress, Ready
from wiretape_capture.jobs.parent import Job
from wiretape_capture.launch.mapping import parse_map
from wiretape_capture.launch.spec import AppSpec, ServiceMap
from wiretape_capture.proxy.spec import RecordResult, RecordSpec
from wiretape_capture.snapshot.tape_reader import TapeReader

APP = """
import http.server, os, sys, urllib.request
class App(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.path == "/crash":
            print("the disk caught fire", flush=True)
            os._exit(7)
        body = b"plain"
        if self.path == "/call":
            body = urllib.request.urlopen(os.environ["DEPENDENCY"], timeout=60).read()
        if self.path == "/direct":
            import socket
            self.server.held = socket.create_connection(("127.0.0.1", int(os.environ["DATABASE"])))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), App).serve_forever()
"""
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
GET = b"GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


class Followed:
    """A job with everything it has said so far."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.said: list[Event] = []
        self._more = asyncio.Event()
        self._follow = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for event in self.job.events():
            self.said.append(event)
            self._more.set()

    async def until[E: Event](self, kind: type[E]) -> E:
        """The first event of a kind."""
        async with asyncio.timeout(60):
            while True:
                found = next((event for event in self.said if isinstance(event, kind)), None)
                if found is not None:
                    return found
                assert not isinstance(self.said[-1] if self.said else None, Failed | Finished), self.said
                self._more.clear()
                await self._more.wait()

    async def end(self) -> RecordResult:
        """Stop it and give its result."""
        self.job.request_stop()
        return RecordResult.model_validate((await self.until(Finished)).result)

    async def close(self) -> None:
        """End it in whatever state it is."""
        self.job.kill()
        await self._follow


type StartJob = Callable[[RecordSpec], Awaitable[Followed]]


@pytest.fixture
async def start() -> AsyncIterator[StartJob]:
    """Start a record job; it is killed with the test."""
    jobs: list[Followed] = []

    async def begin(spec: RecordSpec) -> Followed:
        jobs.append(Followed(await Job.start("wiretape_capture.record", spec)))
        return jobs[-1]

    yield begin
    for job in jobs:
        await job.close()


@pytest.fixture
def app(tmp_path: Path, free_port: Callable[[], int]) -> AppSpec:
    """A small app that calls its dependency, dials its database and crashes, each on request."""
    (tmp_path / "app.py").write_text(APP)
    port = free_port()
    return AppSpec(command=(sys.executable, str(tmp_path / "app.py"), str(port)), port=port,
                   log=tmp_path / "app.log")  # fmt: skip


@pytest.fixture
def spec(tmp_path: Path, ca_dir: Path, app: AppSpec) -> RecordSpec:
    """A recording of the app."""
    return RecordSpec(tape=tmp_path / "job.tape", name="job", ca_dir=ca_dir, app=app, app_port=app.port)


def port_of(ready: Ready, role: str) -> int:
    """Port of one of its endpoints."""
    return int(ready.endpoints[role].rpartition(":")[2])


async def test_a_recording_from_start_to_summary(
    start: StartJob, spec: RecordSpec, service: Any, ask: Any, listen: Any
) -> None:
    async def database(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    dependency, database_port = await service(OK), await listen(database)
    env = {"DEPENDENCY": f"http://127.0.0.1:{dependency.port}/stock", "DATABASE": str(database_port)}
    job = await start(spec.model_copy(update={"app": spec.app and spec.app.model_copy(update={"env": env})}))
    ready = await job.until(Ready)
    assert ready.environment["HTTP_PROXY"] == ready.endpoints["proxy"]
    for path in (b"/plain", b"/call", b"/direct"):
        assert b" 200 " in await ask(port_of(ready, "inbound"), GET % path)
    progress = await job.until(Progress)
    result = await job.end()

    assert (progress.unit, result.exchanges, result.inbound, result.outbound) == ("exchanges", 4, 3, 1)
    assert [(row.direction, row.command, row.count, row.errors) for row in result.summary] == [
        ("inbound", "GET", 3, 0), ("outbound", "GET", 1, 0),
    ]  # fmt: skip
    assert result.app_exit is None
    assert result.notes == (f"the app opened 1 direct connection to 127.0.0.1:{database_port} that was not recorded",)
    async with await TapeReader.open(spec.tape) as tape:
        info = await tape.info()
    assert (info.closed, info.sha256, info.app_command) == (True, result.sha256, spec.app and spec.app.command)


async def test_an_app_that_crashes_leaves_a_complete_snapshot(start: StartJob, spec: RecordSpec, ask: Any) -> None:
    job = await start(spec)
    inbound = port_of(await job.until(Ready), "inbound")
    await ask(inbound, GET % b"/plain")
    await ask(inbound, GET % b"/crash")
    result = RecordResult.model_validate((await job.until(Finished)).result)
    assert (result.app_exit, result.exchanges) == (7, 2)
    assert "the disk caught fire" in (await job.until(Notice)).message
    async with await TapeReader.open(spec.tape) as tape:
        crashed = (await tape.exchanges())[-1]
    assert (crashed.location, crashed.error) == ("/crash", "connection closed before the response ended")


async def test_an_app_that_ends_before_it_is_ready_leaves_nothing(start: StartJob, spec: RecordSpec) -> None:
    broken = AppSpec(command=(sys.executable, "-c", "raise SystemExit('no config')"), port=spec.app_port)
    failed = await (await start(spec.model_copy(update={"app": broken}))).until(Failed)
    assert failed.exit_code == 3
    assert "before it was ready" in failed.problem
    assert not spec.tape.exists()


async def test_two_recordings_on_one_port(start: StartJob, spec: RecordSpec, tmp_path: Path) -> None:
    alone = spec.model_copy(update={"app": None, "app_port": None})
    ready = await (await start(alone)).until(Ready)
    second = alone.model_copy(update={"tape": tmp_path / "second.tape", "proxy_port": port_of(ready, "proxy")})
    failed = await (await start(second)).until(Failed)
    assert failed.problem == f"port {port_of(ready, 'proxy')} is taken, perhaps by another recording"
    assert "--proxy-port" in failed.hint
    assert not second.tape.exists()


async def test_two_recordings_that_begin_at_one_port_both_get_one(
    start: StartJob, spec: RecordSpec, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    first = free_port()
    one = spec.model_copy(update={"app": None, "listen_from": first})
    other = one.model_copy(update={"tape": tmp_path / "other.tape"})
    jobs = [await start(each) for each in (one, other)]
    taken = {port_of(await job.until(Ready), "inbound") for job in jobs}
    assert len(taken) == 2
    assert all(port >= first for port in taken)


async def test_ctrl_c_ends_it_well(start: StartJob, spec: RecordSpec, ask: Any) -> None:
    job = await start(spec)
    await ask(port_of(await job.until(Ready), "inbound"), GET % b"/plain")
    os.kill(job.job.pid, signal.SIGINT)
    os.kill(job.job.pid, signal.SIGINT)
    result = RecordResult.model_validate((await job.until(Finished)).result)
    assert result.exchanges == 1


async def test_ctrl_c_while_the_app_is_not_ready(start: StartJob, spec: RecordSpec) -> None:
    sleeper = AppSpec(command=(sys.executable, "-c", "print('here', flush=True); import time; time.sleep(60)"),
                      port=spec.app_port, log=spec.tape.with_suffix(".log"))  # fmt: skip
    job = await start(spec.model_copy(update={"app": sleeper}))
    await eventually(lambda: written(sleeper.log))
    os.kill(job.job.pid, signal.SIGINT)
    result = RecordResult.model_validate((await job.until(Finished)).result)
    assert result.exchanges == 0


async def written(path: Path | None) -> bool:
    """Whether the app has written to its log."""
    return path is not None and await asyncio.to_thread(lambda: path.exists() and path.stat().st_size > 0)


async def test_sigkill_leaves_a_readable_tape_and_no_app(start: StartJob, spec: RecordSpec, ask: Any) -> None:
    job = await start(spec)
    ready = await job.until(Ready)
    await ask(port_of(ready, "inbound"), GET % b"/plain")
    await job.until(Progress)
    await eventually(lambda: on_tape(spec.tape))
    job.job.kill()
    await job.until(Failed)
    async with await TapeReader.open(spec.tape) as tape:
        assert [e.location for e in await tape.exchanges()] == ["/plain"]
        assert not (await tape.info()).closed
    await eventually(lambda: silent(spec.app_port or 0))


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something holds that only another process knows."""
    async with asyncio.timeout(60):
        while not await holds():  # noqa: ASYNC110 - no event crosses the process boundary
            await asyncio.sleep(0.05)


async def on_tape(path: Path) -> bool:
    """Whether one exchange is on a tape that is still being written."""
    async with await TapeReader.open(path) as tape:
        return (await tape.info()).exchanges == 1


async def silent(port: int) -> bool:
    """Whether nothing listens there any more."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


async def test_a_full_disk_ends_it_and_keeps_what_was_there(
    start: StartJob, spec: RecordSpec, ask: Any, service: Any
) -> None:
    noise = os.urandom(200_000)
    app = await service(b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + noise)
    job = await start(spec.model_copy(update={"app": None, "app_port": app.port}))
    inbound = port_of(await job.until(Ready), "inbound")
    await ask(inbound, b"HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    await eventually(lambda: on_tape(spec.tape))
    size = (spec.tape.stat().st_size // 4096 + 16) * 4096
    resource.prlimit(job.job.pid, resource.RLIMIT_FSIZE, (size, size))
    assert (await ask(inbound, GET % b"/big")).endswith(noise)
    failed = await job.until(Failed)
    assert "full or failed" in failed.problem
    assert await on_tape(spec.tape)


async def test_a_recording_of_nothing_says_so(start: StartJob, spec: RecordSpec) -> None:
    job = await start(spec)
    await job.until(Ready)
    result = await job.end()
    assert result.exchanges == 0
    (note,) = result.notes
    assert "nothing was recorded" in note
    assert not spec.tape.exists(), "an empty snapshot would be the newest one"


async def test_a_recording_of_nothing_names_the_maps_that_nobody_called(start: StartJob, spec: RecordSpec) -> None:
    maps = (parse_map("db=postgres://127.0.0.1:9/shop"), parse_map("cache=redis://127.0.0.1:9"))
    job = await start(spec.model_copy(update={"app_port": None, "maps": maps}))
    await job.until(Ready)
    (note,) = (await job.end()).notes
    assert note == "nothing was recorded: the app made no call to db or cache and no HTTP call through the proxy"


async def test_a_command_that_does_not_exist(start: StartJob, spec: RecordSpec) -> None:
    missing = AppSpec(command=("no-such-program-here",), port=spec.app_port)
    failed = await (await start(spec.model_copy(update={"app": missing}))).until(Failed)
    assert "no-such-program-here" in failed.problem
    assert not spec.tape.exists()


async def test_an_existing_snapshot_is_not_touched(start: StartJob, spec: RecordSpec) -> None:
    spec.tape.write_bytes(b"mine")
    failed = await (await start(spec)).until(Failed)
    assert failed.exit_code == 2
    assert spec.tape.read_bytes() == b"mine"


def database(url: str, found_in: str = "") -> tuple[ServiceMap, ...]:
    return (parse_map(f"cache={url}").model_copy(update={"found_in": found_in}),)


async def test_a_map_whose_host_has_no_address_is_refused_before_the_app_is_started(
    start: StartJob, spec: RecordSpec
) -> None:
    job = await start(spec.model_copy(update={"maps": database("redis://no-such-host.invalid/0")}))
    failed = await job.until(Failed)
    assert failed.exit_code == 3
    assert failed.problem.startswith("the host 'no-such-host.invalid' of map 'cache' has no address (")
    assert "correct --map cache=" in failed.hint
    assert spec.app is not None
    assert spec.app.log is not None
    assert not spec.app.log.exists()
    assert not spec.tape.exists()


async def test_a_host_without_an_address_in_a_variable_is_told_and_stops_nothing(
    start: StartJob, spec: RecordSpec, ask: Any
) -> None:
    maps = database("redis://no-such-host.invalid/0", "REDIS_URL")
    job = await start(spec.model_copy(update={"maps": maps}))
    ready = await job.until(Ready)
    assert (await ask(port_of(ready, "inbound"), GET % b"/")).endswith(b"plain")
    result = await job.end()
    (note,) = result.notes
    assert note.startswith("the host 'no-such-host.invalid' that REDIS_URL names has no address (")
