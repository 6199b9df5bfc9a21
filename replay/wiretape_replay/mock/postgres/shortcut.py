"""What one client sent before in this state, byte for byte, with what it got: neither is taken apart again.

Only whole groups of messages are remembered (up to a Sync, or one Query), and only where every answer in them is
settled (see `Hit.settled`) or simulated without any effect, and the connection's state came out as it went in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import time_ns

from wiretape_capture.protocols.postgres.wire import Message
from wiretape_replay.mock.journal import Journal, Pen
from wiretape_replay.mock.postgres.prepared import Portal, Prepared

KEPT_REQUEST, KEPT_ANSWER = 16 << 10, 256 << 10
"""Bytes; longer ones are read each time."""
KEPT_ALL = 32 << 20
"""Bytes of what all clients of one database have remembered."""
COST = 512
"""Bytes that one remembered group takes besides its own."""
_PLAIN = frozenset({b"P", b"B", b"D", b"E", b"S", b"Q"})
_ENDS = (b"S", b"Q")
_SIMULATED = b'"tier":"simulated"'


@dataclass(slots=True)
class Room:
    """How much all clients have remembered."""

    taken: int = 0


@dataclass(frozen=True, slots=True)
class Given:
    """What a group was answered."""

    data: bytes
    lines: tuple[bytes, ...]
    """Of the journal, without their times."""
    last: int
    """The exchange that answered last; 0 where none did."""
    prepared: Prepared | None
    portal: Portal | None
    """The unnamed statement and portal that it leaves behind."""
    simulated: int
    """How many of the lines tell of no exchange."""

    @classmethod
    def of(cls, data: bytes, lines: Sequence[bytes], last: int, prepared: Prepared | None,
           portal: Portal | None) -> Given:  # fmt: skip
        """With what its lines tell; `last` is the exchange that answered last up to now."""
        simulated = sum(_SIMULATED in line for line in lines)
        return cls(data, tuple(lines), last if simulated < len(lines) else 0, prepared, portal, simulated)


class Shortcut:
    """One client's."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._given: dict[tuple[str, bytes], Given] = {}
        self._size = 0

    def answer(self, state: str, data: bytes, pen: Journal | Pen) -> Given | None:
        """What answers these bytes in this state of the transaction; its lines are journaled."""
        given = self._given.get((state, data))
        if given is not None:
            now = time_ns()
            for line in given.lines:
                pen.again(now, line)
            pen.simulated += given.simulated
        return given

    def keep(self, state: str, data: bytes, given: Given) -> None:
        """Remember a group, while there is room."""
        size = len(data) + len(given.data) + COST
        if len(data) <= KEPT_REQUEST and len(given.data) <= KEPT_ANSWER and self._room.taken + size <= KEPT_ALL:
            self._given[state, data] = given
            self._size += size
            self._room.taken += size

    def forget(self) -> None:
        """What a name means, or how a value is spelled, may be another from now on."""
        self._given.clear()
        self._room.taken -= self._size
        self._size = 0


def is_plain(messages: Sequence[Message]) -> bool:
    """Whether a group executes statements and names none."""
    if not messages or messages[-1].kind not in _ENDS:
        return False
    return all(
        each.kind in _PLAIN and not (each.kind == b"P" and each.payload and each.payload[0]) for each in messages
    )
