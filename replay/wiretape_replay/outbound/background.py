"""Writes that an app makes outside of any request: what its requests leave for later, and what of it is lost. Pure.

Work that is handed to a thread or a queue may begin after the answer and say nothing of its request. Such work falls
right behind answers of the same routes, far more often than a timer's would by chance.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from wiretape_replay.outbound.calls import Call
from wiretape_replay.outbound.evidence import Evidence, Handled, often
from wiretape_replay.outbound.fault import Fault, Kind
from wiretape_replay.outbound.left import fall_by_chance
from wiretape_replay.outbound.pairing import Pairing
from wiretape_replay.outbound.windows import only_reads
from wiretape_replay.verdict.model import Severity

LATER_NS = 1_000_000_000
"""How long after an answer the work that its request left may begin."""
POLLS = 3
"""The same read outside of requests, so often: the app looks for work by itself, and when it finds it is chance."""
SPARE = 1.25
"""How much longer than until a timer's first call a run must last, for its absence to say something."""


def lost_and_doubled(found: Pairing, evidence: Evidence) -> Iterator[Fault]:
    """What is wrong with writes outside of requests, where every request was replayed and came to its end."""
    if not all(one.answered for one in evidence.handled.values()):
        return
    made = {id(was) for was, _ in found.pairs}
    for place in dict.fromkeys(call.place for call in (*found.unmade, *found.extra) if is_loose(call, evidence)):
        left = _Left(place, evidence, made)
        if left.by_requests:
            yield from left.lost(found.unmade)
            yield from left.doubled(found)
        elif evidence.cold:
            yield from left.stopped()


def is_loose(call: Call, evidence: Evidence) -> bool:
    """Whether a write says nothing of a request, and may begin outside of all of them."""
    if not call.writes or call.housekeeping or call.place in evidence.perishable:
        return False
    return not call.owners or (call.place in evidence.timed and not call.specific)


@dataclass(slots=True, frozen=True)
class _Behind:
    """The exchanges that may have left a call for later, the likeliest first, and how long ago they were answered."""

    call: Call
    exchanges: Sequence[Handled]
    ago_ns: int = 0


