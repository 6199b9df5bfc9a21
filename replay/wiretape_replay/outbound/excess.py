"""Calls made more often than recorded: writes again, reads again, a read for each item (N+1). Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from wiretape_replay.outbound.calls import Call
from wiretape_replay.outbound.evidence import Evidence, often, recorded_often
from wiretape_replay.outbound.fault import Fault, Kind, likeliest
from wiretape_replay.outbound.pairing import Pairing
from wiretape_replay.outbound.reads import FanOuts, Reads, beyond, elsewhere, is_fan_out, new_reads
from wiretape_replay.verdict.model import Severity

LOOKED_BACK = 500
"""Calls of the same request that are looked through for the attempt before."""

type Lengths = Callable[[int], Mapping[str, int]]
"""The arrays of an inbound exchange by pointer, with their lengths."""


@dataclass(frozen=True, slots=True)
class Excess:
    """What a run has more of than the recording."""

    evidence: Evidence
    lengths: Lengths

    def missed(self, missed: Sequence[Call]) -> tuple[list[Fault], list[Call]]:
        """Calls for each item that no recording answers, and the misses that are left."""
        fanned = {(call.owners, call.place): call for call in missed if self._are_misses(call, missed)}
        rest = [call for call in missed if (call.owners, call.place) not in fanned]
        return [one for call in fanned.values() for one in self._fan_out(self._misses_of(call), Severity.ERROR)], rest

    def _are_misses(self, call: Call, missed: Sequence[Call]) -> bool:
        different = {one.exact for one in missed if one.place == call.place and one.owners == call.owners}
        return not call.writes and len(different) > 1 and is_fan_out(self.evidence, self._items, call)

    def repeated(self, found: Pairing) -> Iterator[Fault]:
        """Writes, and reads after a failed attempt."""
        for call in found.extra:
            kind, severity = self._judge_extra(call, found)
            if kind is not None:
                yield self._again(kind, severity, call, found)

    def _judge_extra(self, call: Call, found: Pairing) -> tuple[Kind | None, Severity]:
        evidence, quiet = self.evidence, (None, Severity.INFO)
        if not call.owners or (call.place in evidence.timed and not call.specific):
            return quiet
        if self._before(call, found):
            return (Kind.DUPLICATED, Severity.WARNING) if call.writes else (Kind.REPEATED, Severity.INFO)
        if call.place in evidence.perishable or not call.writes:
            return quiet
        if evidence.fills(call):
            return quiet
        if call.specific:
            return Kind.DUPLICATED, Severity.ERROR
        route = evidence.handled[likeliest(call)[0]].route
        times, most = max(evidence.now.keys[owner, call.key] for owner in call.owners), evidence.most(route, call.key)
        return self._unspecific(call, times, most)

    def reads(self, found: Pairing) -> Iterator[Fault]:
        """Reads, also those that only other exchanges were recorded to make."""
        extra = [call for call in beyond(self.evidence, found) if not self._before(call, found)]
        fans = list(FanOuts(self.evidence, self._items).found(extra))
        for reads in fans:
            yield from self._fan_out(reads, Severity.WARNING)
        told = {id(call) for reads in fans for call in reads.calls}
        new: list[Call] = []
        for call in extra:
            if id(call) in told:
                continue
            route = self.evidence.handled[likeliest(call)[0]].route
            times = max(self.evidence.now.keys[owner, call.key] for owner in call.owners)
            if times > max(self.evidence.most(route, call.key), 1):
                yield self._again(Kind.REPEATED, Severity.INFO, call, found)
            else:
                new.append(call)
        for reads in new_reads(self.evidence, [*new, *elsewhere(self.evidence, found)]):
            message = f"{reads.place} is called {often(reads.now)} in {_where(reads)}, {recorded_often(reads.was)}"
            # Where there is one for each of several requests, it is each one's.
            each = reads.now - reads.was >= len(reads.owners)
            for owners in ((owner,) for owner in reads.owners) if each else (reads.owners,):
                yield Fault(Kind.REPEATED, Severity.INFO, reads.place, owners, message, reads.was, reads.now)

    def _unspecific(self, call: Call, times: int, most: int) -> tuple[Kind | None, Severity]:
        """A write that says nothing of its request: what is made once per process may be made by any exchange."""
        sometimes = self.evidence.only_sometimes(call.key)
        if call.owner is not None and times <= max(most, 1) and sometimes:
            return None, Severity.INFO
        if most == 0 and times == 1 and len(self.evidence.by_key.get(call.key, ())) == 1:
            return Kind.DUPLICATED, Severity.WARNING
        return Kind.DUPLICATED, Severity.ERROR

    def _again(self, kind: Kind, severity: Severity, call: Call, found: Pairing) -> Fault:
        owner = likeliest(call)
        was = max(self.evidence.was.most_keys[one, call.key] for one in owner)
        now = max(self.evidence.now.keys[owner[0], call.key], was + 1)
        tried = self._before(call, found)
        why = f", again after {tried.status or 'no answer'}" if tried else ""
        if was or tried or not call.writes:
            message = f"{call.place} is called {often(now)} with the same content, recorded {often(was)}{why}"
        else:
            message = f"{call.place} is called {often(now)}, {self._not_here(call, owner)}"
        return Fault(kind, severity, call.place, owner, message, was, now)

    def _not_here(self, call: Call, owners: Sequence[int]) -> str:
        """What is said of a write that none of these exchanges made when recorded, and who did."""
        evidence = self.evidence
        route = evidence.handled[owners[0]].route
        others = (evidence.handled[one].route for same in evidence.by_key.get(call.key, ()) for one in same.owners)
        elsewhere = next((other for other in others if other != route), "")
        if evidence.most(route, call.key):
            return "which this request did not do when it was recorded"
        where = f"in {elsewhere}" if elsewhere else "outside of any request"
        return f"which no request of this route did when it was recorded; the same call was recorded {where}"

    def _before(self, call: Call, found: Pairing) -> Call | None:
        """The attempt just before this one, when it failed."""
        made = found.made(call.key)
        at = bisect_left(made, call.started_ns, key=lambda one: one.started_ns)
        earlier = (made[before] for before in range(at - 1, max(at - 1 - LOOKED_BACK, -1), -1))
        last = next((one for one in earlier if one.owners & call.owners), None)
        return last if last is not None and last.failed else None

    def _items(self, owners: Sequence[int], times: int) -> str:
        """The array that has as many items as there are calls."""
        lengths = [self.lengths(owner) for owner in owners]
        return next((pointer for pointer in lengths[0] if sum(one.get(pointer, 0) for one in lengths) == times), "")

    def _misses_of(self, call: Call) -> Reads:
        owners, was, now = self.evidence.together(call)
        return Reads(call.place, owners, was, now, items=self._items(owners, now))

    def _fan_out(self, reads: Reads, severity: Severity) -> Iterator[Fault]:
        owners, now = reads.owners, reads.now
        grows = f", as many as {'the body' if reads.items == '/' else reads.items} has items" if reads.items else ""
        missed = "; the recording does not answer them" if severity is Severity.ERROR else ""
        message = f"{reads.place} is called {often(now)} in {_where(reads)}, {recorded_often(reads.was)}{grows} (N+1)"
        for owner in owners:
            yield Fault(Kind.FAN_OUT, severity, reads.place, (owner,), message + missed, reads.was, now)

    def no_longer_remembered(self, known: Iterable[Fault], heard: Callable[[Call], bool]) -> Iterator[Fault]:
        """Reads that far more exchanges make than in the recording: what was remembered is fetched anew."""
        evidence = self.evidence
        told = {(one.place, owner) for one in known if one.severity is not Severity.INFO for owner in one.owners}
        places = {(evidence.handled[call.owner].route, call.place): call for call in evidence.live
                  if call.owner is not None and not (call.missed or call.writes or call.housekeeping)
                  and call.place not in evidence.perishable and call.place not in evidence.timed}  # fmt: skip
        for (route, place), call in places.items():
            newly, sure = evidence.more_exchanges_call(route, place)
            if sure and heard(call) and not any((place, one) in told for one in newly):
                message = f"{place} is called by requests that did without it in the recording"
                for one in newly:
                    yield Fault(Kind.REPEATED, Severity.WARNING, place, (one,), message, 0, 1)


def _where(reads: Reads) -> str:
    return "one request" if len(reads.owners) == 1 else f"{len(reads.owners)} requests under way together"
