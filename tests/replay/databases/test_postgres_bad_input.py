"""Hostile and broken peers: the recorder and the mock stay up, say what was wrong, and nobody else notices."""

from __future__ import annotations

import asyncio
import resource
import struct
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from database_kit import exchanges, mocking, recording
from postgres_server import NO_TLS, Server, has_tls

pytestmark = pytest.mark.xdist_group("postgres")  # one server for all

MANY = 10_000


def startup(**parameters: str) -> bytes:
    body = b"\0\3\0\0" + b"".join(f"{name}\0{value}\0".encode() for name, value in parameters.items()) + b"\0"
    return struct.pack(">I", len(body) + 4) + body


async def spoken(port: int, data: bytes, *, byte_by_byte: bool = False) -> bytes:
    """What a port says to bytes, up to its end or a second of silence."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in [data[at : at + 1] for at in range(len(data))] if byte_by_byte else [data]:
            writer.write(piece)
            await writer.drain()
        said = b""
        with suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(1.5):
                while piece := await reader.read(65536):
                    said += piece
        return said
    finally:
        writer.close()


async def ended(port: int, data: bytes) -> bytes:
    """The same of a port that must hang up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        async with asyncio.timeout(5):
            return await reader.read()
    finally:
        writer.close()


HOSTILE = {
    "an impossible length": b"\xff\xff\xff\xff\0\3\0\0",
    "a length of nothing": b"\0\0\0\0\0\0\0\0",
    "HTTP": b"GET / HTTP/1.1\r\nHost: db\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40),
    "protocol 2": struct.pack(">II", 8, 2 << 16),
    "a gigabyte": startup(user="u") + b"Q\x3f\xff\xff\xff" + bytes(1000),
    "an impossible message": startup(user="u") + b"Q\0\0\0\0",
    "an unknown message": startup(user="u") + b"@\0\1\0\0",
    "a short message that is long": startup(user="u") + b"S" + struct.pack(">I", 20_000),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_the_mock_refuses_what_is_no_postgres_and_goes_on(name: str, small: Path) -> None:
    async with mocking(small, "postgres://127.0.0.1:9/x") as job:
        await spoken(job.port, HOSTILE[name])
        assert await ask(job.environment["WIRETAPE_DB_URL"]) == 7


@pytest.mark.parametrize(("name", "said"), [
    ("an impossible length", b"08P01\0Minvalid length of startup packet\0"),
    ("a length of nothing", b"08P01\0Minvalid length of startup packet\0"),
    ("protocol 2", b"0A000\0Munsupported frontend protocol 2.0: server supports 3.0 to 3.0\0"),
    ("a gigabyte", b"08P01\0Minvalid message length"),
    ("an impossible message", b"08P01\0Minvalid message length"),
    ("an unknown message", b"08P01\0Minvalid frontend message type 64\0"),
    ("a short message that is long", b"08P01\0Minvalid message length: 'S' of 20000 bytes\0"),
])  # fmt: skip
async def test_the_mock_says_what_the_server_says_of_what_is_malformed(name: str, said: bytes, small: Path) -> None:
    async with mocking(small, "postgres://127.0.0.1:9/x") as job:
        assert said in await ended(job.port, HOSTILE[name])
    assert job.result is not None
    assert job.result.refused == 1


async def test_the_mock_takes_a_session_byte_by_byte(small: Path) -> None:
    query = b"Q" + struct.pack(">I", 4 + len("select n from small\0")) + b"select n from small\0"
    async with mocking(small, "postgres://127.0.0.1:9/x") as job:
        whole = await spoken(job.port, startup(user="u", database="x") + query + b"X\0\0\0\4")
        pieces = await spoken(job.port, startup(user="u", database="x") + query + b"X\0\0\0\4", byte_by_byte=True)
    assert whole == pieces
    assert b"SELECT 1" in whole


async def test_connections_that_come_and_go_leave_nothing(small: Path) -> None:
    async with mocking(small, "postgres://127.0.0.1:9/x") as job:

        async def one() -> None:
            _, writer = await asyncio.open_connection("127.0.0.1", job.port)
            writer.write(startup(user="u"))
            writer.transport.abort()

        await one()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in range(MANY // 50):
            await asyncio.gather(*(one() for _ in range(50)))
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000
        assert await ask(job.environment["WIRETAPE_DB_URL"]) == 7


@pytest.mark.parametrize("name", ["an impossible length", "HTTP", "TLS", "protocol 2"])
async def test_the_recorder_refuses_what_is_no_postgres_and_says_so(
    name: str, postgres: Server, tmp_path: Path
) -> None:
    async with recording(tmp_path, postgres.dsn) as job:
        assert b"wiretape" in await spoken(job.port, HOSTILE[name])
        assert await ask(job.environment["WIRETAPE_DB_URL"], "select 7") == 7
    assert job.result is not None
    assert any("did not begin as Postgres" in note for note in job.result.notes)


async def test_traffic_that_cannot_be_read_passes_and_is_told(tmp_path: Path) -> None:
    """The server speaks nonsense after the login: the bytes pass, the recording of that connection ends."""

    async def server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)
        writer.write(b"N")
        (length,) = struct.unpack(">I", await reader.readexactly(4))
        await reader.readexactly(length - 4)
        writer.write(b"R\0\0\0\x08\0\0\0\0" + b"@\0\0\0\4nonsense")
        await reader.read(5)
        writer.write(b"pong")
        writer.close()

    async with serving(server) as port, recording(tmp_path, f"postgres://u@127.0.0.1:{port}/x") as job:
        said = await spoken(job.port, startup(user="u") + b"hello")
    assert said == b"R\0\0\0\x08\0\0\0\0" + b"@\0\0\0\4nonsense" + b"pong"
    assert job.result is not None
    assert [note for note in job.result.notes if "could not be read" in note and "were not recorded" in note]


async def test_a_server_that_dies_in_its_answer_is_recorded_and_dies_again(tmp_path: Path) -> None:
    async def server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)
        writer.write(b"N")
        (length,) = struct.unpack(">I", await reader.readexactly(4))
        await reader.readexactly(length - 4)
        writer.write(b"R\0\0\0\x08\0\0\0\0" + b"Z\0\0\0\5I")
        await reader.read(100)
        writer.write(b"D\0\0\0\x0c\0\1\0\0")
        await writer.drain()
        writer.transport.abort()

    async with serving(server) as port, recording(tmp_path, f"postgres://u@127.0.0.1:{port}/x") as job:
        with pytest.raises(psycopg.OperationalError, match="server closed the connection"):
            await ask(job.environment["WIRETAPE_DB_URL"], "select 'dies'", autocommit=True)
    dying = [each for each in await exchanges(tmp_path / "tape.tape") if each.command == "SELECT"]
    assert [(each.status, each.error) for each in dying] == [("", "the connection ended first")]
    async with mocking(tmp_path, "postgres://u@127.0.0.1:9/x") as mock:
        with pytest.raises(psycopg.OperationalError, match="server closed the connection"):
            await ask(mock.environment["WIRETAPE_DB_URL"], "select 'dies'", autocommit=True)


