"""Which inbound exchange made a call: by trace id, by time, and what it says. What is ambiguous stays so. Pure."""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from wiretape_replay.match.index import Key
from wiretape_replay.outbound.calls import Call
from wiretape_replay.outbound.left import Left, Over, left_for_later
from wiretape_replay.outbound.likelihood import CLEARLY, likelihood, usual_share
from wiretape_replay.outbound.windows import NEARLY, Window, by_values, only_reads

DEFERRED_NS = 60_000_000_000
"""How long after its answer an exchange may still make calls that speak of it."""
DEFERRED_LOOKED_AT = 200
"""Exchanges that ended before a call and are looked at for its values."""
NEVER: Mapping[tuple[str, str], bool] = {}
ANY = ""
"""Stands for all routes together."""
DISTINCT = 4
"""Characters of a value that ties a call to an exchange which is over."""


def attribute_recorded(calls: Sequence[Call], windows: Sequence[Window]) -> None:
    """Set the owners of recorded calls."""
    by_sequence = {window.sequence: window for window in windows}
    by_end = sorted(windows, key=lambda window: window.ended_ns)
    writing = [window for window in by_end if not only_reads(window.route)]
    traced = _placed(calls, windows)
    usual = _usual(calls, by_sequence)
    over = Over(windows)
    later = left_for_later([call for call, known in zip(calls, traced, strict=True) if not known], over)
    alone = [call for call in calls if len(call.under_way) == 1 and call.place not in later.routes]
    first = _Habits.of(alone, by_sequence, usual)
    for call, known in zip(calls, traced, strict=True):
        owners = call.under_way
        if not known and (left := later.owners(call, over)):
            if not _speaks_of(call, left, by_sequence):
                left = _deferred(call, writing) or left
            call.owners, call.left, call.deferred = left, True, not left & owners
            continue
        if not known and not _speaks_of(call, owners, by_sequence):
            # Work that an exchange left for later may fall into another one.
            left = _deferred(call, by_end)
            writers = call.writes and any(usual.get((by_sequence[one].route, call.place)) for one in owners)
            if not (writers and all(only_reads(by_sequence[one].route) for one in left)):
                owners = left or owners
        call.deferred = not known and not owners & call.under_way
        call.owners = first.narrowed(call, owners, by_sequence)
    habits = _Habits.of(calls, by_sequence, usual)
    for call in calls:
        call.owners = habits.by_route(call, call.owners, by_sequence)
    _jointly(calls, by_sequence)
    for call in calls:
        call.specific = _speaks_of(call, call.owners, by_sequence)


def attribute_live(calls: Sequence[Call], windows: Sequence[Window], recorded: Sequence[Call]) -> None:
    """Set the owners of live calls; what a call asked for tells whose it is, as the recording knows that."""
    by_sequence = {window.sequence: window for window in windows}
    habits, asked = _Habits.of(recorded, by_sequence), _askers(recorded)
    later, over = Left.of(recorded, by_sequence), Over(windows)
    homes = {call.sequence: call.owners for call in recorded}
    specific = {key for call in recorded if call.specific for key in (call.key, call.exact)}
    traced = _placed(calls, windows)
    for call in calls:
        call.owners = habits.narrowed(call, call.under_way, by_sequence)
    _jointly(calls, by_sequence)
    told = {id(call.fate.transaction) for call in calls
            if call.fate is not None and _speaks_of(call, call.owners, by_sequence)}  # fmt: skip
    strays: list[Call] = []
    for call, known in zip(calls, traced, strict=True):
        if not known and call.place in later.routes:
            if call.missed or not asked.get(call.key):
                call.owners = later.owners(call, over) or call.owners
            else:
                strays.append(call)
        elif call.missed and len(call.owners) > 1:
            call.owners = (call.owners & homes.get(call.near, frozenset())) or call.owners
        elif known or call.key not in specific or _speaks_of(call, call.owners, by_sequence):
            continue
        elif call.fate is None or id(call.fate.transaction) not in told:
            own = call.under_way & asked.get(call.key, frozenset())
            if own:
                call.owners = own
            elif not any(habits.mute(by_sequence[one].route, call.place) for one in call.owners):
                strays.append(call)
    late = {id(call): later.owners(call, over) for call in strays if call.place in later.routes}
    _bring_home(strays, calls, recorded, by_sequence, habits.callers, late)
    for call in calls:
        speaks = _speaks_of(call, call.owners, by_sequence)
        call.specific = speaks or call.exact in specific or call.key in specific


