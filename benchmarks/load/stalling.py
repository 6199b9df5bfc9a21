"""`python -m benchmarks.load.stalling PORT AFTER`: answers at once, but for one second from AFTER on."""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from typing import cast

import uvloop

from benchmarks.load.origin import TEA

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(TEA), TEA)
STALL_SECONDS = 1.0


class Stalling(asyncio.Protocol):
    """One connection; requests are small and come in one piece."""

    until: float | None = None

    def __init__(self, after: float) -> None:
        self._after = after

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        if Stalling.until is None:
            Stalling.until = now + self._after + STALL_SECONDS
        answers = ANSWER * data.count(b"\r\n\r\n")
        if Stalling.until - STALL_SECONDS <= now < Stalling.until:
            loop.call_at(Stalling.until, self._transport.write, answers)
        else:
            self._transport.write(answers)


async def main(port: int, after: float) -> None:
    """Serve until terminated."""
    server = await asyncio.get_running_loop().create_server(partial(Stalling, after), "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), float(sys.argv[2])))
