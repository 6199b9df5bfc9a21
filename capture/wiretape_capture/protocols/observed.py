"""What was seen of a database's traffic: one command with its answer, before it becomes an exchange. Pure.

A protocol's follower reads both directions of one connection and hands these out; it knows no clock, file or socket.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pydantic import JsonValue


@dataclass(slots=True)
class Observed:
    """One command with its answer."""

    command: str
    location: str
    """The command's template: what it is without its values."""
    status: str
    """The protocol's own word for how it ended; empty when no answer came."""
    failed: int
    """0 for an answer, 1 for an error of the command, 2 for a failure of the service."""
    reason: str
    """The answer in a few words."""
    started: int
    ended: int
    """Monotonic nanoseconds."""
    question: JsonValue
    answer: JsonValue
    complete: bool = True
    """False when not all of the answer was kept."""
    error: str = ""
    """Why the answer is incomplete."""


type Emit = Callable[[Observed], None]
type Book = Callable[[int], Emit]
"""Takes a place in the recording for what began at a time (monotonic ns), to be filled when it ends."""


class Follower(Protocol):
    """Reads a copy of one connection's bytes. What it raises ends the reading of this connection alone."""

    def client(self, data: bytes, at: int) -> None:
        """Bytes that the app sent, with their arrival in monotonic nanoseconds."""
        ...

    def server(self, data: bytes, at: int) -> None:
        """Bytes that the service sent."""
        ...

    def end(self, at: int) -> None:
        """The connection is over: whatever waits for an answer gets none."""
        ...