def _placed(calls: Sequence[Call], windows: Sequence[Window]) -> list[bool]:
    """Set what was under way at each call; for each, whether its trace says so."""
    by_trace = _by_trace(windows)
    traced = [_by_its_trace(call, by_trace) for call in calls]
    for call, known, under_way in zip(calls, traced, _under_way(calls, windows), strict=True):
        call.under_way = known or under_way
    _within_transactions(calls)
    return list(map(bool, traced))


def _usual(calls: Sequence[Call], windows: Mapping[int, Window]) -> dict[tuple[str, str], bool]:
    """Routes that write, with the places of writes that are called in nearly each of their exchanges that ended alike;
    whether that is clearly not by chance, so that they surely call there."""
    within: dict[tuple[str, str, str], set[int]] = {}
    times: Counter[tuple[str, str]] = Counter()
    of, in_all = Counter(call.place for call in calls), Counter[str]()
    for call in calls:
        for one in call.under_way if call.writes else ():
            within.setdefault((*windows[one].ending, call.place), set()).add(one)
        routes = {windows[one].route for one in call.under_way}
        times.update((route, call.place) for route in routes)
        in_all.update(routes)
    exchanges = Counter(window.ending for window in windows.values())
    return {
        (route, place): likelihood(times[route, place], of[place], usual_share(
            in_all[route] - times[route, place], len(calls) - of[place])) > CLEARLY
        for (route, status, place), some in within.items()
        if len(some) >= NEARLY * exchanges[route, status] and not only_reads(route)
    }  # fmt: skip


def _within_transactions(calls: Sequence[Call]) -> None:
    """Statements of one transaction are one exchange's: of one that was under way at all of them."""
    for some in _transactions(calls):
        if owners := frozenset.intersection(*(call.under_way for call in some)):
            for call in some:
                call.under_way = owners


def _jointly(calls: Sequence[Call], windows: Mapping[int, Window]) -> None:
    """All of a transaction are those of whom most of its statements speak: a short value may be another's by chance."""
    for some in _transactions(calls):
        within = frozenset.intersection(*(call.under_way for call in some))
        among = [windows[one] for one in within]
        said = [by_values(call, among) & call.owners for call in some] if len(among) > 1 else []
        votes = Counter(owner for owners in said for owner in owners)
        votes = votes or Counter(owner for call in some for owner in call.owners & within)
        if votes:  # else it goes on from one request to the next: nobody ended it
            most = max(votes.values())
            for call in some:
                call.owners = frozenset(owner for owner, count in votes.items() if count == most)


def _transactions(calls: Iterable[Call]) -> Iterator[list[Call]]:
    """The statements of each transaction of several."""
    together: dict[int, list[Call]] = {}
    for call in calls:
        if call.fate is not None:
            together.setdefault(id(call.fate.transaction), []).append(call)
    return (some for some in together.values() if len(some) > 1)


