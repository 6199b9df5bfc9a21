"""Where exchanges of every data plane come together: names of connections, order, notes, and the tape."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from wiretape_capture.proxy.body_tap import OpenSink
from wiretape_capture.proxy.clock import Clock
from wiretape_capture.proxy.listening import Listening
from wiretape_capture.proxy.order import Order
from wiretape_capture.snapshot.exchange import Exchange


class Tape(Protocol):
    """What is needed of the snapshot's writer."""

    def put(self, exchange: Exchange, *, named: bool = False) -> None:
        """Queue an exchange; `named`: its bodies have the names of their contents."""
        ...

    def note(self, text: str, count: int = 1) -> None:
        """Count what could not be recorded."""
        ...


type Seen = Callable[[Exchange], None]
type Said = Callable[[str], None]


class Ledger:
    """`seen` hears of every exchange put on the tape, `said` of every note the first time."""

    def __init__(self, tape: Tape, open_sink: OpenSink, *, seen: Seen, said: Said) -> None:
        self._tape = tape
        self._seen = seen
        self._said = said
        self._heard: set[str] = set()
        self._connections = 0
        self.open_sink = open_sink
        self.order = Order()
        self.clock = Clock()
        self.listening: Mapping[int, Listening] = {}
        """What each local port stands for."""
        self.own_ports: frozenset[int] = frozenset()
        """Ports of the forward proxy; a request for one of them would come round for ever."""
        self.map_ports: frozenset[int] = frozenset()
        """Ports of maps; what comes to one of them through the proxy is recorded there."""

    def connection(self) -> str:
        """The name of a client's new connection."""
        self._connections += 1
        return f"c{self._connections}"

    def note(self, text: str, count: int = 1) -> None:
        """Count something that could not be recorded and tell the user the first time."""
        self._tape.note(text, count)
        if text not in self._heard:
            self._heard.add(text)
            self._said(text)

    def record(self, exchange: Exchange) -> None:
        """Put a finished exchange on the tape."""
        self._tape.put(exchange, named=True)
        self._seen(exchange)
