"""A database that is down for a while as it is recorded is down in the mock for the same requests, and for no other."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from database_kit import Job as InLoop
from database_kit import begun, exchanges
from mock_kit import CLOCK, answer, call
from mongodb_server import MongoServer
from mysql_server import MysqlServer
from postgres_server import Server
from redis_server import RedisServer

from wiretape_capture.jobs.events import Finished
from wiretape_capture.jobs.parent import Job
from wiretape_capture.launch.mapping import parse_map
from wiretape_capture.launch.spec import AppSpec
from wiretape_capture.proxy.spec import RecordResult, RecordSpec
from wiretape_capture.record import record
from wiretape_capture.snapshot.exchange import Direction, Exchange
from wiretape_replay.engine.spec import ReplaySpec
from wiretape_replay.mock.databases.outages import Doors, Outages
from wiretape_replay.mock.serve import serve_mock
from wiretape_replay.mock.spec import MockResult, MockSpec
from wiretape_replay.verdict.model import Run

PROGRAM = Path(__file__).parents[2] / "support" / "outage_app.py"
STATUSES = [200, 200, 503, 503, 200, 503, 200]
"""What the requests for 1, 2 … get: the database is down before the third and before the sixth."""


class Switch:
    """A way to a server that can be taken away: connections are refused then, as by a machine on which none runs."""

    def __init__(self, port: int) -> None:
        self._server_port = port
        self._listening: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def on(self) -> None:
        self._listening = await asyncio.start_server(self._carry, "127.0.0.1", self.port)
        self.port = self._listening.sockets[0].getsockname()[1]

    async def off(self) -> None:
        assert self._listening is not None
        self._listening.close()
        for each in list(self._open):
            each.transport.abort()
        await asyncio.sleep(0.3)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        other, there = await asyncio.open_connection("127.0.0.1", self._server_port)
        self._open |= {writer, there}
        await asyncio.gather(_pump(reader, there), _pump(other, writer))
        self._open -= {writer, there}


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(1 << 16):
            writer.write(data)
    writer.close()


class Story:
    """One app on one database, recorded while the database comes and goes."""

    def __init__(self, folder: Path, url: str, free_port: Callable[[], int]) -> None:
        self.folder, self.free_port = folder, free_port
        self.parts = urlsplit(url)
        self.switch = Switch(self.parts.port or 0)

    def _app(self, url: str) -> AppSpec:
        port = self.free_port()
        return AppSpec(command=(sys.executable, str(PROGRAM), str(port)), port=port, ready="/health",
                       env={"DATABASE_URL": url}, log=self.folder / "app.log")  # fmt: skip

    def _url(self, port: int) -> str:
        return self.parts._replace(netloc=f"{self.parts.netloc.rpartition(':')[0]}:{port}").geturl()

    @property
    def nowhere(self) -> str:
        return self._url(9)

    async def record(self) -> list[int]:
        """The statuses that came."""
        await self.switch.on()
        app, url = self._app(self._url(self.switch.port)), self._url(self.switch.port)
        spec = RecordSpec(tape=self.folder / "tape.tape", name="tape", ca_dir=self.folder / "ca", app=app,
                          app_port=app.port, maps=(parse_map(f"db={url}"),))  # fmt: skip
        job: InLoop[RecordResult] = InLoop()
        task = asyncio.create_task(record(spec, job.emit, job.stop))
        await begun(job, task)
        came = await self._ask(job.ready.result().endpoints["inbound"])
        job.stop.set()
        await task
        await self.switch.off()
        return came

    async def _ask(self, url: str) -> list[int]:
        came = []
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=40) as client:
            down = False
            for at, expected in enumerate(STATUSES, 1):
                if (expected != 200) != down:
                    down = not down
                    await (self.switch.off() if down else self.switch.on())
                came.append((await client.get(f"/value/{at}")).status_code)
        return came

    async def replay(self) -> Run:
        """The unchanged app, judged."""
        maps = (parse_map(f"db={self.nowhere}"),)
        mock = MockSpec(tape=self.folder / "tape.tape", ca_dir=self.folder / "ca", maps=maps)
        spec = ReplaySpec(tape=mock.tape, run=self.folder / "a.run", app=self._app(self.nowhere), mock=mock)
        job = await Job.start("wiretape_replay.engine", spec, log=self.folder / "replay.log")
        last = [event async for event in job.events()][-1]
        assert isinstance(last, Finished), last
        return Run.model_validate(last.result)

    async def mocked(self) -> list[int]:
        """The statuses that come of the mock alone, which hears of no request."""
        app = self._app(self.nowhere)
        spec = MockSpec(tape=self.folder / "tape.tape", ca_dir=self.folder / "ca", app=app,
                        maps=(parse_map(f"db={self.nowhere}"),))  # fmt: skip
        job: InLoop[MockResult] = InLoop()
        task = asyncio.create_task(serve_mock(spec, job.emit, job.stop))
        await begun(job, task)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{app.port}", trust_env=False, timeout=40) as client:
            came = [(await client.get(f"/value/{at}")).status_code for at in range(1, len(STATUSES) + 1)]
        job.stop.set()
        await task
        return came


async def _told(story: Story, *, own_clock: bool = False) -> None:
    assert await story.record() == STATUSES
    tape = await exchanges(story.folder / "tape.tape")
    assert any(each.command == "CONNECT" and each.status not in ("00000", "ok") for each in tape)
    run = await story.replay()
    assert [(each.pointer, each.message) for each in run.verdict.findings] == []
    assert run.mock is not None
    assert run.mock.miss == 0
    mocked = await story.mocked()
    if own_clock:
        # MongoDB's drivers look for their servers by a clock of their own: how many attempts fall into a request is not
        # the recording's to say, so the mock by itself may come back one request later (docs/databases.md).
        assert mocked[4] in (200, 503)
        mocked[4] = STATUSES[4]
    assert mocked == STATUSES


@pytest.mark.xdist_group("redis")
async def test_redis(redis_server: RedisServer, tmp_path: Path, free_port: Callable[[], int]) -> None:
    await _told(Story(tmp_path, redis_server.url, free_port))


@pytest.mark.xdist_group("postgres")
async def test_postgres(postgres: Server, tmp_path: Path, free_port: Callable[[], int]) -> None:
    await _told(Story(tmp_path, postgres.dsn, free_port))


@pytest.mark.xdist_group("mysql")
async def test_mysql(mysql: MysqlServer, tmp_path: Path, free_port: Callable[[], int]) -> None:
    await _told(Story(tmp_path, mysql.dsn, free_port))


@pytest.mark.xdist_group("mongodb")
async def test_mongodb(mongodb: MongoServer, tmp_path: Path, free_port: Callable[[], int]) -> None:
    await _told(Story(tmp_path, mongodb.url, free_port), own_clock=True)


# What refuses and what serves, without sockets


def _connect(sequence: int) -> Exchange:
    return call(sequence, "CONNECT", "CONNECT", None, connection=f"r{sequence}")


def _get(sequence: int, connection: str = "d1") -> Exchange:
    return call(sequence, "GET", "GET a", answer(200, {}), connection=connection)


def _outages(*told: Exchange, inbound: tuple[Exchange, ...] = ()) -> Outages[str]:
    outages: Outages[str] = Outages()
    for each in told:
        if each.command == "CONNECT":
            outages.refused(each, f"{each.sequence}")
        else:
            outages.served(each, matched=True)
    outages.settle(inbound)
    return outages


def _request(sequence: int, until: int) -> Exchange:
    """A request that was under way up to the moment of another exchange."""
    return call(sequence, "GET", "/", answer(200, {}), direction=Direction.INBOUND,
                duration_us=(until - sequence) * 1_000_000 + 500_000)  # fmt: skip


class Client:
    """A connection."""

    def __init__(self, *, rests: bool = True) -> None:
        self.rests = rests
        self.ended = False

    def hang_up(self) -> None:
        self.ended = True


def _said(doors: Doors[str], times: int) -> Iterator[str | None]:
    for _ in range(times):
        refused = doors.attempt()
        yield None if refused is None else refused.said


def test_a_server_that_comes_late_is_there_after_as_many_attempts() -> None:
    doors = Doors(_outages(_connect(1), _connect(2), _get(3)), set())
    assert list(_said(doors, 4)) == ["1", "2", None, None]


def test_a_server_that_never_came_never_comes() -> None:
    doors = Doors(_outages(_connect(1), _connect(2)), set())
    assert list(_said(doors, 4)) == ["1", "2", "2", "2"]


def test_an_outage_begins_with_what_was_answered_last_and_ends_with_what_comes_after() -> None:
    used: set[int] = set()
    clients = [Client()]
    doors = Doors(_outages(_get(1), _get(2), _connect(3), _connect(4), _get(5, "d2")), used)
    used.add(1)
    doors.break_off(clients)
    assert (list(_said(doors, 2)), clients[0].ended) == ([None, None], False)
    used.add(2)
    doors.break_off([*clients, Client(rests=False)])
    assert not clients[0].ended  # a transaction is open
    doors.break_off(clients)
    assert clients[0].ended
    assert list(_said(doors, 1)) == ["3"]
    used.add(5)
    assert list(_said(doors, 2)) == [None, None]


def test_connections_that_lived_through_it_do_not_end() -> None:
    clients = [Client()]
    doors = Doors(_outages(_get(1), _connect(2), _get(3)), {1})
    doors.break_off(clients)
    assert (list(_said(doors, 2)), clients[0].ended) == (["2", None], False)


def test_where_a_replay_tells_what_is_under_way_its_requests_are_refused_and_no_others() -> None:
    inbound = (_request(1, 2), _request(3, 5), _request(6, 7))
    clients = [Client()]
    doors = Doors(_outages(_get(2), _connect(4), _connect(5), _get(7, "d2"), inbound=inbound), {2})
    doors.begins(6, clients)
    doors.in_flight = {6}
    assert (list(_said(doors, 2)), clients[0].ended) == ([None, None], False)
    doors.begins(3, clients)
    doors.in_flight = {3, 6}
    assert (list(_said(doors, 4)), clients[0].ended) == (["4", "5", "5", "5"], True)


def test_a_request_in_which_the_server_went_and_came_gets_both() -> None:
    used: set[int] = set()
    clients = [Client()]
    doors = Doors(_outages(_get(2), _connect(3), _get(4, "d2"), inbound=(_request(1, 4),)), used)
    doors.in_flight = {1}
    doors.begins(1, clients)
    assert (list(_said(doors, 1)), clients[0].ended) == ([None], False)
    used.add(2)
    doors.break_off(clients)
    assert (list(_said(doors, 3)), clients[0].ended) == (["3", None, None], True)
    assert CLOCK  # the times of `call`
