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
type Place = tuple[int, ...]
"""A service and the paths below it down to one, each by its number."""


class Rung(Protocol):
    """One recorded answer to a request that was sent several times."""

    @property
    def sequence(self) -> int: ...

    @property
    def after(self) -> int:
        """Sequence of the last related write recorded before it; 0 for none."""
        ...


class Places:
    """Numbers places, so that looking one up costs no hashing of texts."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[int, str], int] = {}

    def of(self, service: str, segments: Sequence[str]) -> Place:
        """The place that a path names; a trailing slash names the same."""
        numbers, at = self._numbers, 0
        place = []
        for step in (service, *segments):
            if step:
                at = numbers.setdefault((at, step), len(numbers) + 1)
                place.append(at)
        return tuple(place)


@dataclass(slots=True)
class Marks:
    """The last write at each place and below it. Two places are related when one lies on the way to the other."""

    at: dict[int, int] = field(default_factory=dict)
    below: dict[int, int] = field(default_factory=dict)
    _inside: dict[int, set[int]] = field(default_factory=dict)
    """By place, the marked places that are it or below it."""

    def state(self, place: Place) -> int:
        """Sequence of the last write related to a place."""
        at = self.at
        if not at:
            return 0
        last = self.below.get(place[-1], 0)
        for each in place:
            mark = at.get(each, 0)
            if mark > last:
                last = mark
        return last

    def state_of(self, places: Sequence[Place]) -> int:
        """Sequence of the last write related to any of several places."""
        return self.state(places[0]) if len(places) == 1 else max(map(self.state, places))

    def write(self, place: Place, sequence: int) -> None:
        """A recorded write has arrived."""
        here = place[-1]
        if here not in self.at:
            for number, each in enumerate(place):
                self._inside.setdefault(each, set()).update(place[number:])
        if sequence > self.at.get(here, 0):
            self.at[here] = sequence
        below = self.below
        for each in place:
            if sequence > below.get(each, 0):
                below[each] = sequence

    def rewind(self, place: Place, sequence: int) -> None:
        """A write comes round again: what related places saw after it has not happened yet."""
        for each in {*place, *self._inside.get(place[-1], ())}:
            for marks in (self.at, self.below):
                if marks.get(each, 0) > sequence:
                    marks[each] = sequence


def related(one: Place, other: Place) -> bool:
    """Whether a write at one place can change what is read at the other."""
    at = min(len(one), len(other)) - 1
    return one[at] == other[at]


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
    begin, end = _epoch(rungs, state)
    first = first_fresh(rungs, begin, end, served)
    return Choice(first) if first is not None else when_given(rungs, begin, end, at_end)


def when_given[R: Rung](rungs: Sequence[R], begin: int, end: int, at_end: AtEnd) -> Choice[R] | None:
    """What follows once all answers of a state were given."""
    if end < len(rungs) or at_end == "repeat":
        return Choice(rungs[end - 1])
    forget = frozenset(rung.sequence for rung in rungs[begin:end])
    return Choice(rungs[begin], forget) if at_end == "cycle" else None


def settled[R: Rung](rungs: Sequence[R], rung: R, served: Container[int]) -> bool:
    """Whether `rung`, just chosen and served, stays the answer for good while the last one repeats.

    It is the last of its ladder, so no later write leads to another, and no other answer of its state is left.
    """
    if rung is not rungs[-1]:
        return False
    return len(rungs) == 1 or first_fresh(rungs, *_epoch(rungs, rung.after), served) is None


def _epoch(rungs: Sequence[Rung], state: int) -> tuple[int, int]:
    """Begin and end of the answers of the state that was reached."""
    if len(rungs) == 1:
        return 0, 1
    if len(rungs) <= LINEAR:
        return _short_epoch(rungs, state)
    epoch = rungs[max(bisect_right(rungs, state, key=_after) - 1, 0)].after
    return bisect_left(rungs, epoch, key=_after), bisect_right(rungs, epoch, key=_after)


def _short_epoch(rungs: Sequence[Rung], state: int) -> tuple[int, int]:
    """The same for a few, without a function call for each."""
    begin, epoch = 0, rungs[0].after
    for at, rung in enumerate(rungs):
        after = rung.after
        if after == epoch:
            continue
        if after > state:
            return begin, at
        begin, epoch = at, after
    return begin, len(rungs)


def _after(rung: Rung) -> int:
    return rung.after


def first_fresh[R: Rung](rungs: Sequence[R], begin: int, end: int, served: Container[int]) -> R | None:
    """The first answer not yet given; in a long ladder, which is served from the front, found by halves."""

    def fresh(rung: R) -> bool:
        return rung.sequence not in served

    start = bisect_left(rungs, True, begin, end, key=fresh) if end - begin > LINEAR else begin
    for at in range(start, end):
        if rungs[at].sequence not in served:
            return rungs[at]
    return None
