"""What the recording proves about an app's calls: how often each exchange made them, and which it can do without.

An app that remembers (a cache, a token, a pool) makes fewer calls for the same request; one with timers makes calls for
no request. Both show in the recording, and neither is a fault. Pure.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import ceil, comb

from wiretape_replay.match.index import Key
from wiretape_replay.outbound.calls import Call

SURE = 0.001
"""Largest probability at which chance is ruled out."""
EVEN = 1e-6
"""What sums of thirds may be off."""
TWINS = 500
"""Exchanges of the same route that are looked at."""


@dataclass(frozen=True, slots=True)
class Handled:
    """One inbound exchange as it was recorded, and whether it came to the same end in the run."""

    sequence: int
    route: str
    status: str
    values: frozenset[str]
    answered: bool
    """It was replayed, and its live status is of the recorded class."""
    live_from_ns: int = 0
    live_until_ns: int = 0
    until_ns: int = 0
    """When its recorded answer had come."""
    from_ns: int = 0
    """When it was recorded to begin."""


@dataclass(slots=True)
class Tally:
    """How often each exchange made each call: surely, and at most."""

    places: Counter[tuple[int, str]] = field(default_factory=Counter)
    keys: Counter[tuple[int, Key]] = field(default_factory=Counter)
    most_places: Counter[tuple[int, str]] = field(default_factory=Counter)
    most_keys: Counter[tuple[int, Key]] = field(default_factory=Counter)

    @classmethod
    def of(cls, calls: Iterable[Call]) -> Tally:
        """Count calls."""
        tally = cls()
        for call in calls:
            for owner in call.owners:
                tally.most_places[owner, call.place] += 1
                tally.most_keys[owner, call.key] += 1
            if call.owner is not None:
                tally.places[call.owner, call.place] += 1
                tally.keys[call.owner, call.key] += 1
        return tally


@dataclass(slots=True)
class Evidence:
    """The recording and the run side by side."""

    handled: Mapping[int, Handled]
    recorded: Sequence[Call]
    live: Sequence[Call]
    perishable: Collection[str]
    """Places whose answers are credentials or have an end: called again when that is over."""
    cold: bool
    """The app was started for this run, so that it remembers nothing from before."""
    until_ns: int = 0
    """When the last was heard of the run."""
    discarded: Sequence[Call] = ()
    """Transactions of Redis that did not come to their EXEC in the run; their status says how."""
    by_route: dict[str, list[Handled]] = field(default_factory=dict)
    was: Tally = field(default_factory=Tally)
    now: Tally = field(default_factory=Tally)
    timed: frozenset[str] = frozenset()
    """Places that are called outside of any request with nothing of one: by timers and threads, at start-up."""
    by_sequence: dict[int, Call] = field(default_factory=dict)
    """Recorded calls."""
    by_key: dict[Key, list[Call]] = field(default_factory=dict)
    """Recorded calls of the same request, in time."""
    _made: dict[int, set[str]] = field(default_factory=dict)
    """Places that each exchange surely called in the run."""
    _groups: dict[str, dict[int, frozenset[int]]] = field(default_factory=dict)
    _together: dict[tuple[str, frozenset[int]], tuple[tuple[int, ...], int, int]] = field(default_factory=dict)
    _places: dict[str, tuple[list[Call], list[Call]]] = field(default_factory=dict)
    _making: dict[str, set[str]] = field(default_factory=dict)
    """Routes that surely make the calls of a place in the run."""
    _by_owner: dict[tuple[int, str, bool], list[Call]] = field(default_factory=dict)
    _most: dict[tuple[str, Key], int] = field(default_factory=dict)
    _most_at: dict[tuple[str, str], int] = field(default_factory=dict)
    _remembered: dict[Key, bool] = field(default_factory=dict)
    _sometimes: dict[Key, bool] = field(default_factory=dict)
    _gaps: dict[Key, int | None] = field(default_factory=dict)
    _starts: dict[Key, list[int]] = field(default_factory=dict)
    _live_starts: dict[Key, list[int]] = field(default_factory=dict)
    _live_by_key: dict[Key, list[Call]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for one in self.handled.values():
            self.by_route.setdefault(one.route, []).append(one)
        self.was, self.now = Tally.of(self.recorded), Tally.of(self.live)
        self.timed = frozenset(call.place for call in (*self.recorded, *self.live)
                               if not call.specific and (call.left or not call.owners))  # fmt: skip
        self.by_sequence = {call.sequence: call for call in self.recorded}
        for (owner, place), share in shares((call, call.place) for call in self.recorded).items():
            at = self.handled[owner].route, place
            self._most_at[at] = max(self._most_at.get(at, 0), share)
        for owner, place in self.now.places:
            self._made.setdefault(owner, set()).add(place)
        for calls, starts, side in ((self.recorded, self._starts, 0), (self.live, self._live_starts, 1)):
            for call in sorted(calls, key=lambda call: call.started_ns):
                starts.setdefault(call.key, []).append(call.started_ns)
                self._places.setdefault(call.place, ([], []))[side].append(call)
                (self.by_key, self._live_by_key)[side].setdefault(call.key, []).append(call)

    def again(self) -> Evidence:
        """Counted anew, after owners of calls have changed."""
        return Evidence(self.handled, self.recorded, self.live, self.perishable, self.cold, self.until_ns,
                        self.discarded)  # fmt: skip

    def interchangeable(self, call: Call) -> Iterator[Call]:
        """Other calls of the same request in the run, of whoever may have made this one."""
        same = self._live_by_key.get(call.key, ())
        return (one for one in same if one is not call and not one.owners.isdisjoint(call.owners))

    def calls_of(self, owner: int, place: str, *, live: bool = False) -> Sequence[Call]:
        """The calls of one place that an exchange surely made, as recorded or in the run."""
        if not self._by_owner:
            for calls, side in ((self.recorded, False), (self.live, True)):
                for call in calls:
                    if call.owner is not None:
                        self._by_owner.setdefault((call.owner, call.place, side), []).append(call)
        return self._by_owner.get((owner, place, live), ())

    def together(self, call: Call) -> tuple[tuple[int, ...], int, int]:
        """The exchanges among which the calls of this place cannot be told apart; how many were recorded, and made."""
        place = call.place
        if place not in self._groups:
            self._group(place)
        group = self._groups[place][min(call.owners)]
        return self._together[place, group]

    def _group(self, place: str) -> None:
        was, now = self._places[place]
        groups = self._groups[place] = grouped(one.owners for one in (*was, *now))
        recorded, live = (Counter(groups[min(one.owners)] for one in calls if one.owners) for calls in (was, now))
        for group in {*recorded, *live}:
            self._together[place, group] = (tuple(sorted(group)), recorded[group], live[group])

    def twins(self, one: Handled) -> list[Handled]:
        """Other recorded exchanges of the same route that ended alike."""
        alike = (other for other in self.by_route[one.route][: TWINS + 1] if other.status == one.status)
        return [other for other in alike if other is not one]

    def may_be_remembered(self, call: Call, owner: Handled) -> bool:
        """Whether the recording has the same request answered without this call, or nothing speaks against it.

        A write that was not made is excused only by a request that made no such write and whose other calls these are:
        one that found its answer in a cache says nothing about one that did not, and then did not fill it; nor does
        one that filled it with something else.
        """
        carried = call.values & owner.values
        if not carried and not self.cold:
            return True
        return any(
            carried <= twin.values and not self.was.most_keys[twin.sequence, call.key]
            and ((carried and not call.writes) or not self.was.most_places[twin.sequence, call.place])
            and (not call.writes or self._calls_like(owner, twin))
            for twin in self.twins(owner)
        )  # fmt: skip

    def _calls_like(self, owner: Handled, twin: Handled) -> bool:
        """Whether an exchange made no call in the run that the recording of another one is without."""
        return all(self.was.most_places[twin.sequence, place] for place in self._made.get(owner.sequence, ()))

    def done_without_by_another(self, call: Call) -> bool:
        """Whether each exchange that made no such call in the run can do without it.

        Several found a cache empty when recorded, and not all of them now. Which of them a call belongs to is not
        always sure, so that the one that is left over may be another's than that of the one that did without.
        """
        among = set(self.together(call)[0])
        recorded = [one for one in self.by_key.get(call.key, ()) if one.owners and one.owners <= among]
        owners = frozenset[int]().union(*(one.owners for one in recorded))
        without = len(owners) - self._made_by(call.key, owners)
        able = sum(self.may_be_remembered(call, self.handled[owner]) for owner in owners)
        return 0 < without <= able

    def who_left_out(self, call: Call) -> frozenset[int]:
        """Of the exchanges that may have made a recorded call, those of routes that surely make none in the run.

        All of them where that is no route's, or every one's.
        """
        if call.place not in self._making:
            lives = self._places[call.place][1]
            routes = ({self.handled[owner].route for owner in one.owners} for one in lives)
            self._making[call.place] = {route for some in routes if len(some) == 1 for route in some}
        making = self._making[call.place]
        left = frozenset(owner for owner in call.owners if self.handled[owner].route not in making)
        return left or call.owners

    def asked_too_soon(self, call: Call, owner: Handled) -> bool:
        """Whether the app asked the same so short a time ago that the recording has no request repeated that soon."""
        starts = self._live_starts.get(call.key, [])
        before = bisect_right(starts, owner.live_until_ns)
        if not before:
            return False
        shortest = self._shortest_gap(call.key)
        return shortest is None or owner.live_from_ns - starts[before - 1] < shortest

    def _shortest_gap(self, key: Key) -> int | None:
        if key not in self._gaps:
            self._gaps[key] = min((b - a for a, b in pairwise(self._starts[key])), default=None)
        return self._gaps[key]

    def most(self, route: str, key: Key) -> int:
        """How often one recorded exchange of a route made the same call at most."""
        if (route, key) not in self._most:
            self._most[route, key] = max(
                (self.was.keys[one.sequence, key] or bool(self.was.most_keys[one.sequence, key])
                 for one in self.by_route.get(route, ())), default=0,
            )  # fmt: skip
        return self._most[route, key]

    def most_at(self, route: str, place: str) -> int:
        """How often one recorded exchange of a route called a place at most; what several may have made is shared."""
        return self._most_at.get((route, place), 0)

    def remembered(self, call: Call) -> bool:
        """Whether the recording shows that the answer to this read is kept: asked for the same, a route did without."""
        if call.key not in self._remembered:
            self._remembered[call.key] = any(
                self.may_be_remembered(one, self.handled[owner])
                for one in self.by_key.get(call.key, ()) for owner in one.owners
            )  # fmt: skip
        return self._remembered[call.key]

    def raced(self, call: Call) -> bool:
        """Whether an exchange that was handled at the same time made the same call: both found a cache empty."""
        mine = [self.handled[one] for one in call.owners]
        return any(
            one is not call and (len(call.owners) > 1 or call.owners != one.owners)
            and any(_met(self.handled[other], own) for other in one.owners for own in mine)
            for one in self._live_by_key.get(call.key, ())
        )  # fmt: skip

    def fills(self, call: Call) -> bool:
        """Whether a write is what another request for the same did when recorded.

        That one does it no more then, or two did at the same time: who finds a cache empty fills it.
        """
        owners = self.together(call)[0]
        same = [self._same(call, self.handled[owner]) for owner in owners]
        did = [self._did(call, alike) for alike in same]
        already = all(self.was.keys[owner, call.key] for owner in owners)
        if already or not call.specific or not all(did) or self._made_by(call.key, owners) > sum(did):
            return False
        asked = {one.sequence for alike in same for one in alike if one.live_from_ns}
        was = sum(not one.owners.isdisjoint(asked) for one in self.by_key.get(call.key, ()))
        return self._made_by(call.key, asked) <= was or self.raced(call)

    def _made_by(self, key: Key, owners: Collection[int]) -> int:
        """How many calls of the run any of some exchanges may have made."""
        return sum(not one.owners.isdisjoint(owners) for one in self._live_by_key.get(key, ()))

    def _same(self, call: Call, owner: Handled) -> list[Handled]:
        """An exchange and those that were asked for the same, as far as this call says it."""
        carried = call.values & owner.values
        return [one for one in (owner, *self.twins(owner)) if carried <= one.values]

    def _did(self, call: Call, alike: Iterable[Handled]) -> int:
        """How often one of them made this call at most when recorded."""
        most = [(self.was.keys[one.sequence, call.key], self.was.most_keys[one.sequence, call.key]) for one in alike]
        return max(surely or min(at_most, 1) for surely, at_most in most)

    def only_sometimes(self, key: Key) -> bool:
        """Whether exchanges of a route that makes this call do without it."""
        if key not in self._sometimes:
            routes = {self.handled[owner].route for call in self.by_key.get(key, ()) for owner in call.owners}
            self._sometimes[key] = any(not self.was.most_keys[one.sequence, key]
                                       for route in routes for one in self.by_route[route])  # fmt: skip
        return self._sometimes[key]

    def more_exchanges_call(self, route: str, place: str) -> tuple[list[int], bool]:
        """The exchanges of a route that newly make a call, and whether that is more than chance."""
        judged = [one.sequence for one in self.by_route[route] if one.answered]
        was = [one for one in judged if self.was.most_places[one, place]]
        now = [one for one in judged if self.now.places[one, place]]
        sure = len(now) > len(was) and chance(len(now), len(was), len(judged)) < SURE
        return [one for one in now if one not in was], sure

    def often(self, route: str, place: str) -> str:
        """`made once in 14 of 14 recorded requests, twice in 3 of 14 replayed`."""
        judged = [one.sequence for one in self.by_route.get(route, ()) if one.answered]
        if not judged:
            return ""
        surely = sum(self.was.places[one, place] + self.now.places[one, place] for one in judged)
        at_most = sum(self.was.most_places[one, place] + self.now.most_places[one, place] for one in judged)
        if surely < at_most:
            return self._often_together(frozenset(judged), place)
        was = Counter(self.was.places[one, place] for one in judged)
        now = Counter(self.now.places[one, place] for one in judged)
        usual, times = was.most_common(1)[0]
        other = next((count for count, _ in now.most_common() if count != usual), usual)
        told = f"made {often(usual)} in {times} of {len(judged)} recorded requests"
        return f"{told}, {often(other)} in {now[other]} of {len(judged)} replayed"

    def _often_together(self, judged: frozenset[int], place: str) -> str:
        """The same where several requests were under way at once."""
        was, now = (sum(1 for call in calls if call.owners & judged) for calls in self._places[place])
        return f"made {often(was)} in {len(judged)} recorded requests, {often(now)} in {len(judged)} replayed"


def shares(calls: Iterable[tuple[Call, str]]) -> dict[tuple[int, str], int]:
    """Calls by exchange and name; of those that several may have made each has its share, rounded up."""
    found: dict[tuple[int, str], float] = {}
    for call, name in calls:
        for owner in call.owners:
            found[owner, name] = found.get((owner, name), 0.0) + 1 / len(call.owners)
    return {at: ceil(share - EVEN) for at, share in found.items()}


def _met(one: Handled, other: Handled) -> bool:
    return one.live_from_ns < other.live_until_ns and other.live_from_ns < one.live_until_ns


def often(times: int) -> str:
    """`never`, `once`, `twice`, `3 times`."""
    return {0: "never", 1: "once", 2: "twice"}.get(times, f"{times} times")


def recorded_often(times: int) -> str:
    """What is said of a call beside how often it is made now."""
    return f"recorded {often(times)}" if times else "which made no such call when it was recorded"


def chance(more: int, less: int, each: int) -> float:
    """One-sided Fisher exact test: the probability of at least `more` of `each` when both sides are alike."""
    both = more + less
    ways = sum(comb(each, k) * comb(each, both - k) for k in range(more, min(each, both) + 1))
    return ways / comb(2 * each, both) if both else 1.0


def grouped(sets: Iterable[frozenset[int]]) -> dict[int, frozenset[int]]:
    """The members of sets that overlap, directly or through others, by each of them."""
    groups: dict[int, frozenset[int]] = {}
    for members in set(sets):
        joined = members.union(*(groups[one] for one in members if one in groups))
        groups.update(dict.fromkeys(joined, joined))
    return groups
