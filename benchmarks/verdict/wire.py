"""A reverse proxy of a hundred lines: whole HTTP/1.1 messages in, whole messages out, one function between them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace

type Headers = tuple[tuple[str, str], ...]

_BOUND = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Message:
    """A request or response: its first line, its headers, its body without framing."""

    start: str
    headers: Headers
    body: bytes = b""

    def header(self, name: str) -> str:
        """A header's first value, or nothing."""
        return next((value for key, value in self.headers if key.lower() == name), "")

    @property
    def status(self) -> int:
        """Of a response."""
        return int(self.start.split(" ", 2)[1])

    @property
    def method(self) -> str:
        """Of a request."""
        return self.start.split(" ", 1)[0]

    @property
    def target(self) -> str:
        """Of a request."""
        return self.start.split(" ", 2)[1]

    def with_body(self, body: bytes) -> Message:
        """The same message with another body."""
        return replace(self, body=body)

    def raw(self) -> bytes:
        """As it goes on the wire, framed by its length."""
        kept = [
            (n, v) for n, v in self.headers if n.lower() not in ("content-length", "transfer-encoding", "connection")
        ]
        bodiless = self.start.startswith("HTTP/") and self.status in (204, 304)
        if not bodiless:
            kept.append(("Content-Length", str(len(self.body))))
        head = "".join(f"{name}: {value}\r\n" for name, value in kept)
        return f"{self.start}\r\n{head}\r\n".encode("latin-1") + (b"" if bodiless else self.body)


type Forward = Callable[[Message], Awaitable[Message]]
type Between = Callable[[Message, Forward], Awaitable[Message]]
"""Answers a request, mostly by forwarding it."""


async def read_message(reader: asyncio.StreamReader, *, bodiless: bool = False) -> Message | None:
    """The next message; None when the peer closed."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    start, *lines = head[:-4].split("\r\n")
    pairs = (line.partition(":") for line in lines)
    headers = tuple((name, value.strip()) for name, _, value in pairs)
    message = Message(start, headers)
    if bodiless or (start.startswith("HTTP/") and message.status in (204, 304)):
        return message
    if message.header("transfer-encoding") == "chunked":
        return message.with_body(await _chunks(reader))
    if length := message.header("content-length"):
        return message.with_body(await reader.readexactly(int(length)))
    return message.with_body(await reader.read(_BOUND)) if start.startswith("HTTP/") else message


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    pieces = []
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        pieces.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readuntil(b"\r\n")
    return b"".join(pieces)


async def ask(port: int, message: Message) -> Message:
    """Send a request to a loopback port on a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(replace(message, headers=(*message.headers, ("Connection", "close"))).raw())
        answer = await read_message(reader, bodiless=message.method == "HEAD")
        if answer is None:
            raise ConnectionError(f"port {port} closed without an answer")
        return answer
    finally:
        writer.close()


@asynccontextmanager
async def reverse_proxy(port: int, upstream: Callable[[], int], between: Between) -> AsyncIterator[None]:
    """Listen on a port for as long as the context lasts."""

    async def forward(message: Message) -> Message:
        return await ask(upstream(), message)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while (message := await read_message(reader)) is not None:
                writer.write((await between(message, forward)).raw())
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()
