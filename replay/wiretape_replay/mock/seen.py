"""Requests that came before, by their raw bytes, within a bound on memory. It answers nothing itself."""

from __future__ import annotations

from dataclasses import dataclass, field

from wiretape_replay.mock.origin import Origin
from wiretape_replay.mock.question import Given, Question

KEPT_LEAST = 8 << 20
"""Bytes of what is remembered, at least; a large recording may have as much again."""
COST = 1024
"""Bytes that one remembered request takes besides its own."""
_MARKS = 1 << 20
_MARKED = 1 << 18
"""Requests met once that are told apart; then all are met for the first time again."""


JOINED = 512
"""Bytes; a settled answer in several pieces is kept in one up to this size. Larger ones share what they share."""

type Plain = tuple[bytes, bytes]
"""A settled answer that is sent as it is, and its line of the journal after the time.

A tuple of bytes: the cycle collector leaves it alone, of which there may be as many as recorded requests."""


@dataclass(slots=True)
class Known:
    """What came before to one origin. Once a question is settled, its answer takes its place."""

    plain: dict[bytes, Plain] = field(default_factory=dict)
    settled: dict[bytes, Given] = field(default_factory=dict)
    """Settled answers that are more than that."""
    asked: dict[bytes, Question] = field(default_factory=dict)
    bodies: dict[bytes, int] = field(default_factory=dict)
    """By the head of a request with a body: how long that is."""

    def settle(self, raw: bytes, given: Given) -> None:
        """A question that may be known is settled."""
        self.asked.pop(raw, None)
        pieces = given.pieces
        if given.reply is None and (len(pieces) == 1 or sum(map(len, pieces)) <= JOINED):
            self.plain[raw] = b"".join(pieces), given.line
        else:
            self.settled[raw] = given

    def clear(self) -> None:
        """Forget all."""
        self.plain.clear()
        self.settled.clear()
        self.asked.clear()
        self.bodies.clear()


class Seen:
    """What all connections of one mock remember."""

    def __init__(self, recorded_bytes: int = 0) -> None:
        self._limit = KEPT_LEAST + recorded_bytes
        self._size = 0
        self._by_origin: dict[Origin, Known] = {}
        self._marks = bytearray(_MARKS)
        self._marked = 0

    def at(self, origin: Origin) -> Known:
        """What came before to one origin."""
        known = self._by_origin.get(origin)
        if known is None:
            known = self._by_origin[origin] = Known()
            self._size += COST
        return known

    def met(self, raw: bytes) -> bool:
        """Whether these bytes came before, most likely; a request with a fresh id in its head never does."""
        slot = hash(raw) % _MARKS
        if self._marks[slot]:
            return True
        if self._marked >= _MARKED:
            self._marks, self._marked = bytearray(_MARKS), 0
        self._marks[slot] = 1
        self._marked += 1
        return False

    def keep(self, origin: Origin, raw: bytes, body_size: int, question: Question) -> None:
        """Remember a request; when there are too many, all are forgotten, and those that come again come back."""
        if self._size > self._limit:
            self._forget()
        known = self.at(origin)
        if question.settled is not None:
            known.settle(raw, question.settled)
        else:
            known.asked[raw] = question
        self._size += len(raw) + COST
        if body_size:
            known.bodies[raw[:-body_size]] = body_size

    def _forget(self) -> None:
        # Connections that are open hold what is cleared here; they fill what the next ones get.
        for known in self._by_origin.values():
            known.clear()
        self._by_origin.clear()
        self._size = 0