async def test_a_query_is_cancelled_through_the_recorder(postgres: Server, tmp_path: Path) -> None:
    def work(url: str) -> str | None:
        with psycopg.connect(url, autocommit=True) as connection:
            # Not cancel(): it holds the interpreter, in which the recorder runs too, until the server has answered.
            timer = threading.Timer(0.3, connection.cancel_safe, kwargs={"timeout": 10})
            timer.start()
            try:
                connection.execute("select pg_sleep(9)")
            except psycopg.errors.QueryCanceled as error:
                return error.sqlstate
            finally:
                timer.join()
        return None

    async with recording(tmp_path, postgres.dsn) as job:
        assert await asyncio.to_thread(work, job.environment["WIRETAPE_DB_URL"]) == "57014"
    (asleep,) = [each for each in await exchanges(tmp_path / "tape.tape") if "pg_sleep" in each.location]
    assert asleep.status == "57014"


@pytest.mark.parametrize("mode", ["disable", "prefer", "require", "verify-full"])
async def test_tls_towards_the_server_is_as_the_app_asked(mode: str, postgres: Server, tmp_path: Path) -> None:
    if not has_tls(postgres.bin):
        pytest.skip(NO_TLS)
    roots = postgres.folder / "server.crt"
    url = f"{postgres.dsn}?sslmode={mode}&sslrootcert={roots}".replace("127.0.0.1", "localhost")
    async with recording(tmp_path, url) as job:
        sql = "select ssl from pg_stat_ssl where pid = pg_backend_pid()"
        assert await ask(job.environment["WIRETAPE_DB_URL"], sql) is (mode != "disable")


@pytest.mark.parametrize("mode", ["prefer", "require", "verify-full"])
async def test_an_app_that_wants_tls_gets_it(mode: str, postgres: Server, small: Path, tmp_path: Path) -> None:
    def insisting(url: str, roots: Path) -> Any:
        with psycopg.connect(url.replace("disable", mode), sslrootcert=str(roots), autocommit=True) as connection:
            row = connection.execute("select n from small").fetchone()
            return row and row[0], connection.pgconn.ssl_in_use

    async with recording(tmp_path, postgres.dsn) as job:
        roots = tmp_path / "ca" / "bundle.pem"
        assert await asyncio.to_thread(insisting, job.environment["WIRETAPE_DB_URL"], roots) == (7, True)
    async with mocking(small, "postgres://u:p@127.0.0.1:9/x") as mock:
        roots = small / "ca" / "bundle.pem"
        assert await asyncio.to_thread(insisting, mock.environment["WIRETAPE_DB_URL"], roots) == (7, True)


async def test_a_certificate_that_does_not_verify_is_told(postgres: Server, tmp_path: Path) -> None:
    if not has_tls(postgres.bin):
        pytest.skip(NO_TLS)
    url = f"{postgres.dsn}?sslmode=verify-full".replace("127.0.0.1", "localhost")
    async with recording(tmp_path, url) as job:
        with pytest.raises(psycopg.OperationalError, match="certificate does not verify"):
            await ask(job.environment["WIRETAPE_DB_URL"], "select 1")


async def test_a_unix_socket_is_recorded(postgres: Server, tmp_path: Path) -> None:
    url = f"postgres://root@/postgres?host={postgres.socket_folder}&port={postgres.port}"
    async with recording(tmp_path, url) as job:
        assert await ask(job.environment["WIRETAPE_DB_URL"], "select 5") == 5


def one_value(url: str, sql: str, autocommit: bool) -> Any:
    with psycopg.connect(url, autocommit=autocommit) as connection:
        row = connection.execute(sql.encode()).fetchone()
        return row and row[0]


async def ask(url: str, sql: str = "select n from small", *, autocommit: bool = False) -> Any:
    return await asyncio.to_thread(one_value, url, sql, autocommit)


@pytest.fixture(scope="module")
def small(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of one statement."""
    folder = tmp_path_factory.mktemp("small")

    def work(url: str) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("create table if not exists small (n int)")
            connection.execute("truncate small")
            connection.execute("insert into small values (7)")
            connection.execute("select n from small")

    async def recorded() -> None:
        async with recording(folder, postgres.dsn) as job:
            await asyncio.to_thread(work, job.environment["WIRETAPE_DB_URL"])

    asyncio.run(recorded())
    return folder


type Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class serving:
    """A server on a free port for the length of a block."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve

    async def __aenter__(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
