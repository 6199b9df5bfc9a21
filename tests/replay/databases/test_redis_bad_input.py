"""Hostile and broken peers: the recorder and the mock stay up, say what was wrong, and nobody else notices."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import redis
from database_kit import exchanges, mocking, recording
from hypothesis import given
from hypothesis import strategies as st
from redis_kit import answering, command_of
from redis_server import PASSWORD, RedisServer

from wiretape_capture.launch.ca import CA_CERT_FILE
from wiretape_capture.protocols.redis.buffer import Malformed
from wiretape_capture.protocols.redis.requests import COMMAND_KEPT, CommandReader

pytestmark = pytest.mark.xdist_group("redis_mock")  # one snapshot for all

MANY = 2_000
NOWHERE = "redis://127.0.0.1:9/0"
HOSTILE = {
    "a gigabyte": b"*2\r\n$3\r\nGET\r\n$1073741824\r\n" + bytes(1000),
    "a million arguments": b"*1048577\r\n",
    "a billion arguments": b"*1000000000\r\n",
    "no length": b"*x\r\n",
    "a huge length": b"*1\r\n$999999999999\r\n",
    "a negative length": b"*2\r\n$3\r\nGET\r\n$-1\r\n",
    "a length of letters": b"*2\r\n$3\r\nGET\r\n$abc\r\n",
    "a long inline command": b"GET " + b"a" * 70_000,
    "a quote without an end": b'GET "small\r\n',
    "a wrong length": b"*1\r\n$2\r\nPING\r\n",
    "a reply": b"*1\r\n:5\r\n",
    "an endless line": b"*" + b"1" * 70_000,
    "zeros": bytes(64) + b"\n",
    "half a command": b"*2\r\n$3\r\nGET\r\n",
}


async def spoken(port: int, data: bytes, seconds: float = 0.5) -> bytes:
    """What a port says to bytes, up to its end or a silence."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    said = b""
    try:
        writer.write(data)
        with suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(seconds):
                while piece := await reader.read(65536):
                    said += piece
    finally:
        writer.close()
    return said


async def ended(port: int, data: bytes) -> bytes:
    """What a port says to bytes before it hangs up, as it must."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        async with asyncio.timeout(5):
            return await reader.read()
    finally:
        writer.close()


async def ask(url: str, **options: Any) -> Any:
    """What `GET small` gets."""

    def get() -> Any:
        with redis.Redis.from_url(url, **options) as client:
            return client.get("small")

    return await asyncio.to_thread(get)


@asynccontextmanager
async def serving(answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> Any:
    """A server that answers in its own way."""
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The smallest server: every command is fine, and a value is `x`."""
    with suppress(ConnectionError):
        await _plain(reader, writer)
    writer.close()


