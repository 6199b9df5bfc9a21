"""What has arrived and was not looked at yet, of all connections of a worker.

The loop reads one socket after the other. What each read gave is put down with its time, and looked at when all are
read: code that runs again and again without a system call in between takes a fraction of the time, because processors
forget their branch predictions at each of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wiretape_replay.load.connection import Connection

type Piece = tuple[Connection, bytes, int]
"""Where it came, the bytes, and when."""


class Inbox:
    """In order of arrival."""

    __slots__ = ("_soon", "pieces")

    def __init__(self, soon: Callable[[Callable[[], None]], object]) -> None:
        """`soon` has the event loop call something when it has looked at all sockets."""
        self._soon = soon
        self.pieces: list[Piece] = []

    def wake(self) -> None:
        """Have it looked at soon: the first piece is about to be put in."""
        self._soon(self._look)

    def _look(self) -> None:
        pieces = self.pieces.copy()
        self.pieces.clear()
        for connection, data, now in pieces:
            connection.look(data, now)
