"""One mock from start to end: load the snapshot, open listeners, run the app, write the journal, sum up."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from wiretape_capture.errors import UsageError, WiretapeError
from wiretape_capture.jobs.events import Emit, Notice, Progress, Ready
from wiretape_capture.launch.ca import load_or_create
from wiretape_capture.launch.environment import app_environment
from wiretape_capture.launch.process import App
from wiretape_capture.launch.spec import ServiceMap
from wiretape_capture.snapshot.exchange import Direction, Exchange
from wiretape_capture.snapshot.search import Query
from wiretape_capture.snapshot.tape_reader import TapeReader
from wiretape_replay.match.index import Index, build_index
from wiretape_replay.match.matcher import Matcher
from wiretape_replay.match.parts import service_key
from wiretape_replay.mock.allow import allow_list
from wiretape_replay.mock.answer import build_answer
from wiretape_replay.mock.connection import Connection, House, Seconds
from wiretape_replay.mock.desk import Desk
from wiretape_replay.mock.journal import Entry, Journal
from wiretape_replay.mock.origin import PROXY, Origin, mapped
from wiretape_replay.mock.spec import MockResult, MockSpec
from wiretape_replay.mock.timing import delay_factor
from wiretape_replay.mock.tls import Certificates

HOST = "127.0.0.1"
LOADED_BODY = 1 << 20
"""Bytes; a larger body stays in the tape and is streamed from it."""
LOADED_TOTAL = 256 << 20
"""Bytes of answers kept in memory; answers beyond it are streamed from the tape."""
UNUSED_TOLD = 100
SWEEP_SECONDS = 0.25


async def serve_mock(spec: MockSpec, emit: Emit, stop: asyncio.Event, seconds: Seconds | None = None) -> MockResult:
    """Answer from the snapshot until `stop` is set or the app that was started ends."""
    factor = delay_factor(spec.timing)
    _refuse_tcp(spec.maps)
    async with AsyncExitStack() as stack:
        reader = await stack.enter_async_context(await TapeReader.open(spec.tape))
        exchanges = await _load(reader)
        index = build_index(exchanges, _aliases(spec.maps))
        journal = Journal(spec.journal)
        stack.push_async_callback(journal.close)
        matcher = Matcher(index, spec.at_end)
        answers = {
            exchange.sequence: build_answer(exchange)
            for exchange in exchanges if exchange.direction is Direction.OUTBOUND
        }  # fmt: skip
        house = House(
            Desk(index, matcher, answers, journal, factor, lambda miss: emit(Notice(message=_miss_line(miss)))),
            Certificates(load_or_create(spec.ca_dir)), allow_list(spec.allow), reader.body_chunks,
            seconds or Seconds(), set(), lambda text: emit(Notice(message=text)),
        )  # fmt: skip
        del exchanges
        # What was loaded lives as long as the mock: the collector need not look at it again.
        gc.freeze()
        ready = await _listen(spec, house, stack)
        sweep = asyncio.create_task(_sweep(house, emit))
        stack.callback(sweep.cancel)
        app_exit = await _run_app(spec, ready, emit, stop)
        await journal.flush()
        return MockResult(
            snapshot=(await reader.info()).name, tally=journal.tally, misses=journal.misses,
            unused=_unused(index, matcher), app_exit=app_exit,
        )  # fmt: skip


async def _load(reader: TapeReader) -> list[Exchange]:
    """Inbound exchanges without bodies' worth of memory, outbound ones with their bodies up to the bound."""
    exchanges: list[Exchange] = []
    loaded = 0
    async for exchange in reader.stream(Query(), max_body=LOADED_BODY):
        size = exchange.response.body.size if exchange.response is not None else 0
        if exchange.response is not None and loaded + size > LOADED_TOTAL:
            exchange = _without_body(exchange)
        elif size <= LOADED_BODY:
            loaded += size
        exchanges.append(exchange)
    return exchanges


