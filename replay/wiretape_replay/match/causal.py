"""Which of several recorded answers is due: order within one state of the service, and what moves that state on.

The state of a place is the last write, recorded on a related path, that has arrived. An answer recorded after a
write is not served before it (design §6). Pure; who asks and how a request was recognised is decided elsewhere.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

LINEAR = 64
"""Answers of one state that are looked through one by one."""

type AtEnd = Literal["repeat", "cycle", "fail"]
type Place = tuple[str, ...]
"""A service and the segments of a path below it."""


class Rung(Protocol):
    """One recorded answer to a request that was sent several times."""

    @property
    def sequence(self) -> int: ...

    @property
    def after(self) -> int:
        """Sequence of the last related write recorded before it; 0 for none."""
        ...


@dataclass(slots=True)
class Marks:
    """The last write at each place and below it. Two paths are related when one starts with the other."""

    at: dict[Place, int] = field(default_factory=dict)
    below: dict[Place, int] = field(default_factory=dict)

    def state(self, place: Place) -> int:
        """Sequence of the last write related to a place."""
        return max(self.below.get(place, 0), *(self.at.get(prefix, 0) for prefix in prefixes(place)))

    def write(self, place: Place, sequence: int) -> None:
        """A recorded write has arrived."""
        self.at[place] = max(sequence, self.at.get(place, 0))
        for prefix in prefixes(place):
            self.below[prefix] = max(sequence, self.below.get(prefix, 0))

    def rewind(self, place: Place, sequence: int) -> None:
        """A write comes round again: what related places saw after it has not happened yet."""
        for marks in (self.at, self.below):
            for other in [other for other in marks if related(other, place)]:
                marks[other] = min(marks[other], sequence)


def prefixes(place: Place) -> list[Place]:
    """The place and all places above it, down to the service's root."""
    return [place[:length] for length in range(1, len(place) + 1)]


def related(one: Place, other: Place) -> bool:
    """Whether a write at one place can change what is read at the other."""
    length = min(len(one), len(other))
    return one[:length] == other[:length]


def place_of(service: str, segments: Sequence[str]) -> Place:
    """The place that a path names; a trailing slash names the same."""
    return (service, *(segment for segment in segments if segment))


@dataclass(frozen=True, slots=True)
class Choice[R: Rung]:
    """The answer that is due."""

    rung: R
    forget: frozenset[int] = frozenset()
    """Sequences that count as not served again, because the ladder begins anew with this answer."""


def choose[R: Rung](rungs: Sequence[R], state: int, served: Container[int], at_end: AtEnd) -> Choice[R] | None:
    """The recorded answer due in a state; None when all were given and `at_end` is `fail`.

    Rungs are those of one session in recorded order, so `after` never decreases. Inside one state answers advance in
    order and the last one repeats. Where nothing was recorded before the first write, the earliest answer is given:
    nothing else is known.
    """
    reached = bisect_right(rungs, state, key=_after)
    epoch = rungs[max(reached - 1, 0)].after
    begin, end = bisect_left(rungs, epoch, key=_after), bisect_right(rungs, epoch, key=_after)
    first = _first_fresh(rungs, begin, end, served)
    if first is not None:
        return Choice(first)
    if end < len(rungs) or at_end == "repeat":
        return Choice(rungs[end - 1])
    forget = frozenset(rung.sequence for rung in rungs[begin:end])
    return Choice(rungs[begin], forget) if at_end == "cycle" else None


def _after(rung: Rung) -> int:
    return rung.after


def _first_fresh[R: Rung](rungs: Sequence[R], begin: int, end: int, served: Container[int]) -> R | None:
    """The first answer not yet given; in a long ladder, which is served from the front, found by halves."""

    def fresh(rung: R) -> bool:
        return rung.sequence not in served

    start = bisect_left(rungs, True, begin, end, key=fresh) if end - begin > LINEAR else begin
    return next((rungs[at] for at in range(start, end) if fresh(rungs[at])), None)
