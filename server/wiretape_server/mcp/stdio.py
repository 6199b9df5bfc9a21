"""MCP over stdin and stdout: the SDK's transport on lines that were being read and answered before it was loaded."""

from __future__ import annotations

import asyncio
import sys
from types import TracebackType
from typing import Any, Self, cast

import anyio
from mcp.server import MCPServer
from mcp.server.stdio import stdio_server
from mcp.shared._context_streams import ContextReceiveStream
from mcp.shared._stream_protocols import WriteStream
from mcp.shared.message import SessionMessage
from mcp.types import JSONRPCError, JSONRPCResponse

from wiretape_server.mcp.malformed import answer_to
from wiretape_server.mcp.opening import ANSWERED
from wiretape_server.mcp.sdk_seams import lowlevel
from wiretape_server.mcp.wire import Wire, standard_wire

type Frame = SessionMessage | Exception


async def serve_stdio(server: MCPServer[Any]) -> None:
    """Serve one client until its stdin ends."""
    low = lowlevel(server)
    wire = standard_wire()
    files = (cast(anyio.AsyncFile[str], each) for each in (Received(wire), Sent(wire)))
    async with stdio_server(*files) as (read, write):
        once = AnsweredOnce(write)
        await low.run(Messages(read, once), once, low.create_initialization_options())


class Received:
    """The wire as the file that the SDK reads."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._more = asyncio.Event()
        loop = asyncio.get_running_loop()
        wire.call_on_line(lambda: loop.call_soon_threadsafe(self._more.set))

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        while not self._wire.waiting:
            self._more.clear()
            if not self._wire.waiting:
                await self._more.wait()
        if (line := self._wire.take()) is None:
            raise StopAsyncIteration
        return line.decode(errors="replace")


class Sent:
    """The wire as the file that the SDK writes, a message at a time."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def write(self, text: str) -> None:
        """Write one message with its newline; other work goes on while the client does not read."""
        await anyio.to_thread.run_sync(self._wire.send, text.removesuffix("\n").encode())

    async def flush(self) -> None:
        """Nothing is kept back."""


class AnsweredOnce:
    """The write side of a connection, without the SDK's answer to a handshake that has its answer."""

    def __init__(self, inner: WriteStream[SessionMessage]) -> None:
        self._inner = inner

    async def send(self, item: SessionMessage, /) -> None:
        """Send one message, unless it was sent."""
        message = item.message
        if not isinstance(message, JSONRPCResponse | JSONRPCError) or message.id != ANSWERED:
            await self._inner.send(item)
        elif isinstance(message, JSONRPCError):
            sys.stderr.write(f"wiretape mcp: the client's initialize is refused after all: {message.error.message}\n")

    async def aclose(self) -> None:
        """Close the connection's write side."""
        await self._inner.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        trace: TracebackType | None) -> None:  # fmt: skip
        await self.aclose()


class Messages:
    """The read side of a connection: what is no message is answered here, for the SDK drops it."""

    def __init__(self, inner: ContextReceiveStream[Frame], out: WriteStream[SessionMessage]) -> None:
        self._inner = inner
        self._out = out

    @property
    def last_context(self) -> Any:
        """Context variables of the sender, as the SDK's own stream has them."""
        return self._inner.last_context

    async def receive(self) -> Frame:
        """The next message."""
        while isinstance(frame := await self._inner.receive(), Exception):
            if (answer := answer_to(frame)) is not None:
                await self._out.send(SessionMessage(answer))
        return frame

    def close(self) -> None:
        """Close the connection's read side."""
        self._inner.close()

    async def aclose(self) -> None:
        """Close the connection's read side."""
        await self._inner.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Frame:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        trace: TracebackType | None) -> None:  # fmt: skip
        await self.aclose()
