"""Hostile and broken peers: the recorder and the mock stay up, say what was wrong, and nobody else notices."""

from __future__ import annotations

import asyncio
import resource
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pymysql
import pytest
from database_kit import exchanges, mocking, recording
from mysql_client import Client
from mysql_server import PASSWORD, MysqlServer

from wiretape_capture.protocols.mysql import login, packets
from wiretape_capture.protocols.mysql.login import Greeting, Response
from wiretape_capture.protocols.mysql.packets import Column, Done, Terms
from wiretape_capture.protocols.mysql.wire import Capability, Framer, packet

pytestmark = pytest.mark.xdist_group("mysql")  # one server for all

MANY = 1_000
NOWHERE = "mysql://127.0.0.1:9/shop"
CAPABLE = (
    Capability.MYSQL | Capability.PROTOCOL_41 | Capability.SECURE_CONNECTION | Capability.PLUGIN_AUTH
    | Capability.CONNECT_WITH_DB | Capability.TRANSACTIONS
)  # fmt: skip


def entering(user: str = "u") -> bytes:
    """The answer to a greeting."""
    return packet(1, login.write_response(Response(CAPABLE, 1 << 24, 45, user, b"x" * 20, "shop", login.NATIVE)))


async def spoken(port: int, data: bytes, *, byte_by_byte: bool = False) -> bytes:
    """What a port says to bytes after its greeting, up to its end or a second of silence."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        head = await reader.readexactly(4)
        await reader.readexactly(int.from_bytes(head[:3], "little"))
        for piece in [data[at : at + 1] for at in range(len(data))] if byte_by_byte else [data]:
            writer.write(piece)
            await writer.drain()
        said = b""
        with suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(1):
                while piece := await reader.read(65536):
                    said += piece
        return said
    finally:
        writer.close()


HOSTILE = {
    "HTTP": b"GET / HTTP/1.1\r\nHost: db\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40),
    "a wrong number": packet(7, bytes(40)),
    "a huge login": b"\xff\xff\xff\x01" + bytes(100),
    "the protocol of before 4.1": packet(1, bytes(40)),
    "a short login": packet(1, b"\0\2"),
}
AFTER_LOGIN = {
    "a truncated execution": packet(0, b"\x17\1\0"),
    "a gigabyte": b"".join(b"\xff\xff\xff" + bytes((at,)) for at in range(3)) + bytes(1000),
    "an empty command": packet(0, b""),
    "long data of nothing": packet(0, b"\x18\1"),
}


async def ask(port: int) -> Any:
    def work() -> Any:
        connection = pymysql.connect(host="127.0.0.1", port=port, user="shop", password=PASSWORD, database="shop")
        with connection, connection.cursor() as cursor:
            cursor.execute("select n from small")
            return cursor.fetchall()

    return await asyncio.to_thread(work)


@pytest.fixture(scope="module")
def small(mysql: MysqlServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of one statement."""
    folder = tmp_path_factory.mktemp("small")

    async def recorded() -> None:
        client = await Client.connect(mysql.port)
        await client.ask(b"\x03create or replace table small select 7 as n")
        await client.close()
        async with recording(folder, mysql.dsn) as job:
            await ask(job.port)

    asyncio.run(recorded())
    return folder


async def test_the_mock_refuses_what_is_no_mysql_and_goes_on(small: Path) -> None:
    async with mocking(small, NOWHERE) as job:
        said = {name: await spoken(job.port, data) for name, data in HOSTILE.items()}
        for data in AFTER_LOGIN.values():
            await spoken(job.port, entering() + data)
        assert await ask(job.port) == ((7,),)
    told = {name: packets.read_error(next(Framer().feed(each)).payload or b"").message for name, each in said.items()}
    assert {name: each.partition(":")[0] for name, each in told.items()} == {
        **dict.fromkeys(HOSTILE, "Bad handshake"), "a wrong number": "Got packets out of order",
    }  # fmt: skip
    assert "before MySQL 4.1" in told["the protocol of before 4.1"]
    assert job.result is not None
    assert job.result.refused >= len(HOSTILE) + 2


