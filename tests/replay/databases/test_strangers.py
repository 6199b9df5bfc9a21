"""Clients that come to a mocked database's port and speak something else: an end at once that says why, and a note."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import bson
import httpx
import psycopg
import pymongo
import pytest
import redis
from mock_kit import answer, call, write_tape

from wiretape_capture.jobs.events import Notice, Ready
from wiretape_capture.launch.ca import CA_CERT_FILE
from wiretape_capture.launch.mapping import parse_map
from wiretape_capture.protocols.first_bytes import spoken_by
from wiretape_capture.protocols.mongodb import wire
from wiretape_capture.protocols.postgres.wire import SSL_REQUEST
from wiretape_replay.mock.serve import serve_mock
from wiretape_replay.mock.spec import MockResult, MockSpec
from wiretape_server.cli.mock import result_lines

SCHEMES = {"Postgres": "postgres", "MySQL": "mysql", "Redis": "redis", "MongoDB": "mongodb"}
STARTUP = struct.pack(">II", 17, 3 << 16) + b"user\0u\0\0\0\0"[:9]


def hello(name: str = "localhost") -> bytes:
    """A real ClientHello."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    layer = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        layer.do_handshake()
    return outgoing.read()


BEGINNINGS = {
    "HTTP": b"GET / HTTP/1.1\r\nHost: db\r\n\r\n",
    "Redis": b"*1\r\n$4\r\nPING\r\n",
    "Redis inline": b"PING\r\n",
    "Postgres": STARTUP,
    "Postgres in TLS": struct.pack(">II", 8, SSL_REQUEST),
    "MongoDB": wire.write_msg(6, 0, bson.encode({"hello": 1, "$db": "admin"})),
}


class Mocks:
    """A mock of one server of each kind."""

    def __init__(self) -> None:
        self.ready: asyncio.Future[Ready] = asyncio.get_running_loop().create_future()
        self.notices: list[str] = []
        self.result: MockResult | None = None

    def emit(self, event: object) -> None:
        if isinstance(event, Ready):
            self.ready.set_result(event)
        elif isinstance(event, Notice):
            self.notices.append(event.message)

    def port(self, name: str) -> int:
        return int(self.ready.result().endpoints[f"map:{SCHEMES[name]}"].rpartition(":")[2])


@asynccontextmanager
async def mocks(folder: Path) -> AsyncIterator[Mocks]:
    tape = await write_tape(folder / "shop.tape", [call(1, "GET", "/", answer(200, {}))])
    maps = tuple(parse_map(f"{scheme}={scheme}://127.0.0.1:9") for scheme in SCHEMES.values())
    made, stop = Mocks(), asyncio.Event()
    task = asyncio.create_task(serve_mock(MockSpec(tape=tape, ca_dir=folder / "ca", maps=maps), made.emit, stop))
    try:
        await asyncio.wait_for(asyncio.shield(made.ready), 20)
        yield made
    finally:
        stop.set()
        made.result = await asyncio.wait_for(task, 20)


