"""The time that it takes to call a service lies before its request: what the service does falls into the exchange."""

from __future__ import annotations

import asyncio
import select
import socket
import time
from contextlib import suppress
from typing import Any

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"


def taken(port: int) -> list[socket.socket]:
    """Connections up to the first that the port does not take, as its queue is full (listen(2))."""
    made = []
    while True:
        one = socket.socket()
        one.setblocking(False)
        one.connect_ex(("127.0.0.1", port))
        made.append(one)
        if not select.select([], [one], [], 0.2)[1]:
            return made


async def test_an_exchange_begins_when_its_request_is_sent(recording: Any, ask: Any) -> None:
    handled: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            handled.append(time.time_ns())
            await asyncio.sleep(0.01)
            handled.append(time.time_ns())
            writer.write(ANSWER)
        writer.close()

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        port = listening.getsockname()[1]
        rec = await recording(app_port=port)
        others = taken(port)
        asking = asyncio.create_task(ask(rec.port("inbound"), REQUEST))
        await asyncio.sleep(0.3)
        server = await asyncio.start_server(serve, sock=listening)
        assert await asking == ANSWER
        server.close()
        for each in others:
            each.close()
    (exchange,) = await rec.finish()
    began, ended = exchange.started_ns, exchange.started_ns + exchange.duration_us * 1000
    assert began <= handled[0] < handled[1] <= ended
    assert ended - began < 900_000_000  # the call waits for a second: tcp_retries, RFC 6298
