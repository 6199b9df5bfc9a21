"""What does not end with its request: WebSockets, event streams, raw TCP, upgrades."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from wiretape_capture.launch.ca import Authority
from wiretape_capture.snapshot.exchange import Protocol

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"


async def echo_socket(request: web.Request) -> web.WebSocketResponse:
    """Say every message back; end when told to."""
    socket = web.WebSocketResponse(protocols=("chat",))
    await socket.prepare(request)
    async for message in socket:
        if message.data == "bye":
            await socket.close(code=4001, message=b"as told")
        elif message.type is aiohttp.WSMsgType.TEXT:
            await socket.send_str(message.data.upper())
        else:
            await socket.send_bytes(message.data)
    return socket


async def plain_page(_: web.Request) -> web.Response:
    """An answer that is no socket."""
    return web.json_response({"plain": True})


@pytest.fixture
async def echo() -> AsyncIterator[Callable[..., Awaitable[int]]]:
    """Start the echoing WebSocket server."""
    runners: list[web.AppRunner] = []

    async def start(tls: ssl.SSLContext | None = None) -> int:
        app = web.Application()
        app.router.add_get("/ws", echo_socket)
        app.router.add_get("/plain", plain_page)
        runner = web.AppRunner(app)
        runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        return int(runner.addresses[0][1])

    yield start
    for runner in runners:
        await runner.cleanup()


async def test_websocket_messages_are_the_stream_of_their_handshake(recording: Any, echo: Any) -> None:
    rec = await recording(app_port=await echo())
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(rec.url("inbound") + "/ws?room=1", protocols=("chat",), compress=15) as socket,
    ):
        await socket.send_str("hello")
        heard = await socket.receive()
        await socket.send_bytes(b"\x00\xff")
        raw = await socket.receive()
        await socket.send_str("bye")
        end = await socket.receive()
    (exchange,) = await rec.finish()
    assert (heard.data, raw.data, end.data) == ("HELLO", b"\x00\xff", 4001)
    assert (exchange.protocol, exchange.status, exchange.location) == (Protocol.WEBSOCKET, "101", "/ws?room=1")
    assert [(m.from_client, m.kind, m.body.data) for m in exchange.stream] == [
        (True, "text", b"hello"), (False, "text", b"HELLO"), (True, "binary", b"\x00\xff"),
        (False, "binary", b"\x00\xff"), (True, "text", b"bye"), (False, "close", b"\x0f\xa1as told"),
    ]  # fmt: skip
    assert exchange.error == ""
    offsets = [m.offset_us for m in exchange.stream]
    assert offsets == sorted(offsets)


async def test_a_websocket_that_is_still_open_at_the_end(recording: Any, echo: Any) -> None:
    rec = await recording(app_port=await echo())
    async with aiohttp.ClientSession() as session, session.ws_connect(rec.url("inbound") + "/ws") as socket:
        await socket.send_str("hello")
        await socket.receive()
        (exchange,) = await rec.finish()
    assert [m.kind for m in exchange.stream] == ["text", "text"]


async def test_a_websocket_inside_of_tls(
    recording: Any, echo: Any, server_tls: Any, service_authority: Authority, ca_dir: Path
) -> None:
    port = await echo(server_tls(service_authority))
    rec = await recording()
    trusted = ssl.create_default_context(cafile=str(ca_dir / "bundle.pem"))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusted, limit=1)) as session:
        async with session.get(f"https://127.0.0.1:{port}/plain", proxy=rec.url("proxy")) as answer:
            assert await answer.json() == {"plain": True}
        async with session.ws_connect(f"https://127.0.0.1:{port}/ws", proxy=rec.url("proxy")) as socket:
            await socket.send_str("hello")
            heard = await socket.receive()
    plain, exchange = await rec.finish()
    assert heard.data == "HELLO"
    assert (plain.location, plain.scheme, plain.service) == ("/plain", "https", f"127.0.0.1:{port}")
    assert (exchange.protocol, exchange.scheme, exchange.service) == (
        Protocol.WEBSOCKET, "https", f"127.0.0.1:{port}",
    )  # fmt: skip
    assert [m.body.data for m in exchange.stream][:2] == [b"hello", b"HELLO"]
    assert rec.result.notes == ()


async def test_an_upgrade_on_a_connection_that_carried_requests(recording: Any, echo: Any) -> None:
    rec = await recording(app_port=await echo())
    reader, writer = await asyncio.open_connection("127.0.0.1", rec.port("inbound"))
    writer.write(b"GET /plain HTTP/1.1\r\nHost: a\r\n\r\n"
                 b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
                 b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")  # fmt: skip
    await asyncio.wait_for(reader.readuntil(b" 101 "), 10)
    await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    writer.write(b"\x81\x82\0\0\0\0hi")  # a masked text frame (RFC 6455 §5.2)
    assert await asyncio.wait_for(reader.readexactly(4), 10) == b"\x81\x02HI"
    writer.close()
    plain, exchange = await rec.finish()
    assert (plain.location, plain.status, exchange.location, exchange.status) == ("/plain", "200", "/ws", "101")
    assert [m.body.data for m in exchange.stream][:2] == [b"hi", b"HI"]


async def test_events_pass_while_the_response_is_still_open(recording: Any, listen: Any) -> None:
    heard = asyncio.Event()

    async def events(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\ndata: 1\n\n")
        await asyncio.wait_for(heard.wait(), 5)
        writer.write(b"data: 2\n\n")
        writer.close()

    rec = await recording(app_port=await listen(events))
    reader, writer = await asyncio.open_connection("127.0.0.1", rec.port("inbound"))
    writer.write(b"GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
    await asyncio.wait_for(reader.readuntil(b"data: 1\n\n"), 5)
    heard.set()
    assert await asyncio.wait_for(reader.read(), 5) == b"data: 2\n\n"
    writer.close()
    (exchange,) = await rec.finish()
    assert exchange.response.body.data == b"data: 1\n\ndata: 2\n\n"


async def test_a_request_body_passes_while_it_is_still_being_sent(recording: Any, listen: Any) -> None:
    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await reader.readuntil(b"first\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ngot\r\n")
        await reader.readuntil(b"0\r\n\r\n")
        writer.write(b"0\r\n\r\n")
        await reader.read()
        writer.close()

    rec = await recording(app_port=await listen(count))
    reader, writer = await asyncio.open_connection("127.0.0.1", rec.port("inbound"))
    writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
    await asyncio.wait_for(reader.readuntil(b"got\r\n"), 5)
    writer.write(b"3\r\nend\r\n0\r\n\r\n")
    await asyncio.wait_for(reader.readuntil(b"0\r\n\r\n"), 5)
    writer.close()
    (exchange,) = await rec.finish()
    assert (exchange.request.body.data, exchange.response.body.data) == (b"firstend", b"got")


async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A line protocol whose server speaks first."""
    writer.write(b"220 ready\r\n")
    while line := await reader.readline():
        writer.write(line.upper())
    writer.close()


