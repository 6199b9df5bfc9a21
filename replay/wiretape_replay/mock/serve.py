"""One mock from start to end: load the snapshot, open the ports, run the app, sum up."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from functools import partial

from wiretape_capture.errors import UsageError
from wiretape_capture.jobs.child import hear_lines
from wiretape_capture.jobs.events import Emit, Heard, Notice, Progress, Ready
from wiretape_capture.launch.ca import load_or_create
from wiretape_capture.launch.environment import app_environment, own_environment
from wiretape_capture.launch.process import App
from wiretape_capture.launch.spec import ServiceMap
from wiretape_capture.snapshot.tape_reader import TapeReader
from wiretape_replay.match.index import Index
from wiretape_replay.match.knowledge import Knowledge
from wiretape_replay.match.matcher import Matcher
from wiretape_replay.match.numbered import NumberedMatcher
from wiretape_replay.mock.allow import allow_list
from wiretape_replay.mock.conversation import House, Seconds
from wiretape_replay.mock.databases.protocols import PROTOCOLS, Hall, Means
from wiretape_replay.mock.desk import Desk
from wiretape_replay.mock.huge_pages import use_huge_pages
from wiretape_replay.mock.journal import Entry, Journal
from wiretape_replay.mock.listen import allow_many_connections, databases_listening, listening
from wiretape_replay.mock.load import Loaded, load_snapshot
from wiretape_replay.mock.seen import Seen
from wiretape_replay.mock.spec import MockResult, MockSpec
from wiretape_replay.mock.timing import delay_factor
from wiretape_replay.mock.tls import Certificates
from wiretape_replay.mock.told import hearing

MOCKED = ("http", "https", *PROTOCOLS)
UNUSED_TOLD = 100
NOTICES_TOLD = 200
"""Different notices of one mock; what came after is in the journal and the log."""


async def serve_mock(spec: MockSpec, emit: Emit, stop: asyncio.Event, seconds: Seconds | None = None) -> MockResult:
    """Answer from the snapshot until `stop` is set or the app that was started ends."""
    factor = delay_factor(spec.timing)
    _refuse_tcp(spec.maps)
    async with AsyncExitStack() as stack:
        reader = await stack.enter_async_context(await TapeReader.open(spec.tape))
        loaded = await load_snapshot(reader, spec.maps)
        journal = Journal(spec.journal)
        stack.push_async_callback(journal.close)
        matcher = Matcher(loaded.index, spec.at_end)
        notice = journal.on_refused = _notices(emit)
        if loaded.left_out:
            notice(f"{loaded.left_out} commands of databases were left out: the snapshot has more answers than the "
                   "mock keeps in memory")  # fmt: skip
        knowledge = Knowledge()
        numbered = NumberedMatcher(matcher, loaded.serials, knowledge)
        desk = Desk(
            loaded.index, matcher, loaded.answers, journal, factor, lambda miss: notice(_miss_line(miss)), numbered
        )
        certificates = Certificates(load_or_create(spec.ca_dir, own_environment(os.environ, spec.app)))
        house = House(
            desk,
            certificates,
            allow_list(spec.allow),
            reader.body_chunks,
            notice,
            seconds or Seconds(),
            Seen(loaded.size),
        )
        halls = _halls(spec.maps, loaded, matcher, journal, factor, lambda miss: notice(_miss_line(miss)), certificates)
        stack.callback(hear_lines(
            hearing(knowledge, lambda number: emit(Heard(number=number)), lambda sequence: _begins(halls, sequence))
        ))  # fmt: skip
        for hall in halls.values():
            hall.doors.in_flight = knowledge.in_flight
        # What was loaded lives as long as the mock: the collector need not look at it again.
        gc.freeze()
        threading.Thread(target=use_huge_pages, name="huge-pages", daemon=True).start()
        ports = listening(house, (spec.proxy_port, spec.proxy_from), spec.maps, _progress(journal, emit))
        endpoints = await stack.enter_async_context(ports)
        endpoints |= await stack.enter_async_context(databases_listening(spec.maps, halls))
        app_exit = await _until_end(spec, _ready(spec, endpoints, loaded.wants), emit, stop)
        return MockResult(
            snapshot=loaded.name, tally=journal.tally, misses=journal.misses,
            unused=_unused(loaded.index, matcher), refused=journal.refused, notes=journal.notes,
            app_exit=app_exit,
        )  # fmt: skip


def _halls(maps: tuple[ServiceMap, ...], loaded: Loaded, matcher: Matcher, journal: Journal, factor: float,
           on_miss: Callable[[Entry], None], certificates: Certificates) -> dict[str, Hall]:  # fmt: skip
    """The databases that are mocked, by the names of their maps."""
    halls = {}
    for each in maps:
        if (mockable := PROTOCOLS.get(each.scheme)) is not None:
            service = loaded.index.service(each.scheme, each.name)
            recording = loaded.databases.get(service) or mockable.recording()
            means = Means(service, loaded.index, matcher, journal, factor, on_miss,
                          partial(certificates.context, "127.0.0.1"))  # fmt: skip
            halls[each.name] = mockable.hall(recording, means)
    return halls


def _begins(halls: Mapping[str, Hall], sequence: int) -> None:
    for hall in halls.values():
        hall.doors.begins(sequence, hall.clients)


def _refuse_tcp(maps: tuple[ServiceMap, ...]) -> None:
    for each in maps:
        if each.scheme not in MOCKED:
            raise UsageError(f"map '{each.name}' is {each.scheme}, and only {', '.join(MOCKED)} are mocked",
                             "leave it out and point the app at the real service")  # fmt: skip


def _ready(spec: MockSpec, endpoints: dict[str, str], wants: Iterable[int]) -> Ready:
    maps = {each.name: endpoints[f"map:{each.name}"] for each in spec.maps}
    base = own_environment(os.environ, spec.app)
    port = int(endpoints["proxy"].rpartition(":")[2])
    environment = app_environment(base, proxy_port=port, ca_dir=spec.ca_dir, maps=maps, services=spec.maps)
    return Ready(endpoints=endpoints, environment=environment, wants=tuple(sorted(wants)))


async def _until_end(spec: MockSpec, ready: Ready, emit: Emit, stop: asyncio.Event) -> int | None:
    """Wait for the end; the exit status of the app when it ended by itself."""
    if spec.app is None:
        allow_many_connections()
        emit(ready)
        await stop.wait()
        return None
    app = await App.start(spec.app, ready.environment)
    allow_many_connections()  # after the app, which shall have the limit that it is used to
    try:
        return await _until_app_ends(app, ready, emit, stop)
    finally:
        await app.stop()


async def _until_app_ends(app: App, ready: Ready, emit: Emit, stop: asyncio.Event) -> int | None:
    stopped = asyncio.create_task(stop.wait())
    ended = asyncio.create_task(app.wait())
    settled = asyncio.create_task(app.wait_ready())
    try:
        await asyncio.wait({stopped, settled}, return_when=asyncio.FIRST_COMPLETED)
        if settled.done():
            await settled
            emit(ready)
            await asyncio.wait({stopped, ended}, return_when=asyncio.FIRST_COMPLETED)
        return ended.result() if ended.done() and not stopped.done() else None
    finally:
        for task in (stopped, ended, settled):
            task.cancel()
        await asyncio.gather(stopped, ended, settled, return_exceptions=True)


def _progress(journal: Journal, emit: Emit) -> Callable[[], None]:
    told = 0

    def tell() -> None:
        nonlocal told
        total = journal.total
        if total != told:
            told = total
            emit(Progress(done=total, unit="answers"))

    return tell


def _notices(emit: Emit) -> Callable[[str], None]:
    """Tell each thing once."""
    told: set[str] = set()

    def tell(message: str) -> None:
        if message not in told and len(told) < NOTICES_TOLD:
            told.add(message)
            emit(Notice(message=message))

    return tell


def _miss_line(miss: Entry) -> str:
    line = f"miss: {miss.command} {miss.service} {miss.location[:200]}"
    if not miss.closest:
        return line
    near = miss.closest[0]
    where = ", ".join(difference.where for difference in near.differences[:4]) or "its order"
    return f"{line}; nearest is exchange {near.sequence}, which differs at {where}"


def _unused(index: Index, matcher: Matcher) -> tuple[str, ...]:
    """Requests that were recorded and never asked for; one that was recorded twice and asked for once was."""
    asked: dict[str, bool] = {}
    for each in index.recorded:
        line = f"{each.parts.method} {index.name(each.parts.service)} {each.location}"
        asked[line] = asked.get(line, False) or each.sequence in matcher.used
    return tuple(line for line, was_asked in asked.items() if not was_asked)[:UNUSED_TOLD]