def _without_body(exchange: Exchange) -> Exchange:
    assert exchange.response is not None
    body = exchange.response.body.model_copy(update={"data": None})
    return exchange.model_copy(update={"response": exchange.response.model_copy(update={"body": body})})


def _aliases(maps: tuple[ServiceMap, ...]) -> dict[str, str]:
    """A map's name stands for its host and port, whichever of them was recorded."""
    return {service_key(each.scheme, mapped(each).authority): each.name for each in maps}


def _refuse_tcp(maps: tuple[ServiceMap, ...]) -> None:
    for each in maps:
        if each.scheme not in ("http", "https"):
            raise UsageError(f"map '{each.name}' is {each.scheme}, and only http and https are mocked",
                             "leave it out and point the app at the real service")  # fmt: skip


async def _listen(spec: MockSpec, house: House, stack: AsyncExitStack) -> Ready:
    proxy = await stack.enter_async_context(_listening(house, PROXY, spec.proxy_port, "the proxy"))
    endpoints = {"proxy": f"http://{HOST}:{proxy}"}
    for each in spec.maps:
        role = f"map '{each.name}'"
        port = await stack.enter_async_context(_listening(house, mapped(each), each.listen, role))
        endpoints[f"map:{each.name}"] = f"http://{HOST}:{port}"
    maps = {each.name: endpoints[f"map:{each.name}"] for each in spec.maps}
    base = {**os.environ, **(spec.app.env if spec.app is not None else {})}
    environment = app_environment(base, proxy_port=proxy, ca_dir=spec.ca_dir, maps=maps, services=spec.maps)
    return Ready(endpoints=endpoints, environment=environment)


@asynccontextmanager
async def _listening(house: House, origin: Origin, port: int, role: str) -> AsyncIterator[int]:
    loop = asyncio.get_running_loop()
    try:
        server = await loop.create_server(lambda: Connection(house, origin), HOST, port, backlog=1024)
    except OSError as error:
        raise WiretapeError(f"port {port} for {role} cannot be opened: {error.strerror}",
                            "stop what listens there or choose another port") from error  # fmt: skip
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for connection in list(house.connections):
            connection.abort()
        await server.wait_closed()


async def _sweep(house: House, emit: Emit) -> None:
    """Now and then: give up half-sent requests, write the journal, tell how many answers were given."""
    told = 0
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        now = loop.time()
        for connection in list(house.connections):
            connection.expire(now)
        await house.desk.journal.flush()
        total = house.desk.journal.tally.total
        if total != told:
            told = total
            emit(Progress(done=total, unit="answers"))


async def _run_app(spec: MockSpec, ready: Ready, emit: Emit, stop: asyncio.Event) -> int | None:
    """Wait for the end; the exit status of the app when it ended by itself."""
    if spec.app is None:
        emit(ready)
        await stop.wait()
        return None
    app = await App.start(spec.app, _changed(ready.environment))
    try:
        return await _until_end(app, ready, emit, stop)
    finally:
        await app.stop()


def _changed(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if os.environ.get(name) != value}


async def _until_end(app: App, ready: Ready, emit: Emit, stop: asyncio.Event) -> int | None:
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


def _miss_line(miss: Entry) -> str:
    near = miss.closest[0] if miss.closest else None
    line = f"miss: {miss.command} {miss.service} {miss.location[:200]}"
    if near is None:
        return line
    where = ", ".join(difference.where for difference in near.differences[:4]) or "its order"
    return f"{line}; nearest is exchange {near.sequence}, which differs at {where}"


def _unused(index: Index, matcher: Matcher) -> tuple[str, ...]:
    unused = (each for each in index.recorded if each.sequence not in matcher.used)
    lines = dict.fromkeys(f"{each.parts.method} {each.parts.service} {each.parts.path}" for each in unused)
    return tuple(lines)[:UNUSED_TOLD]
