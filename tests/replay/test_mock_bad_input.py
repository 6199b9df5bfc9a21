"""Input that two parsers may read in two ways, and connections that break: one answer at most, and all are counted."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mock_kit import Served, answer, call, exchange_bytes, serving

from wiretape_replay.mock.conversation import Seconds

ASK = b"GET http://api.example.com/a HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET http://api.example.com/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
HIDDEN = b"GET http://api.example.com/hidden HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST http://api.example.com/a HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture
async def mock(tmp_path: Path) -> AsyncIterator[Served]:
    recorded = [call(1, "GET", "/a", answer(200, b"yes", ())), call(2, "GET", "/hidden", answer(200, b"secret", ()))]
    async with serving(tmp_path, recorded, seconds=Seconds(head=0.3, body=60.0)) as served:
        yield served
        if not served.task.done():
            assert (await exchange_bytes(served.port, LAST)).endswith(b"yes")


def statuses(reply: bytes) -> list[bytes]:
    return re.findall(rb"HTTP/1\.1 (\d{3}) ", reply)


@pytest.mark.parametrize("framing", [
    b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
    b"Transfer-Encoding: chunked, identity\r\n",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
    b"Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n",
    b"Transfer-Encoding : chunked\r\n",
    b"Transfer-Encoding: identity\r\n chunked\r\n",
    b"Content-Length: +5\r\n",
    b"Content-Length: 5, 5\r\n",
    b"Content-Length: 0x5\r\n",
    b"Content-Length: 5\r\nContent-Length: 0\r\n",
    b"Content-Length: 99999999999999999999\r\n",
    b"Content-Length : 5\r\n",
    b"X: 1\nContent-Length: 5\r\n",
    b"X: 1\rContent-Length: 5\r\n",
])  # fmt: skip
async def test_a_request_framed_in_two_ways_hides_no_other(mock: Served, framing: bytes) -> None:
    for _ in range(3):  # what came before is remembered; this must not be
        reply = await exchange_bytes(mock.port, POST + framing + b"\r\n0\r\n\r\n" + HIDDEN)
        assert (statuses(reply), reply.count(b"secret")) == ([b"400"], 0)
    assert (await mock.end()).refused == 3


@pytest.mark.parametrize("chunks", [
    b"zz\r\n", b"-1\r\n", b"fffffffffffffffff\r\n", b"3\r\nabcd\r\n0\r\n\r\n", b"3\nabc\r\n0\r\n\r\n", b"\r\n\r\n",
])  # fmt: skip
async def test_chunks_that_are_none(mock: Served, chunks: bytes) -> None:
    reply = await exchange_bytes(mock.port, POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + HIDDEN)
    assert (statuses(reply), reply.count(b"secret")) == ([b"400"], 0)


async def test_garbage_after_good_requests(mock: Served) -> None:
    """The good ones are answered, remembered or not; then the connection ends."""
    for _ in range(4):
        reply = await exchange_bytes(mock.port, ASK * 3 + b"\x00\x01garbage\r\n\r\n" + ASK)
        assert (statuses(reply), reply.count(b"yes")) == ([b"200", b"200", b"200", b"400"], 3)
    assert (await mock.end()).refused == 4


async def test_a_client_that_closes_its_side_still_gets_its_answer(mock: Served) -> None:
    assert (await _half_closed(mock, ASK)).endswith(b"\r\n\r\nyes")
    reply = await _half_closed(mock, ASK + POST + b"Content-Length: 9\r\n\r\nab")
    assert reply.count(b"yes") == 1
    assert b"HTTP/1.1 400 Bad Request" in reply
    assert b"the client ended its side in the middle of a request" in reply
    assert (await mock.end()).refused == 1


async def _half_closed(mock: Served, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", mock.port)
    writer.write(data)
    writer.write_eof()
    async with asyncio.timeout(10):
        reply = await reader.read()
    writer.close()
    return reply


async def test_a_reset_in_the_middle_of_a_body_is_counted(mock: Served) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", mock.port)
    writer.write(POST + b"Expect: 100-continue\r\nContent-Length: 1000\r\n\r\nabc")
    await writer.drain()
    reader, other = await asyncio.open_connection("127.0.0.1", mock.port)
    other.write(POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nab")
    # When a later request is answered, what came before has been read.
    assert (await exchange_bytes(mock.port, LAST)).endswith(b"yes")
    writer.transport.abort()
    other.transport.abort()
    assert (await exchange_bytes(mock.port, LAST)).endswith(b"yes")
    assert (await mock.end()).refused == 2
    assert await reader.read() == b""


async def test_a_client_that_drips_is_given_up(mock: Served) -> None:
    """Each byte comes in time; the head as a whole does not."""
    reader, writer = await asyncio.open_connection("127.0.0.1", mock.port)
    reply = asyncio.create_task(reader.read())
    for byte in POST + b"X: " + b"a" * 2_000:
        writer.write(bytes([byte]))
        if (await asyncio.wait([reply], timeout=0.02))[0]:
            break
    assert (await reply).startswith(b"HTTP/1.1 408 ")
    writer.close()


async def test_many_idle_connections_cost_nobody_an_answer(mock: Served) -> None:
    kept = [await asyncio.open_connection("127.0.0.1", mock.port) for _ in range(300)]
    for _, writer in kept:
        writer.write(ASK)
    for reader, _ in kept:
        async with asyncio.timeout(30):
            assert (await reader.readuntil(b"yes")).startswith(b"HTTP/1.1 200 OK\r\n")
    assert (await exchange_bytes(mock.port, LAST)).endswith(b"yes")
    for _, writer in kept:
        writer.close()
    result = await mock.end()
    assert (result.tally.exact, result.tally.total, result.refused) == (301, 301, 0)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_tls_client_that_comes_back_resumes_its_session(tmp_path: Path, version: ssl.TLSVersion) -> None:
    recorded = [call(1, "GET", "/a", answer(200, b"yes", ()), service="api.example.com:443", scheme="https")]
    async with serving(tmp_path, recorded) as mock:
        context = ssl.create_default_context(cafile=str(tmp_path / "ca" / "wiretape-ca.crt"))
        context.minimum_version = context.maximum_version = version
        first, reused = await asyncio.to_thread(_over_tls, mock.port, context, None)
        assert not reused
        assert (await asyncio.to_thread(_over_tls, mock.port, context, first))[1]


async def test_pipelined_requests_inside_of_tls(tmp_path: Path) -> None:
    recorded = [call(1, "GET", "/a", answer(200, b"yes", ()), service="api.example.com:443", scheme="https")]
    async with serving(tmp_path, recorded) as mock:
        context = ssl.create_default_context(cafile=str(tmp_path / "ca" / "wiretape-ca.crt"))
        for _ in range(3):
            await asyncio.to_thread(_over_tls, mock.port, context, None, 5)
        result = await mock.end()
    assert (result.tally.exact, result.tally.total, result.refused) == (15, 15, 0)


def _over_tls(
    port: int, context: ssl.SSLContext, session: ssl.SSLSession | None, times: int = 1
) -> tuple[ssl.SSLSession, bool]:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as plain:
        plain.sendall(b"CONNECT api.example.com:443 HTTP/1.1\r\nHost: api.example.com:443\r\n\r\n")
        assert plain.recv(100).startswith(b"HTTP/1.1 200 ")
        with context.wrap_socket(plain, server_hostname="api.example.com", session=session) as secure:
            secure.sendall(b"GET /a HTTP/1.1\r\nHost: api.example.com\r\n\r\n" * times)
            data = b""
            while data.count(b"yes") < times:
                data += secure.recv(1000)
            assert secure.session is not None
            return secure.session, bool(secure.session_reused)
