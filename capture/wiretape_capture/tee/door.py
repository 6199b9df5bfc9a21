"""Connections as they arrive: the first bytes are looked at unread, then the tee takes them or mitmproxy does.

What goes to mitmproxy goes untouched, as the socket itself.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from wiretape_capture.tee.client_hello import HANDSHAKE
from wiretape_capture.tee.dial import dial, has_ended, peek, readable
from wiretape_capture.tee.end import EARLIER, End
from wiretape_capture.tee.heads import END, HEAD_LIMIT
from wiretape_capture.tee.house import House
from wiretape_capture.tee.route import Aim, Place, connect_target
from wiretape_capture.tee.secure import HTTP1, towards_service
from wiretape_capture.tee.tunnel import enter

AT_ONCE = 64
"""Connections accepted before others get a turn."""
PREFACE = b"PRI * HTTP/2.0"
PATIENCE = 0.005
"""Seconds between two looks at bytes that are there but not enough; it doubles."""
MOST_PATIENCE = 0.5


class Door:
    """One listening socket."""

    def __init__(self, house: House, index: int, place: Place, listening: socket.socket) -> None:
        self._house = house
        self._index = index
        self._place = place
        self._listening = listening
        self._loop = asyncio.get_running_loop()
        self._visits: set[asyncio.Task[None]] = set()
        listening.setblocking(False)
        self._loop.add_reader(listening, self._accept)

    def close(self) -> None:
        """Accept no more."""
        self._loop.remove_reader(self._listening)
        self._listening.close()

    def end(self) -> None:
        """Give up the connections that are not anywhere yet."""
        for visit in self._visits:
            visit.cancel()

    def _accept(self) -> None:
        for _ in range(AT_ONCE):
            try:
                accepted, _ = self._listening.accept()
            except BlockingIOError:
                return
            except OSError as error:
                self._out_of_files(error)
                return
            self.arrive(accepted)

    def arrive(self, accepted: socket.socket) -> None:
        """A connection is there."""
        accepted.setblocking(False)
        with suppress(OSError):
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._start(self._visit(accepted))

    def _out_of_files(self, error: OSError) -> None:
        """Let connections wait in the backlog for a moment; accepting would fail again at once."""
        self._house.channel.note(f"moments at which no connection could be accepted ({error.strerror})")
        self._loop.remove_reader(self._listening)
        self._loop.call_later(MOST_PATIENCE, self._resume)

    def _resume(self) -> None:
        if self._listening.fileno() >= 0:
            self._loop.add_reader(self._listening, self._accept)

    def _start(self, visit: Coroutine[Any, Any, None]) -> None:
        task = asyncio.Task(visit, loop=self._loop, eager_start=True)
        if not task.done():
            self._visits.add(task)
            task.add_done_callback(self._visits.discard)

    async def _visit(self, accepted: socket.socket) -> None:
        try:
            await self._decide(accepted)
        except OSError:  # the client is gone
            accepted.close()
        except BaseException:
            accepted.close()
            raise

    async def _decide(self, accepted: socket.socket) -> None:
        data = await peeked(accepted, beginning)
        if not data:
            accepted.close()
        elif not data[:1].isalpha() or data[0] == HANDSHAKE or data.startswith(PREFACE):
            self._house.give(accepted, self._index)
        elif self._place.kind == "proxy" and data.startswith(b"CONNECT "):
            await self._tunnel(accepted)
        elif (end := data.find(END) + 4) >= 4 and self._place.route(data[:end]) is None:
            self._house.give(accepted, self._index)
        elif self._place.aim is not None and self._place.aim.scheme == "https":
            await self._secure(accepted, self._place.aim)
        else:
            lane = self._house.lane(self._index, self._place)
            await self._loop.connect_accepted_socket(lambda: lane.client, accepted)

    async def _secure(self, accepted: socket.socket, aim: Aim) -> None:
        """A map of an https service: plain on this side."""
        lane = self._house.lane(self._index, self._place)
        service = End(lane, client=False)
        service.hold(EARLIER)
        try:
            dialled = await dial(aim.host, aim.port)
            await towards_service(dialled, service, self._house.services.context((HTTP1,)), aim.host)
        except OSError:
            lane.client_lost(None)
            self._house.give(accepted, self._index)  # mitmproxy takes what does not verify, and says so
            return
        lane.arrive(service, aim)
        await self._loop.connect_accepted_socket(lambda: lane.client, accepted)
        service.go_on(EARLIER)

    async def _tunnel(self, accepted: socket.socket) -> None:
        data = await peeked(accepted, lambda data: END in data or len(data) >= HEAD_LIMIT)
        head = data[: data.find(END) + 4]
        target = connect_target(head)
        if target is None or not self._place.direct("https", *target):
            self._house.give(accepted, self._index)
            return
        await enter(self._house, self._index, accepted, head, target)


def beginning(data: bytes) -> bool:
    """Whether enough is there to tell one protocol from another."""
    return len(data) >= len(PREFACE) or not data[:1].isalpha()


async def peeked(sock: socket.socket, enough: Callable[[bytes], bool]) -> bytes:
    """What has come so far, left unread, once it is enough or no more can come. Raises OSError."""
    patience, before = PATIENCE, -1
    while True:
        data = peek(sock, HEAD_LIMIT)
        if data is None:
            await readable(sock)
        elif not data or enough(data) or (len(data) == before and has_ended(sock)):
            return data
        else:
            patience = PATIENCE if len(data) > before else min(patience * 2, MOST_PATIENCE)
            before = len(data)
            await asyncio.sleep(patience)
