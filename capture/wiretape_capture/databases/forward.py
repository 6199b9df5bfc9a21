"""Database connections in the forwarding process: each is greeted, then its bytes go on raw and a copy is told of.

Bound: what a peer has not taken makes the other side wait (`side.py`), what the recorder has not taken makes all wait
or go on unrecorded (`tee/channel.py`).
"""

from __future__ import annotations

import asyncio
import socket
from itertools import count
from time import monotonic_ns

from wiretape_capture.databases import records
from wiretape_capture.databases.greeting import Greet, Greeted
from wiretape_capture.databases.records import Told
from wiretape_capture.databases.side import RECORDER, Side
from wiretape_capture.protocols.observed import Observed
from wiretape_capture.tee.channel import Channel

UNREAD = "connections to {} that go on unrecorded because the recorder could not keep up"
BACKLOG = 1024


class Connections:
    """Every connection of a recording."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.numbers = count(1)
        self._servers: list[asyncio.Server] = []
        self._greeting: set[asyncio.Task[None]] = set()
        self._open: set[Side] = set()
        self._held = False

    async def listen(self, name: str, place: int, greet: Greet, listening: socket.socket) -> None:
        """Accept at a socket that stands for the service `name`."""
        loop = asyncio.get_running_loop()
        self._servers.append(await loop.create_server(
            lambda: Side(lambda side: self._arrive(side, _Visit(self, name, place), greet)),
            sock=listening, backlog=BACKLOG,
        ))  # fmt: skip

    def _arrive(self, client: Side, visit: _Visit, greet: Greet) -> None:
        self._open.add(client)
        task = asyncio.get_running_loop().create_task(self._serve(client, visit, greet))
        self._greeting.add(task)
        task.add_done_callback(self._greeting.discard)

    async def _serve(self, client: Side, visit: _Visit, greet: Greet) -> None:
        greeted = None
        try:
            greeted = await greet(client, visit)
        except (EOFError, ConnectionError):
            client.abort()  # one of the two went away
        finally:
            if greeted is None:
                client.close()
                self._open.discard(client)
        if greeted is not None:
            self._open.add(greeted.server)
            if self._held:
                client.hold(RECORDER)
                greeted.server.hold(RECORDER)
            visit.forward(client, greeted)

    def gone(self, *sides: Side) -> None:
        """These are closed."""
        self._open.difference_update(sides)

    def hold(self, full: bool) -> None:
        """Have every connection wait for the recorder, or go on."""
        self._held = full
        for side in self._open:
            (side.hold if full else side.go_on)(RECORDER)

    def close(self) -> None:
        """Accept no more and end every connection after what was written."""
        for server in self._servers:
            server.close()
        for task in self._greeting:
            task.cancel()
        for side in list(self._open):
            side.close()

    def abort(self) -> None:
        """End every connection at once."""
        for side in list(self._open):
            side.abort()


class _Visit:
    """One connection, as the recorder hears of it."""

    def __init__(self, connections: Connections, name: str, place: int) -> None:
        self._connections = connections
        self._channel = connections.channel
        self._name = name
        self._place = place
        self._number = next(connections.numbers)
        self._followed = False

    def note(self, text: str) -> None:
        """Count what could not be recorded."""
        self._channel.note(text)

    def seen(self, observed: Observed) -> None:
        """A connection that was refused."""
        self._channel.tell(Told.SEEN, self._number, observed.started, records.seen(self._place, observed))

    def forward(self, client: Side, greeted: Greeted) -> None:
        """Let bytes pass from now on."""
        server, number, tell = greeted.server, self._number, self._channel.tell
        self._followed = greeted.opening is not None
        if greeted.opening is not None:
            tell(Told.ACCEPTED, number, monotonic_ns(), records.accepted(self._place, greeted.opening))

        def from_client(data: bytes, now: int) -> None:
            if self._followed and self._goes_on():
                tell(Told.CLIENT, number, now, data)

        def from_server(data: bytes, now: int) -> None:
            if self._followed and self._goes_on():
                tell(Told.SERVER, number, now, data)

        def lost() -> None:
            self._connections.gone(client, server)
            self._end()

        server.join(client, from_server, lost)
        client.join(server, from_client, lost)

    def _goes_on(self) -> bool:
        """Whether the recorder takes more of this connection."""
        if not self._channel.full or self._channel.overflow == "wait":
            return True
        self._channel.note(UNREAD.format(self._name))
        self._end()
        return False

    def _end(self) -> None:
        if self._followed:
            self._followed = False
            self._channel.tell(Told.ENDED, self._number, monotonic_ns())
