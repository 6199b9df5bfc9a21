"""The record job: listeners first, then the app, then traffic until someone stops it; ends with a closed snapshot.

Run by `python -m wiretape_capture.record`. Knows nothing of mitmproxy, which lives behind `proxy/`.
"""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from wiretape_capture.errors import WiretapeError
from wiretape_capture.jobs.child import run_job
from wiretape_capture.jobs.events import Emit, Notice, Progress, Ready
from wiretape_capture.launch.ca import load_or_create
from wiretape_capture.launch.environment import app_environment, own_environment
from wiretape_capture.launch.mapping import DATABASES, left_alone
from wiretape_capture.launch.port_lock import port_held
from wiretape_capture.launch.process import App
from wiretape_capture.launch.readiness import loopback_of
from wiretape_capture.launch.resolving import check_hosts
from wiretape_capture.launch.spec import ServiceMap
from wiretape_capture.proxy.bypass import Bypass
from wiretape_capture.proxy.spec import RecordResult, RecordSpec
from wiretape_capture.proxy.summary import Tally
from wiretape_capture.proxy.upstream import from_environment
from wiretape_capture.snapshot.exchange import SnapshotInfo
from wiretape_capture.snapshot.tape_writer import TapeWriter

if TYPE_CHECKING:
    from wiretape_capture.databases.process import Databases
    from wiretape_capture.proxy.ledger import Ledger
    from wiretape_capture.proxy.wire import Wire

TICK = 0.2
"""Seconds between two progress events."""
FILES = 65_536
"""Open files that the recorder allows itself, where the system does."""
COLLECT_AFTER = 20_000
"""Objects that may refer to others, made and not gone, before garbage is looked for."""
NICENESS = 5
"""Of a recorder beside its tee: a third of the processor time of others that want it too (sched(7))."""


async def record(spec: RecordSpec, emit: Emit, stop: asyncio.Event) -> RecordResult:
    """Record until `stop` is set or the app ends by itself."""
    async with port_held(spec.app, emit, stop):
        return await _record(spec, emit, stop)


async def _record(spec: RecordSpec, emit: Emit, stop: asyncio.Event) -> RecordResult:
    load_or_create(spec.ca_dir, base_environment(spec))
    command = spec.app.command if spec.app else ()
    tape = await TapeWriter.create(spec.tape, name=spec.name, created_ns=time.time_ns(), app_command=command)
    tally = Tally()
    try:
        app_exit = await _traffic(spec, tape, tally, emit, stop)
    except BaseException:
        await _keep_what_there_is(tape, tally)
        raise
    info = await tape.close()
    if tally.total == 0:
        # An empty snapshot would be the newest one, which is taken where none is named.
        tape.path.unlink(missing_ok=True)
    return result(spec, info, tally, app_exit)


def base_environment(spec: RecordSpec) -> dict[str, str]:
    """The environment that the app would have without us."""
    return own_environment(os.environ, spec.app)


async def _keep_what_there_is(tape: TapeWriter, tally: Tally) -> None:
    """Close the tape of a recording that failed; one without an exchange goes, so that its name is free again."""
    try:
        await tape.close()
    except WiretapeError:
        return  # the failure that is on its way already
    if tally.total == 0:
        tape.path.unlink(missing_ok=True)


async def _traffic(spec: RecordSpec, tape: TapeWriter, tally: Tally, emit: Emit, stop: asyncio.Event) -> int | None:
    from wiretape_capture.proxy.ledger import Ledger

    def said(text: str) -> None:
        emit(Notice(message=text))

    ledger = Ledger(tape, tape.body, seen=tally.add, said=said)
    databases = databases_of(spec, ledger, lambda: tape.full)
    await databases.open()
    wire, app, given_up = None, None, False
    bypass = Bypass(own_ports=())
    try:
        wire = await _wire(spec, ledger, tape)
        await databases.ready()
        bypass = Bypass(own_ports=[*wire.ports.values(), *databases.ports.values()])
        endpoints = {**wire.endpoints(), **databases.endpoints}
        given_up, app = await _unless_stopped(_start(spec, wire, endpoints, emit, ledger), stop)
        allow_more_files()
        collect_less()
        if spec.engine == "tee":
            give_way()
        async with _watched(app, bypass), _awaited(spec.app_port, wire):
            return await _until_stopped(app, tape, tally, emit, stop)
    finally:
        if app is not None:
            await app.stop()
        await databases.close()
        if wire is not None:
            await wire.close()
            if tally.total == 0:
                tape.note(nothing_recorded(wire.endpoints(), spec.maps, given_up=given_up))
        for note in bypass.notes():
            tape.note(note)


async def _wire(spec: RecordSpec, ledger: Ledger, tape: TapeWriter) -> Wire:
    # mitmproxy takes most of a second to import, and only this job wants it.
    from wiretape_capture.proxy.wire import Wire

    upstreams = from_environment(base_environment(spec))
    for scheme in upstreams.unusable:
        ledger.note(f"the proxy that the environment names is a {scheme} proxy, which is not used; "
                    "connections go direct")  # fmt: skip
    return await Wire.open(spec, ledger, lambda: tape.full, upstreams)


def databases_of(spec: RecordSpec, ledger: Ledger, full: Callable[[], bool]) -> Databases:
    """The databases that are mapped."""
    from wiretape_capture.databases.process import Databases

    services = [service for service in spec.maps if service.scheme in DATABASES.values()]
    base = base_environment(spec)
    for text in left_alone(base) if spec.app is not None else ():
        ledger.note(text)
    return Databases(services, base, load_or_create(spec.ca_dir, base), ledger, full, spec.overflow)


