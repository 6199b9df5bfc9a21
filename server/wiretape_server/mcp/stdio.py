"""MCP over stdin and stdout, tolerant of clients that gave up on their first probe while we were starting."""

from __future__ import annotations

import contextlib
from types import TracebackType
from typing import Any, Self

import anyio
from mcp.server import MCPServer
from mcp.server.stdio import stdio_server
from mcp.shared._context_streams import ContextReceiveStream
from mcp.shared._stream_protocols import WriteStream
from mcp.shared.message import SessionMessage
from mcp.types import JSONRPCRequest

from wiretape_server.mcp.malformed import answer_to
from wiretape_server.mcp.sdk_seams import lowlevel

PEEK = 0.05
"""Seconds to look for an `initialize` queued behind a stale probe."""

type Frame = SessionMessage | Exception


async def serve_stdio(server: MCPServer[Any]) -> None:
    """Serve one client until its stdin ends."""
    low = lowlevel(server)
    async with stdio_server() as (read, write):
        await low.run(EraTolerantStream(read, write), write, low.create_initialization_options())


class EraTolerantStream:
    """The read side of a connection, without a `server/discover` that `initialize` has overtaken.

    What is no message is answered here: the SDK drops it, and its sender would wait.

    Claude Code after 3 s and Copilot CLI after 10 s of silence send `initialize` behind their unanswered probe. The
    SDK would answer the probe, settle on that era and refuse the handshake, leaving the client without tools.
    """

    def __init__(self, inner: ContextReceiveStream[Frame], out: WriteStream[SessionMessage]) -> None:
        self._inner = inner
        self._out = out
        self._held: list[Frame] = []
        self._first = True

    @property
    def last_context(self) -> Any:
        """Context variables of the sender, as the SDK's own stream has them."""
        return self._inner.last_context

    async def receive(self) -> Frame:
        """The next frame."""
        if self._held:
            return self._held.pop(0)
        frame = await self._message()
        if not self._first:
            return frame
        self._first = False
        return await self._after_probe(frame) if _method(frame) == "server/discover" else frame

    async def _message(self) -> Frame:
        while isinstance(frame := await self._inner.receive(), Exception):
            if (answer := answer_to(frame)) is not None:
                await self._out.send(SessionMessage(answer))
        return frame

    async def _after_probe(self, probe: Frame) -> Frame:
        with contextlib.suppress(anyio.EndOfStream), anyio.move_on_after(PEEK):
            following = await self._message()
            if _method(following) == "initialize":
                return following
            self._held.append(following)
        return probe

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


def _method(frame: Frame) -> str:
    if isinstance(frame, SessionMessage) and isinstance(frame.message, JSONRPCRequest):
        return frame.message.method
    return ""