@dataclass(frozen=True, slots=True)
class _Habits:
    """What the recording shows of the calls of each route."""

    callers: Mapping[str, set[str]]
    """By place: the routes that certainly make the call; else those that were under way at every one of them."""
    _said: Mapping[tuple[str, str], tuple[int, int]]
    """By route and place: how many of its certain calls there are, and how many say what the request was about."""
    _often: Collection[tuple[str, str]]
    """Routes that write, with the places that are called in nearly each of their exchanges, by whomever."""

    @classmethod
    def of(cls, calls: Iterable[Call], windows: Mapping[int, Window],
           usual: Mapping[tuple[str, str], bool] = NEVER) -> _Habits:  # fmt: skip
        """Those of recorded calls whose owners are known, or under way alone, and what routes usually call."""
        certain: dict[str, set[str]] = {}
        always: dict[str, set[str]] = {}
        said: dict[tuple[str, str], tuple[int, int]] = {}
        for call in calls:
            owners = call.owners or call.under_way
            routes = {windows[one].route for one in owners if one in windows}
            if len(owners) == 1 and routes:
                certain.setdefault(call.place, set()).update(routes)
                told = bool(windows[next(iter(owners))].said(call))
                for route in (*routes, ANY):
                    made, spoke = said.get((route, call.place), (0, 0))
                    said[route, call.place] = made + 1, spoke + told
            elif routes:
                always[call.place] = always.get(call.place, routes) & routes
        callers = always | certain
        for route, place in usual:
            if place in callers:
                callers[place].add(route)
        return cls(callers, said, usual)

    def mute(self, route: str, place: str) -> bool:
        """Whether calls of a route there mostly say nothing of the request: that one does not, then says nothing.

        Of a route that surely makes none, as those of others.
        """
        made, spoke = self._said.get((route, place)) or self._said.get((ANY, place), (0, 0))
        return made > 2 * spoke

    def by_route(self, call: Call, owners: frozenset[int], windows: Mapping[int, Window]) -> frozenset[int]:
        """Of several exchanges, those of a route that is known to make this call."""
        known = self.callers.get(call.place, set())
        return frozenset(one for one in owners if windows[one].route in known) or owners

    def narrowed(self, call: Call, owners: frozenset[int], windows: Mapping[int, Window]) -> frozenset[int]:
        """Of several exchanges those of whose requests it speaks most, and those whose calls never speak of them.

        A write that seems to be of a route which is not known to make it may be of one that nearly always has it, too.
        """
        owners = self._able(call, owners, windows)
        mute = frozenset(one for one in owners if self.mute(windows[one].route, call.place))
        said = _narrowed(call, owners - mute, windows) | mute
        by_route, known = self.by_route(call, said, windows), self.callers.get(call.place, set())
        often = frozenset(one for one in owners if (windows[one].route, call.place) in self._often)
        if not call.writes or by_route & often or any(windows[one].route in known for one in by_route):
            return by_route
        return by_route | often

    def _able(self, call: Call, owners: frozenset[int], windows: Mapping[int, Window]) -> frozenset[int]:
        """Of several exchanges, those that only read make no write which others alone are known to make."""
        known = self.callers.get(call.place, set())
        if not call.writes or not known or any(map(only_reads, known)):
            return owners
        return frozenset(one for one in owners if not only_reads(windows[one].route)) or owners


def _speaks_of(call: Call, owners: Iterable[int], windows: Mapping[int, Window]) -> bool:
    return any(call.values & windows[one].values for one in owners)


def _bring_home(strays: Sequence[Call], calls: Sequence[Call], recorded: Sequence[Call],
                windows: Mapping[int, Window], callers: Mapping[str, set[str]],
                late: Mapping[int, frozenset[int]]) -> None:  # fmt: skip
    """Calls that say nothing of what was under way belong to the exchange that made them in the recording.

    A read does not when that exchange has made it already, unless it reads when it has been answered: then it is one
    that was under way which reads what only others read before. What is left for later (`late`, with who may have left
    it) neither.
    """
    keys = {call.key for call in strays}
    asked, due = _askers(recorded), _Due(call for call in recorded if call.key in keys)
    afterwards = {(one, call.key) for call in recorded if call.deferred for one in call.owners}
    away = set(map(id, strays))
    for call in sorted(calls, key=lambda call: len(call.owners)):
        if call.key in keys and id(call) not in away:
            due.take(call.owners, call.key)
    for call in sorted(strays, key=lambda call: call.started_ns):
        known = asked.get(call.exact) or asked[call.key]
        begun = frozenset(one for one in known if one in windows and windows[one].started_ns <= call.started_ns)
        home = due.take(begun, call.key) & begun
        if not home and not late.get(id(call)):
            always = call.writes or not call.owners
            home = begun if always else frozenset(one for one in begun if (one, call.key) in afterwards)
        call.owners = home or late.get(id(call)) or _newly(call, windows, callers)


