"""Bytes from clients and services that mean harm or mean nothing: the recorder goes on and stays quiet."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"
PING = b"GET /alive HTTP/1.1\r\nHost: a\r\n\r\n"

CLIENTS = {
    "nothing": b"",
    "noise": random.Random(7).randbytes(5000),
    "cut head": b"GET / HTTP/1.1\r\nHost: a\r\nX-",
    "no version": b"GET /\r\n\r\n",
    "bad length": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: many\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "bad chunk": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "odd coding": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: weird\r\n\r\n",
    "cut body": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nshort",
    "long head": b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: " + b"y" * 500_000 + b"\r\n\r\n",
    "cut TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40),
    "cut HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\1\x90\1\4\0\0\0\0" + b"\xff" * 30,
    "SOCKS noise": b"\x05\x01\x00\x05\x01\x00\x09\x00\x00",
    "CONNECT nowhere": b"CONNECT :0 HTTP/1.1\r\n\r\n",
    "CONNECT here": b"CONNECT 127.0.0.1:1 HTTP/1.1\r\n\r\n\x00\x00",
}


@pytest.mark.parametrize("role", ["inbound", "proxy"])
async def test_clients(recording: Any, service: Any, ask: Any, role: str) -> None:
    rec = await recording(app_port=(await service(OK)).port)
    for raw in CLIENTS.values():
        reader, writer = await asyncio.open_connection("127.0.0.1", rec.port(role))
        writer.write(raw)
        writer.write_eof()
        await asyncio.wait_for(drain(reader), 5)
        writer.close()
    assert await ask(rec.port("inbound"), PING) == OK
    exchanges = await rec.finish()
    assert exchanges[-1].location == "/alive"
    assert [note for note in rec.result.notes if "failed inside the recorder" in note] == []
    assert any(note.startswith("requests that are not HTTP/1") for note in rec.result.notes)


async def drain(reader: asyncio.StreamReader) -> None:
    """Read until the recorder closes or resets."""
    try:
        while await reader.read(65535):
            pass
    except ConnectionError:
        return


SERVICES = {
    "noise": random.Random(8).randbytes(3000) + b"\r\n\r\n",
    "bad length": b"HTTP/1.1 200 OK\r\nContent-Length: -4\r\n\r\nhi",
    "bad chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "status zero": b"HTTP/1.1 0 Nothing\r\nContent-Length: 0\r\n\r\n",
    "no status": b"HTTP/1.1 OK\r\n\r\n",
    "two answers": OK + OK,
    "websocket lies": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n" + b"\xff" * 200,
    "bad header": b"HTTP/1.1 200 OK\r\n: nameless\r\n\r\n",
}


async def test_services(recording: Any, service: Any, ask: Any) -> None:
    names = list(SERVICES)
    ports = [(await service(SERVICES[name], close=True)).port for name in names]
    alive = await service(OK)
    rec = await recording(
        app_port=alive.port,
        maps=tuple({"name": f"s{n}", "scheme": "http", "host": "127.0.0.1", "port": p} for n, p in enumerate(ports)),
    )
    request = (b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
               b"Connection: close\r\n\r\n")  # fmt: skip
    for number in range(len(names)):
        await ask(rec.port(f"map:s{number}"), request)
    assert await ask(rec.port("inbound"), PING) == OK
    exchanges = await rec.finish()
    assert len(exchanges) == len(names) + 1
    assert [note for note in rec.result.notes if "failed inside the recorder" in note] == []