async def test_the_mock_takes_a_session_byte_by_byte(small: Path) -> None:
    session = entering() + packet(0, b"\x03select n from small") + packet(0, b"\x01")
    async with mocking(small, NOWHERE) as job:
        whole = await spoken(job.port, session)
        assert whole == await spoken(job.port, session, byte_by_byte=True)
    assert b"\x017" in whole


async def test_connections_that_come_and_go_leave_nothing(small: Path) -> None:
    async with mocking(small, NOWHERE) as job:

        async def one() -> None:
            _, writer = await asyncio.open_connection("127.0.0.1", job.port)
            writer.write(entering()[:30])
            writer.transport.abort()

        await one()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in range(MANY // 50):
            await asyncio.gather(*(one() for _ in range(50)))
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000
        assert await ask(job.port) == ((7,),)


async def test_the_recorder_refuses_what_is_no_mysql_and_says_so(mysql: MysqlServer, tmp_path: Path) -> None:
    async with recording(tmp_path, mysql.dsn) as job:
        for name, data in HOSTILE.items():
            assert b"wiretape" in await spoken(job.port, data), name
        assert await ask(job.port) is not None
    assert job.result is not None
    assert any("did not begin as MySQL" in note for note in job.result.notes)


type Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[str]:
    """A server for the length of a block; its URL."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"mysql://127.0.0.1:{server.sockets[0].getsockname()[1]}/x"
    finally:
        server.close()


def answering(after_login: bytes) -> Serve:
    """Greets, lets everybody in, answers one command with these bytes and dies."""

    async def server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        greeting = Greeting("8.0.1", 1, bytes(range(33, 53)), CAPABLE, 45, 2, login.NATIVE)
        writer.write(packet(0, login.write_greeting(greeting)))
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            (length,) = struct.unpack("<I", await reader.readexactly(3) + b"\0")
            await reader.readexactly(length + 1)
            writer.write(packet(2, packets.write_ok(Done(status=2), Terms(0))))
            await reader.readexactly(5)
            writer.write(after_login)
            await writer.drain()
        writer.transport.abort() if after_login else writer.close()

    return server


async def test_a_server_that_dies_in_its_answer_is_recorded_and_dies_again(tmp_path: Path) -> None:
    column = packet(2, packets.write_column(Column("n", 3), Terms(0)))
    half = packet(1, b"\1") + column + packet(3, b"\xfe\0\0\2\0") + packet(4, b"\x017")
    query = entering() + packet(0, b"\x03select 'dies'")
    async with serving(answering(half)) as url, recording(tmp_path, url) as job:
        await spoken(job.port, query)
    dying = [each for each in await exchanges(tmp_path / "tape.tape") if each.command == "SELECT"]
    assert [(each.status, each.error) for each in dying] == [("", "the connection ended first")]
    async with mocking(tmp_path, NOWHERE) as mock:
        assert len(list(Framer().feed(await spoken(mock.port, query)))) == 1  # the OK of its login


async def test_traffic_that_cannot_be_read_passes_and_is_told(tmp_path: Path) -> None:
    nonsense = packet(1, b"\xfb") + packet(2, b"\2") + packet(3, b"no column")
    async with serving(answering(nonsense)) as url, recording(tmp_path, url) as job:
        assert (await spoken(job.port, entering() + packet(0, b"\x03select 1"))).endswith(b"no column")
    assert job.result is not None
    assert [note for note in job.result.notes if "could not be read" in note and "were not recorded" in note]


@pytest.mark.parametrize(("greeting", "told"), [
    (b"HTTP/1.1 400 Bad Request\r\n\r\n", "it speaks HTTP, not MySQL: correct the map's URL"),
    (b"\x05\x00\x00\x00hello", "does not greet as MySQL does"),
])  # fmt: skip
async def test_a_server_that_is_no_mysql_is_told(greeting: bytes, told: str, tmp_path: Path) -> None:
    async def stranger(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        await reader.read(10)
        writer.close()

    async with serving(stranger) as url, recording(tmp_path, url) as job:
        with pytest.raises(pymysql.OperationalError, match=told):
            await ask(job.port)
