"""The recorder's side of the process that forwards databases: opens the listeners, starts it, takes in what it tells.

A process that ends before its time is started anew at the same listeners.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from wiretape_capture.databases.copies import DatabaseCopies
from wiretape_capture.databases.downstream import HERE
from wiretape_capture.databases.protocols import PROTOCOLS
from wiretape_capture.errors import WiretapeError
from wiretape_capture.launch.ca import Authority
from wiretape_capture.launch.spec import ServiceMap
from wiretape_capture.proxy.ledger import Ledger
from wiretape_capture.proxy.spec import Overflow
from wiretape_capture.tee.beside import start_beside, until_told
from wiretape_capture.tee.control import Control

SHORT_LIFE = 1.0
"""Seconds; a process that lives for less is not started again."""
DIED = "the process that forwards databases ended unexpectedly; its connections were cut, new ones are carried again"
GIVEN_UP = "the process that forwards databases cannot be kept running; databases cannot be reached through wiretape"


class Databases:
    """All databases of one recording."""

    def __init__(self, services: Sequence[ServiceMap], environ: Mapping[str, str], authority: Authority,
                 ledger: Ledger, full: Callable[[], bool], overflow: Overflow) -> None:  # fmt: skip
        self._services = services
        self._entrances = [PROTOCOLS[service.scheme].entrance(service, environ) for service in services]
        self._pem = b"".join(authority.mint(HERE)).decode() if services else ""
        self._ledger = ledger
        self._full = full
        self._overflow = overflow
        self._sockets: list[socket.socket] = []
        self._starts = 0
        self._ready = asyncio.Event()
        self._restarting: asyncio.Task[None] | None = None
        self._stopping = False
        self.ports: dict[str, int] = {}
        """Local port by the service's name."""
        self.endpoints: dict[str, str] = {}
        """URL by role, `map:NAME`."""

    async def open(self) -> None:
        """Listen for every service, or for none. Without a service nothing is started."""
        try:
            for service in self._services:
                self._listen(service)
            if self._services:
                await self._start()
        except BaseException:
            for each in self._sockets:
                each.close()
            raise

    async def ready(self) -> None:
        """Wait until the process accepts: who connects earlier waits too, and longer than its service takes."""
        if self._services:
            await self._ready.wait()

    def _listen(self, service: ServiceMap) -> None:
        try:
            listening = socket.create_server((HERE, service.listen))
        except OSError as error:
            raise WiretapeError(f"port {service.listen} for map '{service.name}' cannot be opened: {error.strerror}",
                                "stop what listens there or choose another port") from error  # fmt: skip
        listening.setblocking(False)
        self._sockets.append(listening)
        port = self.ports[service.name] = listening.getsockname()[1]
        self.endpoints[f"map:{service.name}"] = f"{service.scheme}://{HERE}:{port}"

    async def _start(self) -> None:
        self._starts += 1
        self._started = time.monotonic()
        self._copies = DatabaseCopies(self._ledger, self._services, self._full, self._catch_up,
                                      "d" * self._starts)  # fmt: skip
        self._process, control = await start_beside("wiretape_capture.databases", lambda: self._copies)
        self._control = Control(control, lambda _message, _descriptor: self._ready.set(), self._lost)
        self._control.send({"do": "begin", "overflow": self._overflow, "pem": self._pem})
        for place, (service, entrance) in enumerate(zip(self._services, self._entrances, strict=True)):
            self._control.send({"do": "open", "scheme": service.scheme, "name": service.name, "place": place,
                                "entrance": entrance}, self._sockets[place].dup())  # fmt: skip

    def _catch_up(self) -> None:
        self._control.send({"do": "catch up"})

    def _lost(self) -> None:
        if self._stopping:
            return
        if time.monotonic() - self._started < SHORT_LIFE:
            self._ledger.note(GIVEN_UP)
            self._ready.set()
            for each in self._sockets:
                each.close()
            return
        self._ledger.note(DIED)
        self._restarting = asyncio.ensure_future(self._restart())

    async def _restart(self) -> None:
        self._control.close()
        await self._process.wait()
        await self._start()

    async def close(self) -> None:
        """End every connection; what was under way is told as unanswered."""
        if not self._services:
            return
        self._stopping = True
        if self._restarting is not None:
            await asyncio.wait({self._restarting})
        if not self._copies.ended.is_set():
            self._control.send({"do": "stop"})
            await until_told(self._copies)
        self._control.close()
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.kill()
        await self._process.wait()
        for each in self._sockets:
            each.close()