@pytest.mark.parametrize("way", ["map:mail", "proxy"])
async def test_raw_tcp_passes_and_is_named(recording: Any, listen: Any, way: str) -> None:
    port = await listen(shout)
    rec = await recording(maps=({"name": "mail", "scheme": "tcp", "host": "127.0.0.1", "port": port},))
    reader, writer = await asyncio.open_connection("127.0.0.1", rec.port(way))
    if way == "proxy":
        writer.write(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    assert await asyncio.wait_for(reader.readline(), 5) == b"220 ready\r\n"
    writer.write(b"helo\r\n")
    assert await asyncio.wait_for(reader.readline(), 5) == b"HELO\r\n"
    writer.close()
    assert await rec.finish() == []
    name = "mail" if way != "proxy" else f"127.0.0.1:{port}"
    assert f"connections to {name} that carried no HTTP; their bytes passed and were not recorded" in rec.result.notes


async def test_an_upgrade_to_another_protocol_passes_and_is_counted(recording: Any, listen: Any) -> None:
    async def upgrade(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: own\r\n\r\n")
        writer.write(await reader.readexactly(4))
        writer.close()

    rec = await recording(app_port=await listen(upgrade))
    reader, writer = await asyncio.open_connection("127.0.0.1", rec.port("inbound"))
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: own\r\n\r\n")
    await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    writer.write(b"ping")
    assert await asyncio.wait_for(reader.readexactly(4), 5) == b"ping"
    writer.close()
    (exchange,) = await rec.finish()
    assert exchange.status == "101"
    assert any("carried no HTTP" in note for note in rec.result.notes)


async def test_a_body_beyond_the_memory_limit_is_whole_on_the_tape(recording: Any, service: Any, ask: Any) -> None:
    big = bytes(range(256)) * 8192
    app = await service(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(big) + big)
    rec = await recording(app_port=app.port)
    got = await ask(rec.port("inbound"), b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(big) + big)
    (exchange,) = await rec.finish()
    assert got.endswith(big)
    assert app.received[0].endswith(big)
    assert exchange.request.body.size == exchange.response.body.size == len(big)
    assert exchange.request.body.sha256 == exchange.response.body.sha256
    assert exchange.request.body.complete
    assert exchange.response.body.complete
