"""Writes that requests leave for later: a thread's or a queue's, which may fall into a request that follows. Pure.

A client that follows at once has its next request under way when such a write begins, and both may speak of the same
thing. Over a whole recording it shows whose it is: a request that writes is never far, and one that reads often is.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from wiretape_replay.outbound.calls import Call
from wiretape_replay.outbound.evidence import SURE
from wiretape_replay.outbound.windows import NEARLY, Window, by_values, only_reads


@dataclass(frozen=True, slots=True)
class Left:
    """The places of such writes, with the routes that leave them."""

    routes: Mapping[str, Collection[str]]

    @classmethod
    def of(cls, recorded: Iterable[Call], windows: Mapping[int, Window]) -> Left:
        """From recorded calls whose owners are known."""
        found: dict[str, set[str]] = {}
        for call in recorded:
            if call.left:
                found.setdefault(call.place, set()).update(windows[one].route for one in call.owners if one in windows)
        return cls(found)

    def owners(self, call: Call, over: Over) -> frozenset[int]:
        """The requests that may have left a call at one of these places; none if it is at no such place."""
        known = self.routes.get(call.place)
        if not known:
            return frozenset()
        near = [window for window in over.near(call) if window.route in known]
        return (by_values(call, near) if len(near) > 1 else frozenset()) or frozenset(one.sequence for one in near)


class Over:
    """The exchanges of a recording or a run in the order in which they ended."""

    def __init__(self, windows: Collection[Window]) -> None:
        self.windows = {window.sequence: window for window in windows}
        self.reading = frozenset(window.sequence for window in windows if only_reads(window.route))
        self._by_end = sorted(windows, key=lambda window: window.ended_ns)
        self._ends = [window.ended_ns for window in self._by_end]

    def near(self, call: Call) -> Iterator[Window]:
        """Those that write and are under way at a call, or just over.

        Since then no more others began and ended than are under way, and one.
        """
        yield from (self.windows[one] for one in call.under_way - self.reading)
        since: list[int] = []
        for at in range(bisect_left(self._ends, call.started_ns) - 1, -1, -1):
            window = self._by_end[at]
            if len(since) - bisect_left(since, window.ended_ns) > max(len(call.under_way), 1) + 1:
                return
            insort(since, window.started_ns)
            if window.sequence not in self.reading:
                yield window


def left_for_later(calls: Iterable[Call], over: Over) -> Left:
    """What a recording shows of them; `calls` are those whose traces tell nothing."""
    windows, found = over.windows, dict[str, Collection[str]]()
    ended = Counter(window.ending for window in windows.values())
    places: dict[str, list[Call]] = {}
    for call in calls:
        if call.writes:
            places.setdefault(call.place, []).append(call)
    for place, some in places.items():
        if all(call.under_way & over.reading for call in some):
            continue  # each may be of one that reads
        if all(call.under_way - over.reading for call in some):
            continue  # and here of one that had not been answered
        near = [{window.sequence for window in over.near(call)} for call in some]
        times = Counter(windows[one].ending for one in set[int]().union(*near))
        leave = {ending[0] for ending, count in times.items() if count >= NEARLY * ended[ending]}
        behind = [[windows[one] for one in some if windows[one].route in leave] for some in near]
        if sum(map(bool, behind)) >= NEARLY * len(near) > 1 and not _by_chance(some, behind, windows.values()):
            found[place] = leave
    return Left(found)


def _by_chance(calls: Sequence[Call], behind: Sequence[Sequence[Window]], windows: Collection[Window]) -> bool:
    """Whether calls that say nothing of exchanges may only happen to be near those behind which they are."""
    everyone = frozenset.intersection(*(window.values | window.words for some in behind for window in some))
    spoke = sum(any(window.said(call) - everyone for window in some) for call, some in zip(calls, behind, strict=True))
    if spoke >= NEARLY * len(calls):
        return False
    ago = [min(max(call.started_ns - window.ended_ns, 0) for window in some)
           for call, some in zip(calls, behind, strict=True) if some]  # fmt: skip
    routes = {window.route for some in behind for window in some}
    spans = [(window.started_ns, window.ended_ns + max(ago)) for window in windows if window.route in routes]
    began = min(window.started_ns for window in windows)
    until = max(*(window.ended_ns for window in windows), *(call.started_ns for call in calls))
    return fall_by_chance(len(ago), spans, began, until)


def fall_by_chance(count: int, spans: Iterable[tuple[int, int]], began: int, until: int) -> bool:
    """Whether so many moments may all fall into these spans of a stretch of time by chance, as those of a timer may."""
    covered, end = 0, began
    for start, stop in sorted(spans):
        covered += max(min(stop, until) - max(start, end), 0)
        end = max(end, min(stop, until))
    return (covered / max(until - began, 1)) ** count > SURE
