"""Exchanges that break off: the app sees what it would have seen, the tape says why."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from wiretape_capture.jobs.events import Progress
from wiretape_capture.snapshot.exchange import Direction

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"


def get(port: int, path: str = "/") -> bytes:
    """A plain request through the proxy for a service on loopback."""
    return f"GET http://127.0.0.1:{port}{path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()


async def test_a_refused_service_is_a_closed_connection_and_not_an_answer(
    recording: Any, ask: Any, free_port: Callable[[], int]
) -> None:
    rec, port = await recording(), free_port()
    assert await ask(rec.port("proxy"), get(port)) == b""
    (exchange,) = await rec.finish()
    assert (exchange.service, exchange.status, exchange.error) == (f"127.0.0.1:{port}", "", "connection refused")
    assert rec.result.summary[0].errors == 1


async def test_a_refused_tunnel_is_recorded(recording: Any, ask: Any, free_port: Callable[[], int]) -> None:
    rec, port = await recording(), free_port()
    got = await ask(rec.port("proxy"), f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\n".encode(), until=b"\r\n")
    (exchange,) = await rec.finish()
    assert got == b"HTTP/1.1 502 Bad Gateway\r\n"
    assert (exchange.command, exchange.scheme, exchange.error) == ("CONNECT", "https", "connection refused")


async def test_an_unknown_host(recording: Any, ask: Any) -> None:
    rec = await recording()
    assert await ask(rec.port("proxy"), b"GET http://no-such-host.invalid/ HTTP/1.1\r\nHost: x\r\n\r\n") == b""
    (exchange,) = await rec.finish()
    assert (exchange.service, exchange.error) == ("no-such-host.invalid:80", "unknown host")


async def test_a_service_that_dies_inside_the_body(recording: Any, service: Any, ask: Any) -> None:
    app = await service(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this", close=True)
    rec = await recording(app_port=app.port)
    got = await ask(rec.port("inbound"), b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    (exchange,) = await rec.finish()
    assert got.endswith(b"only this")
    assert (exchange.status, exchange.response.body.data) == ("200", b"only this")
    assert not exchange.response.body.complete
    assert exchange.error == "connection closed before the response ended"


async def test_a_service_that_closes_without_an_answer(recording: Any, service: Any, ask: Any) -> None:
    app = await service(b"", close=True)
    rec = await recording(app_port=app.port)
    assert await ask(rec.port("inbound"), b"GET / HTTP/1.1\r\nHost: a\r\n\r\n") == b""
    (exchange,) = await rec.finish()
    assert (exchange.status, exchange.error) == ("", "connection closed before the response ended")


async def test_a_service_that_resets(recording: Any, listen: Any, ask: Any, engine: str) -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    rec = await recording(app_port=await listen(reset))
    if engine == "tee":  # the client gets the reset that the service sent
        with pytest.raises(ConnectionResetError):
            await ask(rec.port("inbound"), b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    else:
        assert await ask(rec.port("inbound"), b"GET / HTTP/1.1\r\nHost: a\r\n\r\n") == b""
    (exchange,) = await rec.finish()
    assert exchange.response is None
    assert exchange.error == ("connection reset" if engine == "tee" else "connection closed before the response ended")


async def test_a_client_that_leaves_before_the_answer(recording: Any, listen: Any) -> None:
    asked, gone = asyncio.Event(), asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await reader.read()
        gone.set()
        writer.close()

    rec = await recording(app_port=await listen(slow))
    _, writer = await asyncio.open_connection("127.0.0.1", rec.port("inbound"))
    writer.write(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
    await asyncio.wait_for(asked.wait(), 5)
    writer.close()
    await asyncio.wait_for(gone.wait(), 5)
    (exchange,) = await rec.finish()
    assert (exchange.location, exchange.error) == ("/slow", "client disconnected")


REFUSAL = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno"
HALF = {
    "nothing": (b"Content-Length: 16\r\n\r\n", b"", "the request's body did not come whole"),
    "a part": (b"Content-Length: 16\r\n\r\nhalf", b"half", "the request's body did not come whole"),
    "no chunk": (b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\nmore\r\n0\r\n\r\n", b"half",
                 "the request's body could not be followed: a chunk's size is no number"),
}  # fmt: skip


@pytest.mark.parametrize("case", HALF)
async def test_a_request_that_does_not_come_whole_keeps_its_answer(
    recording: Any, listen: Any, engine: str, case: str
) -> None:
    """The app may answer before, or at the end of what came; mitmproxy sends nothing on that it cannot read."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while await reader.read(65535):
                pass
            writer.write(REFUSAL)
            await writer.drain()
        writer.close()

    rest, came, why = HALF[case]
    rec = await recording(app_port=await listen(refuse))
    reader, writer = await asyncio.open_connection("127.0.0.1", rec.port("inbound"))
    writer.write(b"POST /orders HTTP/1.1\r\nHost: a\r\n" + rest)
    writer.write_eof()
    got = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    assert got == (REFUSAL if engine == "tee" else b"")
    (exchange,) = await rec.finish()
    assert not exchange.request.body.complete
    if engine == "tee":
        assert (exchange.status, exchange.error, exchange.request.body.data) == ("400", why, came)
        assert (exchange.response.body.data, exchange.response.body.complete) == (b"no", True)
    else:
        assert (exchange.status, exchange.response) == ("", None)


