"""Clients that come to a recorded database's port and speak something else: what they are told, and what is noted."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest
from database_kit import recording
from mysql_server import MysqlServer
from postgres_server import Server
from redis_server import RedisServer

from wiretape_capture.databases.reasons import MOST, Reasons
from wiretape_capture.protocols.mongodb.documents import encode
from wiretape_capture.protocols.mongodb.wire import write_msg

HTTP = b"GET / HTTP/1.1\r\nHost: db\r\n\r\n"


async def answered(port: int, data: bytes) -> bytes:
    """All that a client of this beginning gets."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    try:
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("Postgres", marks=pytest.mark.xdist_group("postgres")),
        pytest.param("Redis", marks=pytest.mark.xdist_group("redis")),
        pytest.param("MySQL", marks=pytest.mark.xdist_group("mysql")),
        "MongoDB",
    ],
)
async def test_http_at_a_databases_port_is_told_as_that(
    name: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> None:
    servers: dict[str, Callable[[], str]] = {
        "Postgres": lambda: server(request, "postgres", Server).dsn,
        "Redis": lambda: server(request, "redis_server", RedisServer).url,
        "MySQL": lambda: server(request, "mysql", MysqlServer).dsn,
        "MongoDB": lambda: "mongodb://127.0.0.1:9",  # it is not called: the client speaks first
    }
    problem = f"this is HTTP, and the port speaks {name}"
    async with recording(tmp_path_factory.mktemp("recording"), servers[name]()) as job:
        said = [await answered(job.port, HTTP) for _ in range(3)]
        if name != "MongoDB":  # it has no form for it
            assert all(problem.encode() in each for each in said)
    assert job.result is not None
    noted = f"connections to db that did not begin as {name}: {problem}"
    assert f"{noted} (3 times)" in job.result.notes
    assert job.notices.count(noted) == 1


STARTUP = b"\0\3\0\0user\0app\0\0"
HELLO = write_msg(1, 0, encode({"hello": 1, "$db": "admin"}))
REDIS, POSTGRES, MYSQL = (pytest.mark.xdist_group(name) for name in ("redis", "postgres", "mysql"))


@pytest.mark.parametrize(
    ("url", "at", "first", "why"),
    [
        pytest.param("rediss://{}", "redis_server", b"PING\r\n",
                     "it speaks no TLS: write redis:// instead of rediss:// in the map's URL", marks=REDIS),
        pytest.param("postgres://{}/shop", "redis_server", len(STARTUP + b"four").to_bytes(4) + STARTUP,
                     "it speaks Redis, not Postgres: correct the map's URL", marks=REDIS),
        pytest.param("postgres://{}/shop?sslmode=disable", "redis_server", len(STARTUP + b"four").to_bytes(4) + STARTUP,
                     "it speaks Redis, not Postgres: correct the map's URL", marks=REDIS),
        pytest.param("mysql://{}/shop", "redis_server", b"",
                     "it speaks Redis, not MySQL: correct the map's URL", marks=REDIS),
        pytest.param("mongodb://{}/shop", "redis_server", HELLO,
                     "could not connect to db: it speaks Redis, not MongoDB: correct the map's URL", marks=REDIS),
        pytest.param("rediss://{}", "postgres", b"PING\r\n",
                     "it speaks Postgres, not Redis: correct the map's URL", marks=POSTGRES),
        pytest.param("redis://{}", "postgres", b"PING\r\n",
                     "it speaks Postgres, not Redis: correct the map's URL", marks=POSTGRES),
        pytest.param("redis://:secret@{}", "postgres", b"PING\r\n",
                     "it speaks Postgres, not Redis: correct the map's URL", marks=POSTGRES),
        pytest.param("redis://{}", "mysql", b"PING\r\n",
                     "it speaks MySQL, not Redis: correct the map's URL", marks=MYSQL),
        pytest.param("mysql://{}/shop", "postgres", b"",
                     "it speaks Postgres, not MySQL: correct the map's URL", marks=POSTGRES),
        pytest.param("postgres://{}/shop", "mysql", len(STARTUP + b"four").to_bytes(4) + STARTUP,
                     "it speaks MySQL, not Postgres: correct the map's URL", marks=MYSQL),
    ],
)  # fmt: skip
async def test_a_server_that_speaks_something_else_is_told_as_that(
    url: str, at: str, first: bytes, why: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A map's URL names the wrong port or the wrong scheme: the app would see no more than its driver's timeout."""
    place = f"127.0.0.1:{request.getfixturevalue(at).port}"
    async with recording(tmp_path_factory.mktemp("recording"), url.format(place)) as job:
        await answered(job.port, first)
    assert job.result is not None
    assert f"connections to db that could not be made: {why}" in job.result.notes


def server[T](request: pytest.FixtureRequest, fixture: str, kind: type[T]) -> T:
    """A running server, only where it is wanted."""
    found = request.getfixturevalue(fixture)
    assert isinstance(found, kind)
    return found


@pytest.mark.xdist_group("postgres")
async def test_junk_fills_no_page_with_notes(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> None:
    junk = random.Random(7)
    async with recording(tmp_path_factory.mktemp("recording"), postgres.dsn) as job:
        for _ in range(60):
            await answered(job.port, bytes(junk.randrange(1, 255) for _ in range(40)))
    assert job.result is not None
    strange = [each for each in job.result.notes if "did not begin as Postgres" in each]
    assert len(strange) == MOST + 1
    assert f"connections to db that did not begin as Postgres, for other reasons ({60 - MOST} times)" in strange
    assert len([each for each in job.notices if "did not begin as Postgres" in each]) == MOST + 1


def test_reasons_are_told_apart_up_to_a_bound() -> None:
    reasons = Reasons()
    notes = [f"connections to db that did not begin as MySQL: reason {number}" for number in range(MOST + 2)]
    told = [reasons.bounded(note) for note in notes]
    assert told[:MOST] == notes[:MOST]
    assert set(told[MOST:]) == {"connections to db that did not begin as MySQL, for other reasons"}
    assert reasons.bounded(notes[0]) == notes[0]
    other = "connections to db whose traffic could not be read (why); their bytes passed"
    assert reasons.bounded(other) == other
    assert reasons.bounded("a note without a reason") == "a note without a reason"
