"""A login that the server refused in the middle of a recording is refused again at its place, and no other is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import pytest
import redis
from database_kit import exchanges
from database_story import Story
from mock_kit import answer, call
from mysql_server import MysqlServer
from postgres_server import Server
from redis_server import PASSWORD, RedisServer, binary, running

from wiretape_capture.snapshot.exchange import Direction, Exchange
from wiretape_replay.mock.databases.outages import Doors, Outages

PROGRAM = Path(__file__).parents[2] / "support" / "login_app.py"
STATUSES = [200, 503, 503, 200]
"""What the requests get: logins are refused for the second and the third."""

ME = ("shop", "shop")

type Closed = Callable[[], AbstractContextManager[None]]
"""Logins are refused inside of it."""
PATHS = ("/first/1", "/second/2", "/third/1", "/fourth/3")


async def _told(story: Story, closed: Closed, refused: list[str]) -> None:
    door = closed()
    steps = (PATHS[0], door.__enter__, *PATHS[1:3], lambda: door.__exit__(None, None, None), PATHS[3])
    assert [each.status_code for each in await story.record(*steps)] == STATUSES
    tape = await exchanges(story.tape)
    logins = [each for each in tape if each.command in ("CONNECT", "AUTH", "HELLO")]
    assert [each.status for each in logins if each.status not in ("00000", "OK")] == refused
    run = await story.replay("same.run")
    assert [(each.pointer, each.message) for each in run.verdict.findings] == []
    assert run.mock is not None
    assert run.mock.miss == 0
    changed = await story.replay("changed.run", BUSY="200")
    routes = {each.route for each in changed.verdict.findings if each.pointer == "/status" or "status" in each.message}
    assert routes == {"GET /second/{id}", "GET /third/{id}"}
    assert [each.status_code for each in await story.mocked(*PATHS)] == STATUSES


def _postgres(server: Server, role: str, before: str, close: str, open_again: str) -> tuple[str, Closed]:
    """The URL of a role, and how it is refused."""

    def run(*texts: str) -> None:
        with psycopg.connect(server.dsn, autocommit=True) as admin:
            for each in texts:
                admin.execute(each.format(role))

    run("drop role if exists {}", "create role {} login password 'x'", *([before] if before else []))

    @contextmanager
    def closed() -> Iterator[None]:
        run(close)
        yield
        run(open_again)

    return f"postgres://{role}:x@127.0.0.1:{server.port}/shop", closed


@pytest.mark.xdist_group("postgres")
async def test_postgres_that_has_enough_of_a_role(postgres: Server, tmp_path: Path,
                                                  free_port: Callable[[], int]) -> None:  # fmt: skip
    url, closed = _postgres(postgres, "limited", "", "alter role {} connection limit 0",
                            "alter role {} connection limit 5")  # fmt: skip
    await _told(Story(tmp_path, url, free_port, PROGRAM), closed, ["53300", "53300"])


@pytest.mark.xdist_group("postgres")
async def test_postgres_with_another_password(postgres: Server, tmp_path: Path, free_port: Callable[[], int]) -> None:
    url, closed = _postgres(postgres, "renewed", "", "alter role {} password 'y'", "alter role {} password 'x'")
    await _told(Story(tmp_path, url, free_port, PROGRAM), closed, ["28P01", "28P01"])


@pytest.mark.xdist_group("mysql")
async def test_mysql_that_has_enough_of_a_user(mysql: MysqlServer, tmp_path: Path,
                                               free_port: Callable[[], int]) -> None:  # fmt: skip
    def connection(user: str, **how: Any) -> pymysql.Connection[Any]:
        return pymysql.connect(unix_socket=str(mysql.socket), user=user, **how)

    def run(*texts: str) -> None:
        with connection("root") as admin, admin.cursor() as cursor:
            for each in texts:
                cursor.execute(each)

    @contextmanager
    def closed() -> Iterator[None]:
        run("alter user limited@'%' with max_user_connections 1")
        with connection("limited", password="x"):
            yield
        run("alter user limited@'%' with max_user_connections 0")

    run("drop user if exists limited@'%'", "create user limited@'%' identified by 'x'",
        "grant all on shop.* to limited@'%'")  # fmt: skip
    url = f"mysql://limited:x@127.0.0.1:{mysql.port}/shop"
    await _told(Story(tmp_path, url, free_port, PROGRAM), closed, ["42000", "42000"])


def _redis(server: RedisServer, user: str) -> Closed:
    def set_user(*rules: str) -> None:
        with redis.Redis.from_url(server.url) as admin:
            admin.execute_command("ACL", "SETUSER", user, "on", "allkeys", "+@all", *rules)

    @contextmanager
    def closed() -> Iterator[None]:
        set_user("resetpass", ">y")
        yield
        set_user("resetpass", ">x")

    set_user("resetpass", ">x")
    return closed


@pytest.mark.xdist_group("redis")
async def test_redis_with_another_password(redis_server: RedisServer, tmp_path: Path,
                                           free_port: Callable[[], int]) -> None:  # fmt: skip
    closed = _redis(redis_server, "renewed")
    story = Story(tmp_path, f"redis://renewed:x@127.0.0.1:{redis_server.port}/0", free_port, PROGRAM)
    await _told(story, closed, ["WRONGPASS", "WRONGPASS"])


@pytest.mark.xdist_group("redis")
@pytest.mark.parametrize("resp", ["2", "3"])
async def test_redis_to_which_the_app_logs_in_itself(redis_server: RedisServer, tmp_path: Path,
                                                     free_port: Callable[[], int], resp: str) -> None:  # fmt: skip
    closed = _redis(redis_server, f"itself{resp}")
    story = Story(tmp_path, f"redis://127.0.0.1:{redis_server.port}/0", free_port, PROGRAM,
                  {"LOGIN": f"itself{resp}", "SECRET": "x", "RESP": resp})  # fmt: skip
    await _told(story, closed, ["WRONGPASS", "WRONGPASS"])


@contextmanager
def _full(server: RedisServer) -> Iterator[None]:
    """The server has as many clients as it takes."""
    with redis.Redis.from_url(server.url, single_connection_client=True) as admin:
        admin.config_set("maxclients", 1)
        yield
        admin.config_set("maxclients", 1000)


@pytest.mark.xdist_group("full redis")  # a server of its own: it is full for everyone
@pytest.mark.parametrize("login", ["wiretape", "app", "none"])
@pytest.mark.parametrize("resp", ["2", "3"])
async def test_redis_that_has_enough_clients(tmp_path: Path, free_port: Callable[[], int], login: str,
                                             resp: str) -> None:  # fmt: skip
    server = binary()
    assert server is not None
    with running(server) as full:
        env = {"RESP": resp}
        url = full.url if login == "wiretape" else f"redis://127.0.0.1:{full.port}/0"
        if login == "app":
            env |= {"LOGIN": "shop", "SECRET": PASSWORD}
        if login == "none":
            with redis.Redis.from_url(full.url) as admin:
                admin.config_set("requirepass", "")
            full = replace(full, password="")
        await _told(Story(tmp_path, url, free_port, PROGRAM, env), lambda: _full(full), ["ERR", "ERR"])


# Which login is refused, without sockets


def _login(sequence: int, status: str = "00000") -> Exchange:
    return call(sequence, "CONNECT", "CONNECT", None, connection=f"c{sequence}").model_copy(update={"status": status})


def _select(sequence: int, connection: str) -> Exchange:
    return call(sequence, "SELECT", "select a", answer(200, {}), connection=connection)


def _outages(*told: Exchange, inbound: tuple[Exchange, ...] = ()) -> Outages[str]:
    outages: Outages[str] = Outages()
    for each in told:
        if each.command == "SELECT":
            outages.served(each, matched=True)
        elif each.status == "00000":
            outages.served(each, matched=False, login=ME)
        else:
            outages.denied(each, f"{each.sequence}", ME)
    outages.settle(inbound)
    return outages


def _request(sequence: int, until: int) -> Exchange:
    return call(sequence, "GET", "/", answer(200, {}), direction=Direction.INBOUND,
                duration_us=(until - sequence) * 1_000_000 + 500_000)  # fmt: skip


def _said(doors: Doors[str], times: int) -> list[str | None]:
    refusals = [doors.attempt(ME) for _ in range(times)]
    return [None if each is None else each.said for each in refusals]


def test_logins_are_refused_in_recorded_order_after_those_that_were_accepted() -> None:
    used: set[int] = set()
    told = _login(1), _login(2), _login(3, "53300"), _login(4), _login(5, "53300"), _login(6), _select(7, "c6")
    doors = Doors(_outages(*told), used)
    assert _said(doors, 7) == [None, None, "3", None, "5", None, None]


def test_a_login_that_was_never_accepted_again_never_is() -> None:
    used: set[int] = set()
    doors = Doors(_outages(_login(1), _select(2, "c1"), _login(3, "28P01"), _select(4, "c1")), used)
    assert _said(doors, 1) == [None]
    used |= {2, 4}
    assert _said(doors, 3) == ["3", "3", "3"]


def test_a_refused_login_ends_no_connection_and_concerns_nobody_else() -> None:
    doors = Doors(_outages(_login(1), _select(2, "c1"), _login(3, "28P01"), _login(4)), {2})
    assert not doors.any
    assert not doors.breaks()
    assert doors.attempt() is None
    assert doors.attempt(("other", "shop")) is None
    assert _said(doors, 2) == ["3", None]


def test_where_a_replay_tells_what_is_under_way_only_its_requests_are_refused_as_often() -> None:
    told = (_login(2), _select(3, "c2"), _login(12, "53300"), _login(22, "53300"), _login(23, "53300"), _login(24),
            _select(25, "c24"))  # fmt: skip
    inbound = _request(1, 4), _request(11, 13), _request(21, 26)
    doors = Doors(_outages(*told, inbound=inbound), {3, 25})
    seen = {}
    for each in (1, 11, 21):
        doors.begins(each, ())
        doors.in_flight = {each}
        seen[each] = _said(doors, 4)
    assert seen == {1: [None] * 4, 11: ["12"] * 4, 21: ["22", "23", None, None]}
    doors.in_flight = set()
    assert _said(doors, 1) == [None]