async def _unless_stopped[T](beginning: Coroutine[None, None, T], stop: asyncio.Event) -> tuple[bool, T | None]:
    """Carry out the beginning, or give it up when the user no longer wants to wait: whether so, and what came of it."""
    begun, stopped = asyncio.create_task(beginning), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({begun, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if begun.done():
            return False, begun.result()
        begun.cancel()
        await asyncio.wait({begun})
        return True, None
    finally:
        stopped.cancel()


@asynccontextmanager
async def _watched(app: App | None, bypass: Bypass) -> AsyncIterator[None]:
    """Look for direct connections while the app runs, and once more before it is stopped."""
    if app is None:
        yield
        return
    watching = asyncio.create_task(bypass.watch(app.pid))
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.wait({watching})
        await asyncio.to_thread(bypass.look, app.pid)


@asynccontextmanager
async def _awaited(port: int | None, wire: Wire) -> AsyncIterator[None]:
    """Look for an app that somebody else starts, until it listens."""

    async def look(port: int) -> None:
        while (host := await loopback_of(port)) is None:  # noqa: ASYNC110 - the kernel tells nobody
            await asyncio.sleep(TICK)
        await wire.face(host)

    looking = asyncio.create_task(look(port)) if port is not None and wire.waits else None
    try:
        yield
    finally:
        if looking is not None:
            looking.cancel()
            await asyncio.wait({looking})


async def _start(spec: RecordSpec, wire: Wire, endpoints: dict[str, str], emit: Emit, ledger: Ledger) -> App | None:
    for text in await check_hosts(called_directly(spec)):
        ledger.note(text)
    maps = {name: endpoints[f"map:{name}"] for name in (service.name for service in spec.maps)}
    environment = app_environment(base_environment(spec), proxy_port=wire.ports["proxy"], ca_dir=spec.ca_dir,
                                  maps=maps, services=spec.maps)  # fmt: skip
    app = None
    if spec.app is not None:
        app = await _ready(await App.start(spec.app, environment), spec, wire)
    elif spec.app_port is not None:
        host = await loopback_of(spec.app_port)
        if host is None:
            emit(Notice(message=f"nothing listens on port {spec.app_port} yet; requests wait until the app does"))
        else:
            await wire.face(host)
    emit(Ready(endpoints=endpoints, environment=environment))
    return app


def called_directly(spec: RecordSpec) -> list[ServiceMap]:
    """The mapped services whose hosts must be known here, and not only to the network's own proxy."""
    upstreams = from_environment(base_environment(spec))
    return [each for each in spec.maps if upstreams.through(each.scheme, each.host, each.port) is None]


async def _ready(app: App, spec: RecordSpec, wire: Wire) -> App:
    try:
        await app.wait_ready(spec.app_port)
    except BaseException:
        await app.stop()
        raise
    await wire.face(app.host)
    return app


async def _until_stopped(app: App | None, tape: TapeWriter, tally: Tally, emit: Emit,
                         stop: asyncio.Event) -> int | None:  # fmt: skip
    """Watch until something ends the recording; returns the app's exit status if it was the app."""
    told = 0
    while not stop.is_set():
        if tape.failure is not None:
            raise tape.failure
        if app is not None and not app.running:
            status = await app.wait()
            emit(Notice(message=app_ended(status, app.last_output())))
            return status
        if tally.total > told:
            told = tally.total
            emit(Progress(done=told, unit="exchanges"))
        await _pause(stop)
    return None


async def _pause(stop: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(TICK):
            await stop.wait()
    except TimeoutError:
        return


def allow_more_files() -> None:
    """Each connection of the app costs us two files, so under the app's own limit we would be the first to fail."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


def collect_less() -> None:
    """What was imported stays, and exchanges that wait are no garbage: looking at them was a quarter of the work."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)


def give_way() -> None:
    """Let the app and the tee go first where processors are scarce: what is written waits in the tee, not they.

    Of this process's threads, the app and the tee are its children already and stay as they were.
    """
    for thread in Path("/proc/self/task").iterdir():
        with suppress(OSError, ValueError):
            os.setpriority(os.PRIO_PROCESS, int(thread.name), NICENESS)


def app_ended(status: int, last_output: list[str]) -> str:
    """What to tell when the app ends on its own."""
    how = f"was ended by signal {-status}" if status < 0 else f"exited with status {status}"
    if status == 0 or not last_output:
        return f"the app {how}; the recording ends with it"
    return "\n".join([f"the app {how}; the recording ends with it; its last output was:",
                      *(f"    {line}" for line in last_output)])  # fmt: skip


def nothing_recorded(endpoints: Mapping[str, str], maps: Sequence[ServiceMap], *, given_up: bool) -> str:
    """Why a recording may be empty."""
    if given_up:
        return "nothing was recorded: it was ended before the app was ready"
    if "inbound" in endpoints:
        return f"nothing was recorded: send requests to {endpoints['inbound']}, not to the app's own port"
    waited = f"no call to {' or '.join(each.name for each in maps)} and " if maps else ""
    return f"nothing was recorded: the app made {waited}no HTTP call through the proxy"


def result(spec: RecordSpec, info: SnapshotInfo, tally: Tally, app_exit: int | None) -> RecordResult:
    """The recording as its faces show it."""
    return RecordResult(
        name=spec.name,
        tape=spec.tape if tally.total else None,
        exchanges=info.exchanges,
        inbound=info.inbound,
        outbound=info.outbound,
        sha256=info.sha256,
        summary=tally.rows(),
        notes=info.notes,
        app_exit=app_exit,
    )


if __name__ == "__main__":
    sys.exit(run_job("record", RecordSpec, record))
