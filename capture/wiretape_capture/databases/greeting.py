"""What every protocol's greeter gets and gives. It runs in the forwarding process and so holds no follower."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from wiretape_capture.databases.records import Facts
from wiretape_capture.databases.side import Side
from wiretape_capture.protocols.first_bytes import spoken_by
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

GREETING_SECONDS = 60.0
"""As the servers' own limits on a login."""


def stranger(client: Side, protocol: str) -> str:
    """What a client speaks in place of the port's protocol, by what it has sent and nobody read; or nothing."""
    spoken = spoken_by(client.ahead)
    return f"this is {spoken}, and the port speaks {protocol}" if spoken not in (None, protocol) else ""


async def in_time(greeting: Awaitable[Greeted | None], name: str, desk: Desk) -> Greeted | None:
    """What comes of a greeting that must not take longer than servers allow; `name` is the database's."""
    try:
        async with asyncio.timeout(GREETING_SECONDS):
            return await greeting
    except TimeoutError:
        desk.note(f"connections to {name} that did not log in within {GREETING_SECONDS:.0f} s; they were closed")
        return None