@dataclass
class _Left:
    """The loose writes to one place."""

    place: str
    evidence: Evidence
    made: set[int]
    """Recorded calls that were made in the run, by their Python ids."""
    first_ns: int = field(init=False)

    def __post_init__(self) -> None:
        self.first_ns = min((one.from_ns for one in self.evidence.handled.values()), default=0)

    @cached_property
    def calls(self) -> list[Call]:
        """As recorded."""
        return [call for call in self.evidence.recorded if call.place == self.place and is_loose(call, self.evidence)]

    @cached_property
    def behind(self) -> list[_Behind]:
        """The recorded ones, but for those of the start-up, with the exchanges that they followed."""
        return [self._behind(call) for call in self.calls if call.started_ns >= self.first_ns]

    @cached_property
    def by_requests(self) -> bool:
        """Whether they followed exchanges of their routes too often for chance: those of a timer fall anywhere."""
        if not self.behind or not all(one.exchanges for one in self.behind):
            return False
        routes = {each.route for one in self.behind for each in one.exchanges}
        later = self._latest()
        spans = [(one.from_ns, one.until_ns + later) for route in routes for one in self.evidence.by_route[route]]
        until = max((*(one.until_ns for one in self.evidence.handled.values()),
                     *(call.started_ns for call in self.calls)))  # fmt: skip
        return not fall_by_chance(len(self.behind), spans, self.first_ns, until)

    def _latest(self) -> int:
        return max((one.ago_ns for one in self.behind), default=0)

    def _behind(self, call: Call, *, live: bool = False) -> _Behind:
        handled = self.evidence.handled
        if call.owners and not call.left:
            return _Behind(call, _writers_first(handled[one] for one in sorted(call.owners)))
        ends = [(one, one.live_until_ns if live else one.until_ns) for one in handled.values()]
        over = sorted(((call.started_ns - end, one.sequence) for one, end in ends
                       if 0 <= call.started_ns - end <= LATER_NS))  # fmt: skip
        writing = [(ago, one) for ago, one in over if not only_reads(handled[one].route)]
        nearest = (writing or over)[:1]
        return _Behind(call, [handled[one] for _, one in nearest], *(ago for ago, _ in nearest))

    @cached_property
    def by_route(self) -> dict[str, list[_Behind]]:
        """What followed exchanges of each route."""
        found: dict[str, list[_Behind]] = {}
        for one in self.behind:
            found.setdefault(one.exchanges[0].route, []).append(one)
        return found

    def lost(self, unmade: Iterable[Call]) -> Iterator[Fault]:
        """Writes that requests left for later and do not leave any more."""
        gone = set(map(id, unmade))
        for route, some in self.by_route.items():
            now = sum(id(one.call) in self.made for one in some)
            said = f"is called {often(now)} instead of {often(len(some))}"
            said = said if now else f"is not called any more, recorded {often(len(some))}"
            for one in some:
                if id(one.call) in gone:
                    yield Fault(Kind.MISSING, self._weight(route, some, now), self.place, _owners(one),
                                f"{self.place} {said}, as work left for later", len(some), now,
                                evidence=self._evidence(route))  # fmt: skip

    def _weight(self, route: str, some: Sequence[_Behind], now: int) -> Severity:
        """An error where none is left of what the route surely does: some may be chance, and so may what was polled."""
        status = some[0].exchanges[0].status
        alike = sum(one.status == status for one in self.evidence.by_route[route])
        sure = not now and (len(some) > 1 or alike == 1) and not self._polls()
        return Severity.ERROR if sure else Severity.WARNING

    def _polls(self) -> bool:
        """Whether the app looks for work in this service outside of requests."""
        service = self.calls[0].service
        return any(
            len(some) >= POLLS and sum(not call.owners and call.started_ns > self.first_ns for call in some) >= POLLS
            for some in self.evidence.by_key.values()
            if some[0].service == service and not some[0].writes and not some[0].housekeeping
        )  # fmt: skip

    def _evidence(self, route: str) -> str:
        some = self.by_route[route]
        later = max(one.ago_ns for one in some)
        when = f"up to {max(round(later / 1e6), 1):g} ms after" if later else "during"
        return f"recorded {often(len(some))} {when} the handling of {len(self.evidence.by_route[route])} such requests"

    def doubled(self, found: Pairing) -> Iterator[Fault]:
        """Writes that requests left for later once, and leave more often now."""
        for call in found.extra:
            if call.place != self.place or not is_loose(call, self.evidence):
                continue
            was, now = len(self.evidence.by_key.get(call.key, ())), len(found.made(call.key))
            behind = self._behind(call, live=True)
            if not was or not behind.exchanges or any(one.failed for one in found.made(call.key)):
                continue
            # The same content for several requests may be made more often where requests came out otherwise.
            severity = Severity.ERROR if was == 1 and not self._polls() else Severity.WARNING
            message = f"{self.place} is called {often(now)} with the same content, recorded {often(was)}"
            yield Fault(Kind.DUPLICATED, severity, self.place, _owners(behind), f"{message}, as work left for later",
                        was, now, evidence="calls after the answers of such requests")  # fmt: skip

    def stopped(self) -> Iterator[Fault]:
        """Writes of the start-up and of timers of which none is made, though the run lasted long enough."""
        evidence = self.evidence
        if any(call.place == self.place for call in evidence.live) or any(call.owners for call in self.calls):
            return
        began = min((self.first_ns, *(call.started_ns for call in evidence.recorded)))
        live = min((one.live_from_ns for one in evidence.handled.values()), default=0)
        live = min((live, *(call.started_ns for call in evidence.live)))
        first = min(call.started_ns for call in self.calls)
        starting = first < self.first_ns
        if starting or evidence.until_ns - live > SPARE * (first - began):
            where = "before the first request" if starting else "outside of any request"
            message = f"{self.place} is not called any more, recorded {often(len(self.calls))} {where}"
            yield Fault(Kind.MISSING, Severity.WARNING, self.place, (), message, len(self.calls), 0,
                        evidence="no request makes it: a timer or the start-up does")  # fmt: skip


def longest_wait(starts: Iterable[int], spans: Iterable[tuple[int, int]]) -> int:
    """Nanoseconds after an answer until the last call that followed it outside of requests, as recorded."""
    longest, ends, open_until = 0, -LATER_NS, 0
    marks = sorted([*((at, 1, at) for at in starts), *((began, 0, ended) for began, ended in spans)])
    for at, is_call, until in marks:
        if not is_call:
            open_until = max(open_until, until)
            ends = open_until
        elif open_until < at <= ends + LATER_NS:
            longest = max(longest, at - ends)
    return longest


def _owners(behind: _Behind) -> tuple[int, ...]:
    return tuple(one.sequence for one in behind.exchanges)


def _writers_first(some: Iterable[Handled]) -> list[Handled]:
    found = list(some)
    return [one for one in found if not only_reads(one.route)] or found
