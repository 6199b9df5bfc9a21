"""Listeners that stand for databases: each connection is greeted, then forwarded raw, with a copy to its follower."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from wiretape_capture.databases.backlog import Backlog, Followed, at_end, from_client, from_server
from wiretape_capture.databases.exchanges import exchange_of
from wiretape_capture.databases.side import Side
from wiretape_capture.errors import WiretapeError
from wiretape_capture.launch.spec import ServiceMap
from wiretape_capture.protocols.observed import Book, Emit, Follower, Observed
from wiretape_capture.snapshot.exchange import Exchange, Protocol

HOST = "127.0.0.1"
BACKLOG = 1024


@dataclass(frozen=True, slots=True)
class Greeted:
    """A connection that was accepted: its side towards the service, and who follows it; None: nobody does."""

    server: Side
    follower: Follower | None


type Greet = Callable[[Side, Book, Callable[[str], None]], Awaitable[Greeted | None]]
"""Greets the app, connects to the service and logs in; None when there is nothing to forward. It is given the recording
and where to tell what could not be recorded."""


@dataclass(frozen=True, slots=True)
class Tape:
    """Where a recording goes: exchanges, and what could not be recorded."""

    begin: Callable[[int], Callable[[Exchange], None]]
    """Takes the number of an exchange that began at a time (monotonic ns) and gives what puts it on the tape."""
    note: Callable[[str], None]


class Databases:
    """All databases of one recording."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._backlog = Backlog()
        self._servers: list[asyncio.Server] = []
        self._greeting: set[asyncio.Task[None]] = set()
        self._open: set[Side] = set()
        self._opened = 0
        self._epoch_ns = time.time_ns() - time.monotonic_ns()
        self.ports: dict[str, int] = {}
        """Local port by the service's name."""
        self.endpoints: dict[str, str] = {}
        """URL by role, `map:NAME`."""

    @classmethod
    async def open(cls, services: Sequence[ServiceMap], greets: Mapping[str, Callable[[ServiceMap], Greet]],
                   tape: Tape) -> Databases:  # fmt: skip
        """Listen for every service whose protocol somebody greets, or for none."""
        databases = cls(tape)
        try:
            for service in services:
                await databases._listen(service, greets[service.scheme](service))
        except BaseException:
            await databases.close()
            raise
        return databases

    async def _listen(self, service: ServiceMap, greet: Greet) -> None:
        loop = asyncio.get_running_loop()
        try:
            server = await loop.create_server(lambda: Side(lambda side: self._arrive(side, service, greet)), HOST,
                                              service.listen, backlog=BACKLOG)  # fmt: skip
        except OSError as error:
            raise WiretapeError(f"port {service.listen} for map '{service.name}' cannot be opened: {error.strerror}",
                                "stop what listens there or choose another port") from error  # fmt: skip
        self._servers.append(server)
        port = self.ports[service.name] = server.sockets[0].getsockname()[1]
        self.endpoints[f"map:{service.name}"] = f"{service.scheme}://{HOST}:{port}"

    def _arrive(self, client: Side, service: ServiceMap, greet: Greet) -> None:
        self._opened += 1
        self._open.add(client)
        task = asyncio.get_running_loop().create_task(self._serve(client, service, greet, f"d{self._opened}"))
        self._greeting.add(task)
        task.add_done_callback(self._greeting.discard)

    async def _serve(self, client: Side, service: ServiceMap, greet: Greet, name: str) -> None:
        def book(begun: int) -> Emit:
            put = self._tape.begin(begun)

            def emit(seen: Observed) -> None:
                put(exchange_of(seen, protocol=Protocol(service.scheme), service=service.name, connection=name,
                                epoch_ns=self._epoch_ns))  # fmt: skip

            return emit

        greeted = None
        try:
            greeted = await greet(client, book, self._tape.note)
        except (EOFError, ConnectionError):
            client.abort()  # one of the two went away
        finally:
            if greeted is None:
                client.close()
                self._open.discard(client)
        if greeted is not None:
            self._forward(client, greeted, service)

    def _forward(self, client: Side, greeted: Greeted, service: ServiceMap) -> None:
        def fault(error: Exception) -> None:
            self._tape.note(f"connections to {service.name} whose traffic could not be read ({error}); their bytes "
                            f"passed and were not recorded from there on")  # fmt: skip

        server, backlog = greeted.server, self._backlog
        ended = False

        def lost() -> None:
            nonlocal ended
            self._open -= {client, server}
            if not ended and followed is not None:
                backlog.put(followed, at_end, b"")
            ended = True

        self._open.add(server)
        followed = None if greeted.follower is None else Followed(greeted.follower, fault)
        if followed is None:
            server.join(client, _unread, lost)
            client.join(server, _unread, lost)
            return
        one = followed
        server.join(client, lambda data: backlog.put(one, from_server, data), lost)
        client.join(server, lambda data: backlog.put(one, from_client, data), lost)

    async def close(self) -> None:
        """End every connection; what was under way is told as unanswered."""
        for server in self._servers:
            server.close()
        for task in list(self._greeting):
            task.cancel()
        for side in list(self._open):
            side.close()
        for _ in range(100):  # the transports tell of their end in the loop's next rounds
            if not self._open:
                break
            await asyncio.sleep(0.01)
        for side in list(self._open):
            side.abort()
        await asyncio.sleep(0)
        self._backlog.close()
        for server in self._servers:
            with suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await server.wait_closed()


def _unread(_data: bytes) -> None:
    """Nobody follows this connection."""
