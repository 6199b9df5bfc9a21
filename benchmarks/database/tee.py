"""`python -m benchmarks.database.tee PORT`: the plainest TCP forwarder there is on uvloop, to compare with.

Prints the port on which it listens.
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import uvloop


class Half(asyncio.Protocol):
    """One side; what comes goes to the other."""

    def __init__(self, other: Half | None = None) -> None:
        self._other = other
        self._early: list[bytes] = []
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: connected."""
        self.transport = cast("asyncio.Transport", transport)
        if self._other is None:
            self._dialling = asyncio.ensure_future(self._dial())

    async def _dial(self) -> None:
        _, other = await asyncio.get_running_loop().create_connection(lambda: Half(self), "127.0.0.1", int(sys.argv[1]))
        for data in self._early:
            other.transport.write(data)
        self._other = other

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes."""
        if self._other is None:
            self._early.append(data)
        else:
            self._other.transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """asyncio: gone."""
        if self._other is not None:
            self._other.transport.close()


async def main() -> None:
    """Forward until killed."""
    server = await asyncio.get_running_loop().create_server(Half, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
