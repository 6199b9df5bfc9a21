"""The connections to one target: kept open and shared by all sessions, or each session's own.

A connection that was idle may have been closed by the target just then; what was sent on it is sent once more where
that is allowed, and everything else that goes wrong is an error of that request.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections import deque
from dataclasses import dataclass
from typing import Protocol

from wiretape_capture.snapshot.exchange import Request
from wiretape_replay.load.alarm import clock
from wiretape_replay.load.call import Call
from wiretape_replay.load.clone import Clone
from wiretape_replay.load.connection import Connection
from wiretape_replay.load.head import Head
from wiretape_replay.load.inbox import Inbox
from wiretape_replay.load.keeper import Keeper
from wiretape_replay.load.tally import Tally
from wiretape_replay.load.wire import wire_bytes

KEEP_ALIVE_NS = 1_000_000_000
"""How long an idle connection is kept: less than any common server keeps it, so that none closes it while we send."""
SWEEP_SECONDS = 0.25
"""How often time-outs and idle connections are looked for."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the target is: resolved once, so that names cost nothing later."""

    host: str
    port: int
    name: str
    """What its certificate is for."""
    tls: ssl.SSLContext | None
    prefix: str
    """The path of the base URL."""
    netloc: str


class Owner(Protocol):
    """Who is told of answers and failures."""

    tally: Tally
    keeper: Keeper

    def answered(self, connection: Connection, now: int) -> None:
        """An answer has come."""

    def repeated(self, connection: Connection, call: Call, kind: int, now: int) -> None:
        """An answer has come that is as recorded, of which nothing is to be learned."""

    def failed(self, call: Call, why: str) -> None:
        """No answer came."""


class Pool:
    """All connections of one worker."""

    def __init__(self, address: Address, timeout: float, most: int, *, own: bool) -> None:
        self._address, self._timeout, self._most, self._own = address, timeout, most, own
        self._idle: list[Connection] = []
        self._heads: dict[bytes, Head] = {}
        self._inbox = Inbox(asyncio.get_running_loop().call_soon)
        self._open: set[Connection] = set()
        self._connecting: set[asyncio.Task[None]] = set()
        self.waiting: deque[Call] = deque()
        """Requests for which there is no connection."""
        self._player: Owner

    def serve(self, player: Owner) -> None:
        """Tell this owner of answers and failures."""
        self._player = player

    @property
    def busy(self) -> bool:
        """Whether a request is under way."""
        return bool(self._connecting or self.waiting or any(each.call is not None for each in self._open))

    def wire(self, request: Request) -> bytes:
        """A request as bytes for this target."""
        return wire_bytes(request, self._address.prefix, self._address.netloc)

    def send(self, call: Call, now: int) -> None:
        """Send a request on an idle connection or on a new one."""
        connection = self._free(call.clone, now)
        if connection is not None:
            call.sent_ns = now
            connection.send(call, call.data)
        elif len(self._open) + len(self._connecting) < self._most:
            self._connect(call)
        else:
            self.waiting.append(call)

    def release(self, connection: Connection, clone: Clone, now: int) -> None:
        """A connection whose answer has come."""
        connection.call = None
        if not connection.reusable:
            self.discard(connection)
            self._next_waiting()
        elif self.waiting and not self._own:
            call = self.waiting.popleft()
            call.sent_ns = now
            connection.send(call, call.data)
        else:
            connection.since = now
            (clone.idle if self._own else self._idle).append(connection)

    def discard(self, connection: Connection) -> None:
        """Close a connection."""
        self._open.discard(connection)
        connection.close()

    async def sweep(self) -> None:
        """For ever: give up requests whose time is over, close what was idle too long."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now = clock()
            limit = now - int(self._timeout * 1e9)
            for connection in [each for each in self._open if each.call is not None and each.call.sent_ns < limit]:
                self._lost(connection, f"no complete answer within {self._timeout:g} s")
            while self._idle and now - self._idle[0].since > KEEP_ALIVE_NS:
                self.discard(self._idle.pop(0))
            while self.waiting and self.waiting[0].intended_ns < limit:
                self._player.failed(self.waiting.popleft(), f"no free connection within {self._timeout:g} s")

    async def close(self) -> None:
        """Close every connection."""
        for task in self._connecting:
            task.cancel()
        await asyncio.gather(*self._connecting, return_exceptions=True)
        for connection in list(self._open):
            self.discard(connection)

    def _free(self, clone: Clone, now: int) -> Connection | None:
        idle = clone.idle if self._own else self._idle
        while idle:
            connection = idle.pop()
            if connection.open:
                if now - connection.since <= KEEP_ALIVE_NS:
                    return connection
                self.discard(connection)
        return None

    def _connect(self, call: Call) -> None:
        task = asyncio.get_running_loop().create_task(self._connected(call))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connected(self, call: Call) -> None:
        address = self._address
        try:
            async with asyncio.timeout(self._timeout):
                _, connection = await asyncio.get_running_loop().create_connection(
                    self._new, address.host, address.port, ssl=address.tls,
                    server_hostname=address.name if address.tls else None,
                )  # fmt: skip
        except TimeoutError:
            self._refused(call, f"the target did not accept a connection within {self._timeout:g} s")
        except ssl.SSLError as error:
            self._refused(call, f"TLS failed: {_told(error)}")
        except OSError as error:
            self._refused(call, f"the target did not accept a connection: {_told(error)}")
        else:
            self._player.tally.opened += 1
            if connection.open:
                self._open.add(connection)
                call.sent_ns = clock()
                connection.send(call, call.data)
            else:
                self._refused(call, "the connection ended before any answer")

    def _refused(self, call: Call, why: str) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._connecting.discard(task)
        self._player.failed(call, why)
        self._next_waiting()

    def _new(self) -> Connection:
        player = self._player
        return Connection(player.answered, player.repeated, self._lost, player.keeper.want, self._inbox, self._heads)

    def _lost(self, connection: Connection, why: str) -> None:
        """A connection is gone, or has to go."""
        call, fresh = connection.call, not connection.used
        heard = connection.heard
        self.discard(connection)
        if call is None:
            return
        if not fresh and not heard and not call.again and call.item.again and why.startswith("the connection"):
            call.again = True
            self._player.tally.resent += 1
            self._connect(call)
        else:
            self._player.failed(call, why)
            self._next_waiting()

    def _next_waiting(self) -> None:
        if self.waiting and len(self._open) + len(self._connecting) < self._most:
            self._connect(self.waiting.popleft())


def _told(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return error.reason.replace("_", " ").lower() if error.reason else str(error)
    return os.strerror(error.errno).lower() if error.errno and error.errno > 0 else str(error)
