"""`python -m wiretape_capture.databases CONTROL DATA`: carries database connections in a process of its own.

The arguments are descriptors of local sockets. Messages on the control socket say what to do; the end of either socket
means that the recorder is gone, and ends this process.
"""

from __future__ import annotations

import asyncio
import socket
import sys

from wiretape_capture.databases.downstream import server_context
from wiretape_capture.databases.forward import Connections
from wiretape_capture.databases.protocols import PROTOCOLS
from wiretape_capture.tee.channel import Channel
from wiretape_capture.tee.control import Control, Message
from wiretape_capture.tee.side_process import run

GRACE = 0.02
"""Seconds for what has happened already to be heard of: ends of connections, then what they tell."""


class Forwarding:
    """The process."""

    def __init__(self) -> None:
        self._over = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self, control: socket.socket, data: socket.socket) -> None:
        """Carry connections until told to stop."""
        self._channel = Channel(lambda full: self._connections.hold(full), self._over.set)
        self._connections = Connections(self._channel)
        await asyncio.get_running_loop().create_unix_connection(lambda: self._channel, sock=data)
        self._control = Control(control, self._hear, self._over.set)
        await self._over.wait()

    def _hear(self, message: Message, descriptor: int | None) -> None:
        match message["do"]:
            case "begin":
                self._channel.overflow = message["overflow"]
                self._tls = server_context(message["pem"].encode())
                self._control.send({"do": "ready"})
            case "open":
                assert descriptor is not None
                greet = PROTOCOLS[message["scheme"]].greet(message["entrance"], self._tls)
                listening = socket.socket(fileno=descriptor)
                self._spawn(self._connections.listen(message["name"], message["place"], greet, listening))
            case "catch up":
                self._channel.catch_up()
            case "stop":
                self._spawn(self._stop())

    def _spawn(self, coroutine: asyncio._CoroutineLike[None]) -> None:
        self._tasks.append(asyncio.ensure_future(coroutine))

    async def _stop(self) -> None:
        self._connections.close()
        await asyncio.sleep(GRACE)
        self._connections.abort()
        await asyncio.sleep(GRACE)
        self._channel.finish()


if __name__ == "__main__":
    sys.exit(run(lambda control, data: Forwarding().run(control, data)))
