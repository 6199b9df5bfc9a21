"""The recorder's side of the tee: starts its process, gives it the listeners, takes back what it does not carry.

If the process ends before its time, mitmproxy goes on accepting at the same listeners.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from wiretape_capture.proxy.copies import Copies
from wiretape_capture.proxy.ledger import Ledger
from wiretape_capture.proxy.listener import Listener
from wiretape_capture.proxy.listening import Listening
from wiretape_capture.proxy.spec import Overflow
from wiretape_capture.proxy.trust import Trust
from wiretape_capture.proxy.upstream import Upstreams
from wiretape_capture.tee.beside import start_beside, until_told
from wiretape_capture.tee.control import Control, Message
from wiretape_capture.tee.route import Aim

DIED = "the tee ended unexpectedly; exchanges under way are incomplete, and mitmproxy carries what comes now"


class TeeProcess:
    """One process; `open` a listener for each that it carries."""

    def __init__(self, ledger: Ledger, trust: Trust, full: Callable[[], bool]) -> None:
        self._ledger = ledger
        self._trust = trust
        self._copies = Copies(ledger, full, self._catch_up)
        self._listeners: list[Listener] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False
        self.lost = False
        """Whether its process ended before its time."""

    async def start(self, overflow: Overflow, bundle: Path | None, upstreams: Upstreams) -> None:
        """Start the process; it need not be up for listeners to be opened."""
        self._process, control = await start_beside("wiretape_capture.tee", lambda: self._copies)
        self._control = Control(control, self._hear, self._lost)
        self._control.send({
            "do": "begin", "overflow": overflow, "trust": None if bundle is None else str(bundle),
            "upstreams": {"schemes": list(upstreams.by_scheme), "direct": upstreams.direct},
        })  # fmt: skip

    def open(self, kind: str, listener: Listener, listening: Listening, own_ports: Sequence[int] = ()) -> None:
        """Have the tee accept at a listener of kind `inbound`, `map` or `proxy`."""
        self._listeners.append(listener)
        self._copies.places.append(listening)
        port = listener.port
        aim = None if port.address is None else [port.scheme, *port.address]
        self._control.send({"do": "open", "kind": kind, "aim": aim, "own_ports": list(own_ports)},
                           listener.socket.dup())  # fmt: skip

    def bring(self, listener: Listener, accepted: socket.socket) -> None:
        """Have the tee carry a connection that was accepted at one of its listeners before."""
        self._control.send({"do": "arrive", "place": self._listeners.index(listener)}, accepted)

    async def close(self) -> None:
        """End it once everything that it carried is on the tape."""
        self._stopping = True
        if not self._copies.ended.is_set():
            self._control.send({"do": "stop"})
            await until_told(self._copies)
        self._control.close()
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        for task in self._tasks:
            task.cancel()
        await self._copies.close()

    def _catch_up(self) -> None:
        self._control.send({"do": "catch up"})

    def _hear(self, message: Message, descriptor: int | None) -> None:
        match message["do"]:
            case "take":
                assert descriptor is not None
                self._take(message, socket.socket(fileno=descriptor))
            case "mint":
                self._control.send({"do": "minted", "id": message["id"], "pem": self._mint(message)})
            case "refused":
                self._trust.refused_handshake(message["client"], message["service"], message["error"])

    def _take(self, message: Message, accepted: socket.socket) -> None:
        accepted.setblocking(False)
        aim = None if message["aim"] is None else Aim(*message["aim"])
        self._spawn(self._listeners[message["place"]].adopt(accepted, aim))

    def _mint(self, message: Message) -> str:
        try:
            return self._trust.mint(message["host"], message["name"], bytes.fromhex(message["like"])).decode()
        except ValueError:
            return ""

    def _lost(self) -> None:
        if self._stopping:
            return
        self.lost = True
        self._ledger.note(DIED)
        for listener in self._listeners:
            self._spawn(listener.accept())

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
