"""Which sessions are compared in full, and the answers kept for it: a fair share of all of them, within bounds.

The first clone of each recorded session is kept, and of all others a uniform random share (a reservoir), so that
findings speak of the whole run. Outside of them an answer is kept when its status is another one, or when its bytes
differ although they used to be equal; so it is when the session that it is from gives way to another one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from wiretape_replay.bindings.live import LiveSession
from wiretape_replay.load.answer import Answer
from wiretape_replay.load.item import Item
from wiretape_replay.load.tally import DIFFERENT, ERROR, UNEQUAL

ANSWERS = 1500
"""Answers of sampled sessions that a worker holds at most, beyond the first clones."""
BYTES = 48 << 20
"""Bytes of answers that a worker holds at most; nothing is kept beyond."""
SUSPECTS = 3
"""Answers of one exchange kept because their bytes were equal before or their status is another one: of each status."""
USUALLY = 3
"""So many equal answers make an unequal one suspect."""


@dataclass(slots=True)
class Kept:
    """One answer that is compared after the load."""

    item: Item
    answer: Answer | None
    """None where none came."""
    error: str
    kind: int
    """What it was counted as at first sight."""
    latency_ms: float | None
    started_ns: int
    ended_ns: int
    blocked_by: int | None = None

    @property
    def status(self) -> int:
        """The answer's status; 0 where none came."""
        return self.answer.status if self.answer else 0

    @property
    def telling(self) -> bool:
        """Whether it is worth keeping for itself."""
        usual = self.kind == UNEQUAL and self.item.equals >= USUALLY
        return usual or self.kind in (DIFFERENT, ERROR)


@dataclass(slots=True)
class Sample:
    """A session whose answers are all kept."""

    clone: int
    session: LiveSession
    kept: list[Kept] = field(default_factory=list)
    size: int = 0
    first: bool = False
    """Whether it is the first clone of its session, which is never given up."""
    whole: bool = True
    """False where bytes ran out."""


@dataclass(slots=True)
class Samples:
    """What one worker keeps."""

    chance: Random
    firsts: list[Sample] = field(default_factory=list)
    others: list[Sample] = field(default_factory=list)
    suspects: list[tuple[int, LiveSession, Kept]] = field(default_factory=list)
    size: int = 0
    full: bool = False
    """Whether something was not kept for want of memory."""
    _answers: int = 0
    _seen: int = 0

    def wants(self, first: bool, length: int) -> bool:
        """Whether a session that begins is to be kept."""
        if self.size >= BYTES:
            self.full = True
            return False
        if first:
            return True
        self._seen += 1
        if self._answers + length <= ANSWERS:
            return True
        return self.chance.random() * self._seen < len(self.others)

    def add(self, sample: Sample) -> None:
        """Hold a session that has ended, in the place of another one where there is no room."""
        self.size += sample.size
        if sample.first:
            self.firsts.append(sample)
            return
        self.others.append(sample)
        self._answers += len(sample.kept)
        while self._answers > ANSWERS:
            self._give_up()

    def suspect(self, clone: int, session: LiveSession, kept: Kept) -> None:
        """Hold one answer."""
        self.suspects.append((clone, session, kept))
        kept.item.suspects[kept.status] += 1
        self.size += _size(kept)

    def room(self, item: Item, status: int) -> bool:
        """Whether another suspect answer of an exchange may be held; one status takes no room from another."""
        return item.suspects[status] < SUSPECTS and self.size < BYTES

    def __iter__(self) -> Iterator[tuple[LiveSession, list[Kept], bool]]:
        """Everything held, session by session, and whether that is all that a session was answered."""
        for sample in (*self.firsts, *self.others):
            yield sample.session, sample.kept, True
        for _, session, kept in self.suspects:
            yield session, [kept], False

    def _give_up(self) -> None:
        gone = self.others.pop(self.chance.randrange(len(self.others)))
        self._answers -= len(gone.kept)
        self.size -= gone.size
        for kept in gone.kept:
            if kept.telling and self.room(kept.item, kept.status):
                self.suspect(gone.clone, gone.session, kept)


def keep(sample: Sample, kept: Kept) -> None:
    """Add an answer to a session that is kept."""
    sample.kept.append(kept)
    sample.size += _size(kept)


def _size(kept: Kept) -> int:
    return kept.answer.size if kept.answer else 200
