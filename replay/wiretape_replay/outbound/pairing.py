"""Pairs each live call with a recorded call of the same request: what is left over on either side was not as recorded.

A call counts for an exchange that may have made it; one that only moved to another exchange, as the filling of a cache
does under concurrency, is paired too. Pure.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice

from wiretape_replay.match.index import Key
from wiretape_replay.outbound.calls import Call

NOBODY = 0
"""Stands for the owner of calls outside of every exchange."""
BACKGROUND_LAST = 1_000
LOOKED_AT = 64
"""Recorded calls of one request and one exchange that are looked at for one live call."""


@dataclass(slots=True)
class Pairing:
    """What came of it."""

    pairs: list[tuple[Call, Call]] = field(default_factory=list)
    """Recorded and live."""
    unmade: list[Call] = field(default_factory=list)
    """Recorded calls without a live one."""
    extra: list[Call] = field(default_factory=list)
    """Live calls of recorded requests, beyond what was recorded."""
    missed: list[Call] = field(default_factory=list)
    """Live calls that no recording answers."""
    _made: dict[Key, list[Call]] = field(default_factory=dict)

    def made(self, key: Key) -> list[Call]:
        """Live calls of one recorded request, in time."""
        if not self._made:
            for call in sorted((*(now for _, now in self.pairs), *self.extra), key=lambda call: call.started_ns):
                self._made.setdefault(call.key, []).append(call)
        return self._made.get(key, [])


def pair(recorded: Iterable[Call], live: Iterable[Call]) -> Pairing:
    """Pair the calls of a run."""
    result = Pairing()
    slots = _by_key(recorded)
    for key, calls in _by_key(live).items():
        known = slots.pop(key, [])
        if not known:
            result.missed += calls
            continue
        shelf = _Shelf(known)
        moved = [call for call in calls if not shelf.take(call)]
        free = shelf.free()
        result.extra += [call for call in moved if not shelf.take_of(_moved(free, call), call)]
        result.pairs += shelf.pairs()
        result.unmade += shelf.free()
    for unasked in slots.values():
        result.unmade += unasked
    for rest in (result.unmade, result.extra, result.missed):
        rest.sort(key=lambda call: call.started_ns)
    return result


class _Shelf:
    """The recorded calls of one request, by who made them, and the live calls that took them."""

    def __init__(self, slots: Sequence[Call]) -> None:
        self._all = slots
        self._taken: dict[int, tuple[Call, Call]] = {}
        self._by_owner: dict[int, list[Call]] = {}
        self._free: dict[int, deque[Call]] = {}
        for slot in slots:
            for owner in slot.owners or (NOBODY,):
                self._by_owner.setdefault(owner, []).append(slot)
                self._free.setdefault(owner, deque()).append(slot)

    def take(self, call: Call) -> bool:
        """Pair a live call with a recorded one of whoever may have made it."""
        return self.take_of(self._own(call), call) or self._make_room(call)

    def take_of(self, slots: Sequence[Call], call: Call) -> bool:
        """Pair it with one of these recorded calls."""
        slots = [slot for slot in slots if _may_stand_for(slot, call)]
        if not slots:
            return False
        # What nobody else may have made goes first: the rest is left to those who may have made it, too.
        slot = min(slots, key=lambda slot: (len(slot.owners), slot.sequence != call.sequence, slot.started_ns))
        self._taken[id(slot)] = slot, call
        return True

    def _own(self, call: Call) -> list[Call]:
        """Free recorded calls of whoever may have made this one."""
        found: list[Call] = []
        for owner in call.owners or (NOBODY,):
            slots = self._free.get(owner, deque())
            while slots and id(slots[0]) in self._taken:
                slots.popleft()
            found += [slot for slot in islice(slots, LOOKED_AT) if id(slot) not in self._taken]
        return found

    def _make_room(self, call: Call) -> bool:
        """Have others take other recorded calls, so that one is left: an augmenting path of least length."""
        came_from: dict[int, tuple[Call, int]] = {}
        waiting = deque([(call, 0)])
        while waiting and len(came_from) < LOOKED_AT:
            one, through = waiting.popleft()
            for slot in self._of(one):
                if id(slot) in came_from:
                    continue
                came_from[id(slot)] = one, through
                if id(slot) not in self._taken:
                    self._shift(slot, came_from)
                    return True
                waiting.append((self._taken[id(slot)][1], id(slot)))
        return False

    def _of(self, call: Call) -> Iterator[Call]:
        """Recorded calls of whoever may have made this one, taken or not."""
        slots = chain.from_iterable(self._by_owner.get(owner, ()) for owner in call.owners or (NOBODY,))
        return (slot for slot in islice(slots, LOOKED_AT) if _may_stand_for(slot, call))

    def _shift(self, slot: Call, came_from: Mapping[int, tuple[Call, int]]) -> None:
        call, before = came_from[id(slot)]
        if before:
            self._shift(self._taken[before][0], came_from)
        self._taken[id(slot)] = slot, call

    def free(self) -> list[Call]:
        """Recorded calls that have no live one."""
        return [slot for slot in self._all if id(slot) not in self._taken]

    def pairs(self) -> Iterable[tuple[Call, Call]]:
        """Recorded and live."""
        return self._taken.values()


def _may_stand_for(slot: Call, call: Call) -> bool:
    """A write that succeeded does not stand for an attempt that failed."""
    return call.failed or not (slot.writes and slot.failed)


def _moved(free: list[Call], call: Call) -> list[Call]:
    """The first free recorded call of another exchange whose place this one may have taken; it is used up."""
    for at, slot in enumerate(free):
        if _may_have_moved(slot, call) and _may_stand_for(slot, call):
            return [free.pop(at)]
    return []


def _by_key(calls: Iterable[Call]) -> dict[Key, list[Call]]:
    """The surest first, then in time."""
    found: dict[Key, list[Call]] = {}
    for call in sorted(calls, key=lambda call: (len(call.owners) or BACKGROUND_LAST, call.started_ns)):
        found.setdefault(call.key, []).append(call)
    return found


def _may_have_moved(slot: Call, call: Call) -> bool:
    """Whether another exchange may make the call as well: reads fill caches, and what is nobody's may be anyone's."""
    certain = len(slot.owners) == 1 and len(call.owners) == 1
    return not certain or not slot.writes or not slot.specific