async def _plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        for _ in range(data.count(b"*")):
            writer.write(b"$1\r\nx\r\n")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A snapshot with one GET."""
    folder = tmp_path_factory.mktemp("small")

    async def made() -> None:
        async with serving(plain) as port, recording(folder, f"redis://127.0.0.1:{port}") as job:
            assert await spoken(job.port, command_of("GET small")) == b"$1\r\nx\r\n"

    asyncio.run(made())
    return folder


async def test_the_mock_refuses_what_is_no_redis_and_goes_on(small: Path) -> None:
    async with mocking(small, NOWHERE) as job:
        said = await asyncio.gather(*(spoken(job.port, data) for data in HOSTILE.values()))
        assert await ask(job.environment["WIRETAPE_DB_URL"]) == b"x"
    told = dict(zip(HOSTILE, said, strict=True))
    assert {name: data.removeprefix(b"-ERR Protocol error: ") for name, data in told.items()} == {
        "half a command": b"",
        "a gigabyte": b"invalid bulk length\r\n",
        "a huge length": b"invalid bulk length\r\n",
        "a negative length": b"invalid bulk length\r\n",
        "a length of letters": b"invalid bulk length\r\n",
        "a million arguments": b"invalid multibulk length\r\n",
        "a billion arguments": b"invalid multibulk length\r\n",
        "no length": b"invalid multibulk length\r\n",
        "an endless line": b"too big mbulk count string\r\n",
        "a reply": b"expected '$', got ':'\r\n",
        "a long inline command": b"too big inline request\r\n",
        "a quote without an end": b"unbalanced quotes in request\r\n",
        "a wrong length": b"a string is longer than its length says\r\n",
        "zeros": b"the byte 0x00 begins no command\r\n",
    }
    assert job.result is not None
    assert job.result.tally.miss == 0
    assert job.result.refused == len(HOSTILE)
    assert "connections to db that were refused: invalid bulk length (4 times)" in job.result.notes


async def test_the_mock_says_what_redis_says_of_what_is_malformed(redis_server: RedisServer, small: Path) -> None:
    names = ["a huge length", "a negative length", "a length of letters", "no length", "a reply", "an endless line",
             "a long inline command", "a quote without an end"]  # fmt: skip
    log_in = command_of(f"AUTH {PASSWORD}")
    async with mocking(small, NOWHERE) as job:
        for name in names:
            real = await spoken(redis_server.port, log_in + HOSTILE[name])
            assert await spoken(job.port, log_in + HOSTILE[name]) == real, name
            assert b"Protocol error: " in real


def test_a_command_of_many_large_arguments_is_not_held() -> None:
    reader = CommandReader()
    piece = b"$1048576\r\n" + bytes(1 << 20) + b"\r\n"
    assert reader.feed(b"*201\r\n$4\r\nMSET\r\n") == []
    (arguments,) = [each for _ in range(200) for each in reader.feed(piece)]
    assert sum(len(each) for each in arguments if isinstance(each, bytes)) <= COMMAND_KEPT
    assert sum(each for each in arguments if isinstance(each, int)) == 201 * (1 << 20) - (1 << 20) - 63 * (1 << 20)


async def test_a_client_may_begin_with_tls(small: Path) -> None:
    async with mocking(small, NOWHERE) as job:
        url = f"rediss://127.0.0.1:{job.port}"
        assert await ask(url, ssl_ca_certs=str(small / "ca" / CA_CERT_FILE), ssl_check_hostname=True) == b"x"
        assert (
            await ended(job.port, b"\x16\x03\x01 no TLS at all")
            == b"-ERR wiretape: it begins as TLS does, and the handshake does not begin with a hello\r\n"
        )
        assert await ask(job.environment["WIRETAPE_DB_URL"]) == b"x"


async def test_connections_that_come_and_go_leave_nothing(small: Path) -> None:
    async with mocking(small, NOWHERE) as job:

        async def one() -> None:
            _, writer = await asyncio.open_connection("127.0.0.1", job.port)
            writer.write(command_of("GET small"))
            writer.transport.abort()

        await one()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in range(MANY // 50):
            await asyncio.gather(*(one() for _ in range(50)))
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000
        assert await ask(job.environment["WIRETAPE_DB_URL"]) == b"x"


async def test_traffic_that_cannot_be_read_passes_and_is_told(tmp_path: Path) -> None:
    async def nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"@nonsense\r\n")
        await reader.read(5)
        writer.write(b"pong")
        writer.close()

    async with serving(nonsense) as port, recording(tmp_path, f"redis://127.0.0.1:{port}") as job:
        reader, writer = await asyncio.open_connection("127.0.0.1", job.port)
        writer.write(command_of("GET a"))
        assert await reader.readexactly(11) == b"@nonsense\r\n"
        writer.write(b"hello")
        assert await reader.read(100) == b"pong"
        writer.close()
    assert job.result is not None
    assert [note for note in job.result.notes if "could not be read" in note and "were not recorded" in note]


async def test_a_server_that_dies_in_its_answer_is_recorded_and_dies_again(tmp_path: Path) -> None:
    async def dies(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"$100\r\nhalf")
        writer.close()

    async with serving(dies) as port, recording(tmp_path, f"redis://127.0.0.1:{port}") as job:
        assert await spoken(job.port, command_of("GET a")) == b"$100\r\nhalf"
    (seen,) = await exchanges(tmp_path / "tape.tape")
    assert (seen.command, seen.status, seen.response) == ("GET", "", None)
    async with mocking(tmp_path, NOWHERE) as mock:
        reader, writer = await asyncio.open_connection("127.0.0.1", mock.port)
        writer.write(command_of("GET a"))
        async with asyncio.timeout(5):
            assert await reader.read(100) == b""
        writer.close()


async def test_tls_where_the_server_is_plain_is_said(tmp_path: Path) -> None:
    async def refuses(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"-ERR Protocol error\r\n")
        writer.close()

    async with serving(refuses) as port, recording(tmp_path, f"rediss://127.0.0.1:{port}") as job:
        assert await ended(job.port, command_of("GET a")) == b""
        await job.told("write redis:// instead of rediss://")


PIECES = st.lists(st.sampled_from([
    command_of("GET small"), command_of("SET a 1"), command_of("MULTI"), command_of("EXEC"), command_of("SUBSCRIBE a"),
    command_of("HELLO 3"), command_of("CLIENT REPLY SKIP"), command_of("EVALSHA x 0"), command_of("XREAD STREAMS"),
    command_of("EVAL x 9999999"), command_of("SCRIPT"), command_of("CLIENT"), command_of("CONFIG"),
    command_of("SELECT"), command_of("UNSUBSCRIBE"), command_of("RESET"), b"PING\r\n",
    b"*1\r\n", b"$", b"\r\n", b"\0", b"\xff", b'"',
]) | st.binary(max_size=12), max_size=12)  # fmt: skip


@given(PIECES)
def test_the_mock_answers_anything_or_refuses_it(pieces: list[bytes]) -> None:
    client = answering([("GET small", b"$1\r\nx\r\n")])
    with suppress(Malformed):
        for piece in pieces:
            client.session.feed(piece)
    client.heard()