async def test_an_answer_before_the_end_of_its_request_is_recorded_when_the_client_leaves(
    recording: Any, listen: Any, engine: str
) -> None:
    """Not at the end of the recording, and not as if that had cut it short."""

    async def at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(REFUSAL)
            await reader.read()
        writer.close()

    rec = await recording(app_port=await listen(at_once))
    reader, writer = await asyncio.open_connection("127.0.0.1", rec.port("inbound"))
    writer.write(b"POST /orders HTTP/1.1\r\nHost: a\r\nContent-Length: 16\r\n\r\n")
    assert await asyncio.wait_for(reader.readuntil(b"no"), 20) == REFUSAL
    writer.close()
    await rec.until(lambda event: isinstance(event, Progress))
    (exchange,) = await rec.finish()
    assert exchange.status == "400"
    assert exchange.error == ("the request's body did not come whole" if engine == "tee" else "client disconnected")
    assert not exchange.request.body.complete


async def test_what_is_unanswered_at_the_end_is_on_the_tape(recording: Any, listen: Any) -> None:
    asked = asyncio.Event()

    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await reader.read()
        writer.close()

    rec = await recording(app_port=await listen(never))
    _, writer = await asyncio.open_connection("127.0.0.1", rec.port("inbound"))
    writer.write(b"GET /never HTTP/1.1\r\nHost: a\r\n\r\n")
    await asyncio.wait_for(asked.wait(), 5)
    (exchange,) = await rec.finish()
    writer.close()
    assert (exchange.location, exchange.error) == ("/never", "the recording ended first")


async def test_bytes_that_are_no_answer(recording: Any, service: Any, ask: Any, engine: str) -> None:
    garbage = b"\x00\x01garbage\r\n\r\n"
    app = await service(garbage, close=True)
    rec = await recording(app_port=app.port)
    got = await ask(rec.port("inbound"), b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert got == (garbage if engine == "tee" else b"")
    (exchange,) = await rec.finish()
    assert exchange.response is None
    assert "bad http response" in exchange.error


async def test_a_request_for_the_proxy_itself_ends(recording: Any, ask: Any) -> None:
    rec = await recording()
    assert await ask(rec.port("proxy"), get(rec.port("proxy"))) == b""
    (exchange,) = await rec.finish()
    assert exchange.direction is Direction.OUTBOUND
    assert "asks the proxy for itself" in exchange.error


async def test_odd_headers_pass(recording: Any, service: Any, ask: Any) -> None:
    app = await service(OK)
    rec = await recording(app_port=app.port)
    sent = b"GET /a|b{} HTTP/1.1\r\nHost: a\r\nX-Weird(name): \x01\xff\r\nEmpty:\r\n\r\n"
    assert await ask(rec.port("inbound"), sent) == OK
    (exchange,) = await rec.finish()
    assert ("X-Weird(name)", "\x01\xff") in exchange.request.headers
    assert exchange.location == "/a|b{}"
