"""What all connections of the tee share, and how one of them goes over to mitmproxy."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Coroutine
from itertools import count
from typing import Any

from wiretape_capture.tee.channel import Channel
from wiretape_capture.tee.control import Control, Message
from wiretape_capture.tee.dial import dial
from wiretape_capture.tee.end import End
from wiretape_capture.tee.following import Following
from wiretape_capture.tee.lane import Lane, Way
from wiretape_capture.tee.records import Kind
from wiretape_capture.tee.route import Aim, Place, Tunnel
from wiretape_capture.tee.secure import Clients, Services, Site


class House:
    """Everything that is not one connection's own."""

    def __init__(self, channel: Channel, control: Control, services: Services) -> None:
        self.channel = channel
        self.control = control
        self.services = services
        self.clients = Clients()
        self.beyond: set[tuple[str, int]] = set()
        """Services that speak HTTP/2 or do not verify: as many as the app calls."""
        self._lanes: dict[Lane, tuple[int, int, Aim | None]] = {}
        """With each its number, the index of its listener, and where the tunnel goes that it is inside of."""
        self._numbers = count(1)
        self._asked: dict[int, asyncio.Future[bytes]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._full = False

    # Lanes

    def lane(self, index: int, place: Place) -> Lane:
        """A lane of a listener."""
        return self._new(index, place, None, place.aim, shared=place.kind == "proxy")

    def tunnel_lane(self, index: int, aim: Aim) -> Lane:
        """A lane inside of a tunnel to one service."""
        return self._new(index, Tunnel(aim), aim, aim, shared=False)

    def _new(self, index: int, way: Way, inside: Aim | None, aim: Aim | None, *, shared: bool) -> Lane:
        number = next(self._numbers)
        following = Following(self.channel, number, index, aim is not None and aim.scheme == "https")
        lane = Lane(following, way, self, shared=shared)
        self._lanes[lane] = (number, index, inside)
        if self._full:
            lane.hold(True)
        return lane

    def over(self, lane: Lane) -> None:
        """A lane's client is gone."""
        known = self._lanes.pop(lane, None)
        if known is not None:
            self.channel.tell(Kind.GONE, known[0], 0)

    def note(self, text: str) -> None:
        """Count what could not be recorded."""
        self.channel.note(text)

    def hold(self, full: bool) -> None:
        """Have every connection wait for the recorder, or go on."""
        self._full = full
        for lane in self._lanes:
            lane.hold(full)

    def end(self) -> None:
        """End every connection."""
        for lane in list(self._lanes):
            lane.abort("the recording ended first")
        for task in self._tasks:
            task.cancel()

    def call(self, lane: Lane, aim: Aim) -> None:
        """Connect a lane to a service."""
        self.spawn(self._attach(lane, aim))

    async def _attach(self, lane: Lane, aim: Aim) -> None:
        end = End(lane, client=False)
        try:
            dialled = await dial(aim.host, aim.port)
        except OSError as error:
            lane.refused(str(error) or type(error).__name__)
            return
        await asyncio.get_running_loop().create_connection(lambda: end, sock=dialled)
        lane.attach(end)

    # To mitmproxy

    def give(self, accepted: socket.socket, index: int, aim: Aim | None = None) -> None:
        """Give a connection that nothing has read from to mitmproxy; with an aim, it is the inside of a tunnel."""
        self.channel.flush()
        self.control.send({"do": "take", "place": index, "aim": aim and list(aim)}, accepted)

    def leave(self, lane: Lane) -> None:
        """Give what a lane carries from now on to mitmproxy: through a local socket, for it may come out of TLS."""
        known = self._lanes.get(lane)
        if known is not None:
            self.spawn(self._leave(lane, *known[1:]))

    async def _leave(self, lane: Lane, index: int, aim: Aim | None) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        self.channel.flush()
        self.control.send({"do": "take", "place": index, "aim": aim and list(aim), "inside": True}, theirs)
        end = End(lane, client=False)
        await asyncio.get_running_loop().create_unix_connection(lambda: end, sock=ours)
        lane.attach(end)

    async def mint(self, site: Site, certificate: bytes) -> bytes:
        """A certificate chain with its key for a site, from the recorder. Raises OSError when it makes none."""
        number = next(self._numbers)
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        host, _, name = site
        self.control.send({"do": "mint", "id": number, "host": host, "name": name, "like": certificate.hex()})
        pem: bytes = await answer
        return pem

    def minted(self, message: Message) -> None:
        """The recorder's answer."""
        answer = self._asked.pop(message["id"])
        if answer.done():
            return
        if message["pem"]:
            answer.set_result(str(message["pem"]).encode())
        else:
            answer.set_exception(OSError("no certificate could be made"))

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run beside; the loop itself holds tasks only weakly."""
        task = asyncio.Task(coroutine, loop=asyncio.get_running_loop(), eager_start=True)
        if not task.done():
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
