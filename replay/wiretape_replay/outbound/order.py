"""Calls that one exchange made in another order than recorded, where the recorded order was no accident. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from wiretape_replay.match.index import Key
from wiretape_replay.outbound.calls import Call

WAITED_NS = 5_000_000
"""A call that began only after another had taken this long was waiting for it; two at once begin closer together."""
AGREEING = 5
"""So many exchanges that all have one order show it even where calls were short."""


@dataclass(frozen=True, slots=True)
class Swap:
    """Two calls of one exchange that changed places."""

    owner: int
    first: Call
    """Recorded first."""
    second: Call


def swaps(pairs: Iterable[tuple[Call, Call]], recorded: Iterable[Call], routes: Mapping[int, str]) -> list[Swap]:
    """Swaps of which one call writes, in exchanges that are known to have made both."""
    order = _Order(recorded, routes)
    by_owner: dict[int, list[tuple[Call, Call]]] = {}
    for was, now in pairs:
        if was.owner is not None and was.owner == now.owner:
            by_owner.setdefault(was.owner, []).append((was, now))
    return [swap for owner, made in by_owner.items() for swap in _nearest(owner, made, order)]


def _nearest(owner: int, made: list[tuple[Call, Call]], order: _Order) -> list[Swap]:
    """Of a call that moved past several, only the swap with the call it stood next to."""
    once = sorted(_first_of_each(made), key=lambda pair: pair[0].started_ns)
    found: list[tuple[int, Swap]] = []
    for at, (was, now) in enumerate(once):
        for distance, (other_was, other_now) in enumerate(once[at + 1 :], 1):
            if now.started_ns > other_now.started_ns and order.matters(was, other_was):
                found.append((distance, Swap(owner, was, other_was)))
    least = min((distance for distance, _ in found), default=0)
    return [swap for distance, swap in found if distance == least]


def _first_of_each(made: Iterable[tuple[Call, Call]]) -> list[tuple[Call, Call]]:
    """The first attempt of each call on either side."""
    by_key: dict[Key, list[tuple[Call, Call]]] = {}
    for pair in made:
        by_key.setdefault(pair[0].key, []).append(pair)
    return [(min((was for was, _ in some), key=_start), min((now for _, now in some), key=_start))
            for some in by_key.values()]  # fmt: skip


class _Order:
    """Which calls the exchanges of a route make one after the other."""

    def __init__(self, recorded: Iterable[Call], routes: Mapping[int, str]) -> None:
        self._routes = routes
        self._made: dict[tuple[str, str], dict[int, list[Call]]] = {}
        for call in recorded:
            if call.owner is not None:
                made = self._made.setdefault((routes[call.owner], call.place), {})
                made.setdefault(call.owner, []).append(call)
        self._known: dict[tuple[str, str, str], bool] = {}

    def matters(self, first: Call, second: Call) -> bool:
        """Whether the second call waited for the first, wherever both were recorded."""
        if not (first.writes or second.writes) or first.owner is None:
            return False
        key = (self._routes[first.owner], first.place, second.place)
        if not (first.specific and second.specific) and self._together(key) < 2:
            return False  # one of them may be a timer's that happened to fall here
        if key not in self._known:
            self._known[key] = self._is_kept(key) if first.place != second.place else self._one_by_one(key)
        waited = _waited(first, second) if first.place == second.place else first.ended_ns <= second.started_ns
        return self._known[key] and waited

    def _together(self, key: tuple[str, str, str]) -> int:
        route, first, second = key
        return len(self._made[route, first].keys() & self._made[route, second].keys())

    def _one_by_one(self, key: tuple[str, str, str]) -> bool:
        calls = [sorted(made, key=_start) for made in self._made[key[:2]].values()]
        return not any(overlap(a, b) for made in calls for a, b in pairwise(made))

    def _is_kept(self, key: tuple[str, str, str]) -> bool:
        route, first, second = key
        one, other = self._made[route, first], self._made[route, second]
        together = [(one[owner], other[owner]) for owner in one.keys() & other.keys()]
        if any(overlap(a, b) for before, after in together for a in before for b in after):
            return False
        if any(min(after, key=_start).started_ns < min(before, key=_start).started_ns for before, after in together):
            return False
        waited = any(_waited(a, b) for before, after in together for a in before for b in _later(a, after))
        return waited or len(together) >= AGREEING


def _start(call: Call) -> int:
    return call.started_ns


def _later(call: Call, others: Iterable[Call]) -> Iterator[Call]:
    return (other for other in others if other.started_ns > call.started_ns)


def _waited(first: Call, second: Call) -> bool:
    if first.ended_ns > second.started_ns:
        return False
    # On one connection to a database the next statement of an app that does not pipeline follows an answer.
    together = bool(first.lane) and first.lane == second.lane
    return together or first.ended_ns - first.started_ns >= WAITED_NS


def overlap(one: Call, other: Call) -> bool:
    """Whether both were under way at once."""
    return one.started_ns < other.ended_ns and other.started_ns < one.ended_ns
