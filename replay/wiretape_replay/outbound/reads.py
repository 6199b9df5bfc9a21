"""Reads beyond those of the recording: many for one request (N+1), or one that the request did not make. Pure.

The recording may well answer them, for another route made the same ones. What caches do when they are cold, or filled
by two at once, is no change of the app.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from wiretape_replay.outbound.calls import Call
from wiretape_replay.outbound.evidence import Evidence, shares
from wiretape_replay.outbound.newcomers import by_kind, is_usual, kind_of
from wiretape_replay.outbound.pairing import Pairing

FAN_OUT = 3
"""Calls of one place in one exchange, and times as many as recorded, from which on it is a call for each item."""

type Items = Callable[[Sequence[int], int], str]
"""The array of some exchanges that has so many items; empty where none has."""


@dataclass(frozen=True, slots=True)
class Reads:
    """Reads of one place, or of one collection, by one exchange or by several that cannot be told apart."""

    place: str
    owners: tuple[int, ...]
    was: int
    now: int
    calls: tuple[Call, ...] = ()
    items: str = ""
    """The array that has as many items."""


def beyond(evidence: Evidence, found: Pairing) -> list[Call]:
    """Reads that say something new: neither timers' nor probes', nor what an empty cache makes an app ask for."""
    return [call for call in found.extra if not call.writes and call.owners and not is_usual(evidence, call)]


def elsewhere(evidence: Evidence, found: Pairing) -> list[Call]:
    """Reads that the recording has in exchanges only which are not part of this run."""
    return [now for was, now in found.pairs
            if not now.writes and now.owners and was.owners and not was.owners & now.owners
            and not any(evidence.handled[one].live_from_ns for one in was.owners)
            and not is_usual(evidence, now) and not evidence.remembered(now)]  # fmt: skip


@dataclass(slots=True)
class FanOuts:
    """Finds a call for each item."""

    evidence: Evidence
    items: Items
    _was: dict[tuple[int, str], int] = field(default_factory=dict)
    """Recorded calls by exchange and kind."""

    def __post_init__(self) -> None:
        self._was = shares((call, kind_of(call)) for call in self.evidence.recorded)

    def found(self, extra: Sequence[Call]) -> Iterator[Reads]:
        """Those among reads beyond the recorded ones, each read in one of them at most.

        Those of routes that made no such call come first. What was made meanwhile belongs to them, though it may speak
        of another exchange. As often as an array has items is the weakest sign.
        """
        left = list(extra)
        for judge in (self._by_new_routes, self._of_one_exchange, self._many_times, self._for_items):
            for calls in by_kind(left, lambda call: call):
                for reads in judge(calls):
                    whole = replace(reads, calls=(*reads.calls, *_meanwhile(reads, calls)))
                    yield whole
                    gone = set(map(id, whole.calls))
                    left = [call for call in left if id(call) not in gone]

    def _by_new_routes(self, calls: Sequence[Call]) -> Iterator[Reads]:
        return (reads for reads in self._many_times(calls) if not self._usual(reads.owners, reads.place))

    def _many_times(self, calls: Sequence[Call]) -> Iterator[Reads]:
        yield from self._of_places(calls, lambda owners, was, now: now >= FAN_OUT * max(was, len(owners)))

    def _for_items(self, calls: Sequence[Call]) -> Iterator[Reads]:
        yield from self._of_places(calls, lambda owners, _, now: len(owners) == 1 and self.items(owners, now) != "")

    def _of_places(self, calls: Sequence[Call], enough: Callable[[Sequence[int], int, int], bool]) -> Iterator[Reads]:
        by_place: dict[tuple[int, str], list[Call]] = {}
        for call in calls:
            by_place.setdefault((min(self.evidence.together(call)[0]), call.place), []).append(call)
        for (_, place), some in by_place.items():
            owners, was, now = self.evidence.together(some[0])
            # Where most were made by another exchange before, and are not made there now, a cache was filled.
            if now > self._usual(owners, place) and len(some) >= min(FAN_OUT, now - was) and enough(owners, was, now):
                yield Reads(place, owners, was, now, tuple(some), self.items(owners, now))

    def _usual(self, owners: Iterable[int], place: str) -> int:
        return sum(self.evidence.most_at(self.evidence.handled[one].route, place) for one in owners)

    def _of_one_exchange(self, calls: Sequence[Call]) -> Iterator[Reads]:
        """Reads of several things of one kind by an exchange that others were handled beside.

        A read that speaks of another exchange may be that one's. It counts for this one too, if this one surely made
        some of them.
        """
        left = list(calls)
        while len(left) >= FAN_OUT:
            owners = {owner for call in left for owner in call.owners}
            judged = [reads for owner in sorted(owners) if (reads := self._of_owner(owner, left)) is not None]
            if not judged:
                return
            # Whose route read fewest before, then who read most, then who surely read most.
            best = min(judged, key=self._rank)
            same = tuple(reads.owners[0] for reads in judged if self._rank(reads) == self._rank(best))
            yield replace(best, owners=same)
            gone = set(map(id, best.calls))
            left = [call for call in left if id(call) not in gone]

    def _of_owner(self, owner: int, calls: Sequence[Call]) -> Reads | None:
        """What one exchange may have read of these, if it is enough."""
        made = tuple(call for call in calls if owner in call.owners or owner in call.under_way)
        was, more = self._recorded(owner, calls[0]), len({call.key for call in made})
        if was + more < FAN_OUT * max(was, 1) or was + more <= self._usual_of_kind(owner, calls[0]):
            return None
        place = made[0].place if len({call.place for call in made}) == 1 else f"{kind_of(made[0])}*"
        return Reads(place, (owner,), was, was + more, made)

    def _rank(self, reads: Reads) -> tuple[int, int, int]:
        owner = reads.owners[0]
        surely = sum(owner in call.owners for call in reads.calls)
        return self._usual_of_kind(owner, reads.calls[0]), -reads.now, -surely

    def _recorded(self, owner: int, call: Call) -> int:
        return self._was.get((owner, kind_of(call)), 0)

    def _usual_of_kind(self, owner: int, call: Call) -> int:
        route = self.evidence.handled[owner].route
        return max((self._recorded(one.sequence, call) for one in self.evidence.by_route[route]), default=0)


def _meanwhile(reads: Reads, calls: Iterable[Call]) -> Iterator[Call]:
    """Calls of the same kind that were made while the exchanges that make too many were handled."""
    return (call for call in calls if not call.under_way.isdisjoint(reads.owners))


def is_fan_out(evidence: Evidence, items: Items, call: Call) -> bool:
    """Whether a place is called so much more often than recorded."""
    owners, was, now = evidence.together(call)
    return now >= FAN_OUT * max(was, len(owners)) or (now > max(was, len(owners)) and items(owners, now) != "")


def new_reads(evidence: Evidence, extra: Iterable[Call]) -> Iterator[Reads]:
    """Reads that no exchange of their route was recorded to make, or not as often."""
    groups: dict[tuple[frozenset[int], str], list[Call]] = {}
    for call in extra:
        groups.setdefault((call.owners, call.place), []).append(call)
    for (owners, place), calls in groups.items():
        if not calls[0].specific and evidence.only_sometimes(calls[0].key):
            continue  # made once in the life of a process, by any exchange
        together, was, now = evidence.together(calls[0])
        if now > sum(evidence.most_at(evidence.handled[one].route, place) for one in together):
            yield Reads(place, tuple(sorted(owners)), was, now, tuple(calls))
