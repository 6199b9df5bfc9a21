"""`python -m wiretape_capture.tee CONTROL DATA`: the tee as a process of its own, started by the recorder.

The arguments are descriptors of local sockets. The first message on the control socket says what to do; the end of
either socket means that the recorder is gone, and ends the tee.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path
from typing import Any

from wiretape_capture.proxy.upstream import Upstream, Upstreams
from wiretape_capture.tee.channel import Channel
from wiretape_capture.tee.control import Control, Message
from wiretape_capture.tee.door import Door
from wiretape_capture.tee.house import House
from wiretape_capture.tee.route import Aim, Place
from wiretape_capture.tee.secure import Services
from wiretape_capture.tee.side_process import run

GRACE = 0.02
"""Seconds for what has happened already to be heard of: ends of connections, then what they tell."""


class Tee:
    """The process."""

    def __init__(self) -> None:
        self._over = asyncio.Event()
        self._house: House | None = None
        self._doors: list[Door] = []

    async def run(self, control: socket.socket, data: socket.socket) -> None:
        """Carry connections until told to stop."""
        loop = asyncio.get_running_loop()
        self._channel = Channel(self._hold, self._over.set)
        await loop.create_unix_connection(lambda: self._channel, sock=data)
        self._control = Control(control, self._hear, self._over.set)
        await self._over.wait()

    def _hear(self, message: Message, descriptor: int | None) -> None:
        match message["do"]:
            case "begin":
                self._begin(message)
            case "open":
                assert descriptor is not None
                listening = socket.socket(fileno=descriptor)
                self._listen(message, listening)
            case "arrive":
                assert descriptor is not None
                self._doors[message["place"]].arrive(socket.socket(fileno=descriptor))
            case "minted":
                assert self._house is not None
                self._house.minted(message)
            case "catch up":
                self._channel.catch_up()
            case "stop":
                self._stopping = asyncio.ensure_future(self._stop())

    def _begin(self, message: Message) -> None:
        self._channel.overflow = message["overflow"]
        trust = Path(message["trust"]) if message["trust"] else None
        self._house = House(self._channel, self._control, Services(trust))
        self._upstreams = _upstreams(message["upstreams"])

    def _listen(self, message: Message, listening: socket.socket) -> None:
        assert self._house is not None
        aim = Aim(*message["aim"]) if message["aim"] else None
        place = Place(message["kind"], aim, frozenset(message["own_ports"]), self._upstreams)
        self._doors.append(Door(self._house, len(self._doors), place, listening))

    def _hold(self, full: bool) -> None:
        if self._house is not None:
            self._house.hold(full)

    async def _stop(self) -> None:
        for door in self._doors:
            door.close()
        await asyncio.sleep(GRACE)
        for door in self._doors:
            door.end()
        if self._house is not None:
            self._house.end()
        await asyncio.sleep(GRACE)
        self._channel.finish()


def _upstreams(said: dict[str, Any]) -> Upstreams:
    return Upstreams({scheme: Upstream("http", "", 0) for scheme in said["schemes"]}, tuple(said["direct"]))


if __name__ == "__main__":
    sys.exit(run(lambda control, data: Tee().run(control, data)))