async def ended(port: int, data: bytes, *, byte_by_byte: bool = False) -> bytes:
    """What a port says before it hangs up, as it must within a moment."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in [data[at : at + 1] for at in range(len(data))] if byte_by_byte else [data]:
            writer.write(piece)
            await asyncio.sleep(0)
        async with asyncio.timeout(3):
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


async def test_each_port_ends_with_what_others_begin_with(tmp_path: Path) -> None:
    strangers = [(name, said) for name in SCHEMES for said in BEGINNINGS if not said.startswith(name)]
    async with mocks(tmp_path) as made:
        told = {one: await ended(made.port(one[0]), BEGINNINGS[one[1]]) for one in strangers}
    assert made.result is not None
    assert made.result.refused == len(strangers)
    for name, scheme in SCHEMES.items():
        why = f"connections to {scheme} that were refused: this is HTTP, and the port speaks {name}, plain or"
        assert any(why in note for note in made.result.notes)
    assert made.notices[0] in "\n".join(made.result.notes)
    assert any("this is HTTP" in line for line in result_lines(made.result))
    for (name, said), data in told.items():
        if said == "HTTP" and name != "MySQL":
            assert data.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        elif said == "Redis" and name != "MySQL":
            assert data == f"-ERR wiretape: this is Redis, and the port speaks {name}, plain or in TLS\r\n".encode()
        elif said.startswith("Postgres") and name != "MySQL":
            assert data[:1] == b"E"
            assert b"this is Postgres, and the port speaks" in data


async def test_what_comes_byte_by_byte_ends_too(tmp_path: Path) -> None:
    async with mocks(tmp_path) as made:
        for name in SCHEMES:
            for said in ("HTTP", "Redis inline", "MongoDB"):
                if said.partition(" ")[0] != name:
                    await ended(made.port(name), BEGINNINGS[said], byte_by_byte=True)


async def test_what_begins_as_tls_is_answered_in_tls_or_ends(tmp_path: Path) -> None:
    async with mocks(tmp_path) as made:
        context = ssl.create_default_context(cafile=str(tmp_path / "ca" / CA_CERT_FILE))
        for name in ("Redis", "MongoDB", "Postgres"):
            _, writer = await asyncio.open_connection("127.0.0.1", made.port(name), ssl=context)
            writer.close()
            garbage = hello()
            assert await ended(made.port(name), garbage[:5] + b"\2" + garbage[6:])  # a hello of a server
            with pytest.raises(ssl.SSLCertVerificationError):  # a client that does not trust wiretape
                await asyncio.open_connection("127.0.0.1", made.port(name), ssl=ssl.create_default_context())
        assert b"this is TLS, and the port speaks MySQL" in await ended(made.port("MySQL"), hello())
        in_tls = httpx.AsyncClient(verify=context, trust_env=False)
        async with in_tls:
            answered = await in_tls.get(f"https://127.0.0.1:{made.port('Redis')}/")
        assert (answered.status_code, "this is HTTP, and the port speaks Redis" in answered.text) == (400, True)
    assert made.result is not None
    assert sum("have the client trust wiretape's authority" in note for note in made.result.notes) == 3


async def test_drivers_may_begin_with_tls(tmp_path: Path) -> None:
    def postgres(port: int) -> bool:
        if psycopg.pq.version() < 170000:
            pytest.skip("needs libpq 17: sslnegotiation=direct")
        url = f"postgres://u:p@127.0.0.1:{port}/x?sslnegotiation=direct&sslmode=verify-full&sslrootcert={ca}"
        with psycopg.connect(url) as connection:
            return connection.pgconn.ssl_in_use

    def keys(port: int) -> bool:
        with redis.Redis.from_url(f"rediss://127.0.0.1:{port}", ssl_ca_certs=str(ca)) as client:
            return bool(client.ping())

    def documents(port: int) -> bool:
        url = f"mongodb://127.0.0.1:{port}/?tls=true&tlsCAFile={ca}&directConnection=true&serverSelectionTimeoutMS=9000"
        client: Any = pymongo.MongoClient(url)
        with client:
            return bool(client.admin.command("ping")["ok"])

    async with mocks(tmp_path) as made:
        ca = tmp_path / "ca" / CA_CERT_FILE
        assert await asyncio.to_thread(keys, made.port("Redis"))
        assert await asyncio.to_thread(documents, made.port("MongoDB"))
        assert await asyncio.to_thread(postgres, made.port("Postgres"))
    assert made.result is not None
    assert made.result.refused == 0


async def test_a_handshake_that_does_not_go_on_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wiretape_replay.mock.databases.connection.HANDSHAKE_SECONDS", 0.2)
    async with mocks(tmp_path) as made:
        for name in ("Redis", "MongoDB", "Postgres"):
            assert await ended(made.port(name), hello()[:40]) == b""
        with socket.create_connection(("127.0.0.1", made.port("Redis"))) as gone:
            gone.sendall(b"*1\r\n$4\r\n")
        assert await ended(made.port("Redis"), b"*1\r\n$4\r\nQUIT\r\n") == b"+OK\r\n"
    assert made.result is not None
    assert sum("a TLS handshake took longer than" in note for note in made.result.notes) == 3
    assert "connections to redis that ended in the middle of something" in made.result.notes


@pytest.mark.parametrize("data", [b"", b"\x16", b"\x16\x03", b"*", b"\0\0\0\x08", b"GET small\r\n", b"hello\r\n",
                                  b"GET a HTTP\r\n", b"*1\r\n:5\r\n"])  # fmt: skip
def test_what_does_not_tell_is_left_to_the_protocol(data: bytes) -> None:
    assert spoken_by(data) is None