class _Due:
    """Recorded calls that are not made yet."""

    def __init__(self, recorded: Iterable[Call]) -> None:
        self._taken: set[int] = set()
        self._left: dict[tuple[int, Key], deque[Call]] = {}
        for call in sorted(recorded, key=lambda call: len(call.owners)):
            for one in call.owners:
                self._left.setdefault((one, call.key), deque()).append(call)

    def take(self, owners: Iterable[int], key: Key) -> frozenset[int]:
        """One of them is made by one of several exchanges: those that may have made it when it was recorded."""
        next_ones: list[Call] = []
        for one in owners:
            left = self._left.get((one, key), deque())
            while left and id(left[0]) in self._taken:
                left.popleft()
            next_ones += islice(left, 1)
        found = min(next_ones, key=lambda call: (len(call.owners), call.sequence), default=None)
        if found is None:
            return frozenset()
        self._taken.add(id(found))
        return found.owners


def _newly(call: Call, windows: Mapping[int, Window], callers: Mapping[str, set[str]]) -> frozenset[int]:
    """Of what was under way, exchanges whose routes do not make this call: those that do say what it is about."""
    known = callers.get(call.place, set())
    return frozenset(one for one in call.under_way if windows[one].route not in known) or call.owners


def _askers(recorded: Iterable[Call]) -> Mapping[object, set[int]]:
    asked: dict[object, set[int]] = {}
    for call in recorded:
        for key in {call.exact, call.key}:
            asked.setdefault(key, set()).update(call.owners)
    return asked


def _by_trace(windows: Iterable[Window]) -> Mapping[str, list[Window]]:
    found: dict[str, list[Window]] = {}
    for window in windows:
        if window.trace:
            found.setdefault(window.trace, []).append(window)
    return found


def _by_its_trace(call: Call, by_trace: Mapping[str, list[Window]]) -> frozenset[int]:
    named = by_trace.get(call.trace, ()) if call.trace else ()
    inside = [one for one in named if one.started_ns <= call.started_ns <= one.ended_ns]
    begun = [one for one in named if one.started_ns <= call.started_ns]
    return frozenset(one.sequence for one in inside or begun)


def _under_way(calls: Sequence[Call], windows: Sequence[Window]) -> list[frozenset[int]]:
    """For each call, the exchanges that had begun and not ended."""
    found: list[frozenset[int]] = [frozenset()] * len(calls)
    waiting = sorted(windows, key=lambda window: window.started_ns)
    open_until: list[tuple[int, int]] = []
    begun = 0
    for at in sorted(range(len(calls)), key=lambda at: calls[at].started_ns):
        now = calls[at].started_ns
        while begun < len(waiting) and waiting[begun].started_ns <= now:
            heapq.heappush(open_until, (waiting[begun].ended_ns, waiting[begun].sequence))
            begun += 1
        while open_until and open_until[0][0] < now:
            heapq.heappop(open_until)
        found[at] = frozenset(sequence for _, sequence in open_until)
    return found


def _narrowed(call: Call, owners: frozenset[int], windows: Mapping[int, Window]) -> frozenset[int]:
    return (by_values(call, [windows[one] for one in owners]) or owners) if len(owners) > 1 else owners


def _deferred(call: Call, by_end: Sequence[Window]) -> frozenset[int]:
    """The exchange that ended last of those that share a distinct value with a call after all of them."""
    distinct = frozenset(value for value in call.values if len(value) >= DISTINCT)
    over = bisect_right(by_end, call.started_ns, key=lambda window: window.ended_ns) if distinct else 0
    for at in range(over - 1, max(over - 1 - DEFERRED_LOOKED_AT, -1), -1):
        window = by_end[at]
        if call.started_ns - window.ended_ns > DEFERRED_NS:
            break
        if distinct & window.values:
            return frozenset({window.sequence})
    return frozenset()
