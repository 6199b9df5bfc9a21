"""Hostile and broken clients over raw sockets: each gets a clear answer or is cut off, and nobody else notices."""

from __future__ import annotations

import asyncio
import gzip
import os
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mock_kit import Served, answer, call, exchange_bytes, serving

from wiretape_capture.launch.spec import ServiceMap
from wiretape_replay.mock.conversation import Seconds

GOOD = b"GET http://api.example.com/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
POST = b"POST http://api.example.com/a HTTP/1.1\r\nHost: x\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes"


@pytest.fixture
async def mock(tmp_path: Path) -> AsyncIterator[Served]:
    maps = (ServiceMap(name="pay", scheme="http", host="pay.example.com", port=80),)
    quick = Seconds(head=0.3, body=0.3)
    async with serving(tmp_path, [call(1, "GET", "/a", answer(200, b"yes", ()))], maps=maps, seconds=quick) as served:
        yield served
        # Whatever a test did, the next client is served.
        assert await exchange_bytes(served.port, GOOD) == ANSWER
        assert not served.task.done()


@pytest.mark.parametrize(("data", "status"), [
    (b"GET\r\n\r\n", 400),
    (b"GET  HTTP/1.1\r\n\r\n", 400),
    (b"get / HTTP/1.1\r\n\r\n", 400),
    (b"GET / HTTP/9.9\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nno colon here\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nA: b\r\n c\x00: d\r\n\r\n", 400),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    (bytes(range(128, 256)), 400),
    (POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400),
    (POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (POST + b"Content-Length: -1\r\n\r\n", 400),
    (POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n", 400),
    (POST + b"X: " + b"a" * (1 << 20) + b"\r\n\r\n", 431),
    (POST + b"X: " + b"a" * (1 << 20), 431),
    (b"GET /" + b"a" * (1 << 20), 431),
    (POST + b"X: 1\r\n" * 10_000 + b"\r\n", 431),
    (b"CONNECT nowhere HTTP/1.1\r\n\r\n", 400),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100), 400),
])  # fmt: skip
async def test_bytes_that_make_no_request(mock: Served, data: bytes, status: int) -> None:
    reply = await exchange_bytes(mock.port, data)
    # A client still sending when it is refused may see a reset before the answer.
    assert reply.startswith(b"HTTP/1.1 %d " % status) or (len(data) > 60_000 and reply == b"")
    assert b"Traceback" not in reply


async def test_tls_to_a_map_says_what_to_do(mock: Served) -> None:
    port = int(mock.ready.endpoints["map:pay"].rpartition(":")[2])
    reply = await exchange_bytes(port, b"\x16\x03\x01\x00\x05hello")
    assert b"map 'pay' expects plain HTTP, not TLS: use its http:// URL" in reply
    assert any("a client spoke TLS to map 'pay'" in notice for notice in mock.notices)


async def test_random_bytes(mock: Served) -> None:
    dice = random.Random(7)
    pieces = [dice.randbytes(dice.randrange(1, 400)) for _ in range(60)]
    starts = [b"", b"\x05", b"\x05\x01\x00", b"CONNECT a:1 HTTP/1.1\r\n\r\n\x16", b"GET http://a/ HTTP/1.1\r\n"]

    async def send(data: bytes) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", mock.port)
        writer.write(data)
        writer.write_eof()
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)

    await asyncio.gather(*(send(dice.choice(starts) + piece) for piece in pieces))


@pytest.mark.parametrize("begun", [
    b"GET http://api.exa", b"GET / HTTP/1.1\r\nA: b\r\n", POST + b"Content-Length: 9\r\n\r\nab", b"\x05\x01",
    b"CONNECT api.example.com:443 HTTP/1.1\r\n\r\n\x05\x01",
])  # fmt: skip
async def test_slow_clients_are_given_up(mock: Served, begun: bytes) -> None:
    reply = await exchange_bytes(mock.port, begun)
    assert b" 408 " in reply or b" 400 " in reply


async def test_an_idle_connection_is_kept(mock: Served) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", mock.port)
    slow = await exchange_bytes(mock.port, b"GET ")
    writer.write(GOOD)
    assert (slow[:12], await reader.read()) == (b"HTTP/1.1 408", ANSWER)
    writer.close()


async def test_a_client_that_leaves_in_the_middle_of_its_body(mock: Served) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", mock.port)
    writer.write(POST + b"Content-Length: 1000\r\n\r\nabc")
    await writer.drain()
    writer.transport.abort()


async def test_a_compressed_bomb_is_not_unpacked(mock: Served) -> None:
    bomb = gzip.compress(bytes(300 << 20), 1)[: 1 << 20]
    head = b"Content-Encoding: gzip\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    assert (await exchange_bytes(mock.port, POST + head + bomb)).startswith(b"HTTP/1.1 502 ")


@pytest.mark.parametrize(
    ("depth", "leaf"), [(100_000, b""), (100_000, b"1234567890123456789"), (1_000, b"1"), (300, b"")]
)
async def test_a_deep_body_is_a_miss_not_a_crash(mock: Served, depth: int, leaf: bytes) -> None:
    deep = b"[" * depth + leaf + b"]" * depth
    head = b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(deep)
    assert (await exchange_bytes(mock.port, POST + head + deep)).startswith(b"HTTP/1.1 502 ")


async def test_a_huge_body_costs_no_memory(mock: Served) -> None:
    before = _resident()
    reader, writer = await asyncio.open_connection("127.0.0.1", mock.port)
    writer.write(POST + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % (100 << 20))
    piece = os.urandom(1 << 20)
    for _ in range(100):
        writer.write(piece)
        await writer.drain()
    assert (await reader.read()).startswith(b"HTTP/1.1 502 ")
    writer.close()
    assert _resident() - before < 40 << 20


async def test_a_flood_of_pipelined_requests(mock: Served) -> None:
    asked = GOOD.replace(b"Connection: close\r\n", b"") * 5_000 + GOOD
    assert await exchange_bytes(mock.port, asked) == ANSWER * 5_001


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
