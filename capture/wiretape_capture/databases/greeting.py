"""What every protocol's greeter gets and gives. It runs in the forwarding process and so holds no follower."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from wiretape_capture.databases.records import Facts
from wiretape_capture.databases.side import Side
from wiretape_capture.protocols.observed import Observed


@dataclass(frozen=True, slots=True)
class Greeted:
    """A connection that was accepted: its side towards the service, and what its follower begins with; None: nobody
    follows it."""

    server: Side
    opening: Facts | None


class Desk(Protocol):
    """Where a greeter tells what it saw."""

    def note(self, text: str, /) -> None:
        """Count what could not be recorded."""
        ...

    def seen(self, observed: Observed, /) -> None:
        """A connection that was refused, or another exchange of the greeting."""
        ...


type Greet = Callable[[Side, Desk], Awaitable[Greeted | None]]
"""Greets the app, connects to the service and logs in; None when there is nothing to forward."""
