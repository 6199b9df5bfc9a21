"""What is wrong with the calls of a run: missing, unexpected, changed, made too often, in another order (design §6).

Writes are errors, reads that the mock could answer are told: what a read returned shows in the answer, what a write did
does not. Pure.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from wiretape_capture.snapshot.exchange import Response
from wiretape_replay.bindings.tokens import is_id_name
from wiretape_replay.leaves import leaf_name
from wiretape_replay.match.closest import DIFFERENCES, leaf_by_leaf
from wiretape_replay.match.database import DatabaseParts
from wiretape_replay.outbound.calls import TUNNEL, Call
from wiretape_replay.outbound.consequences import other_reads, with_causes
from wiretape_replay.outbound.evidence import Evidence, Handled, often, recorded_often
from wiretape_replay.outbound.fault import Fault, Kind
from wiretape_replay.outbound.fresh import Stand, merged, torn, withheld
from wiretape_replay.outbound.order import swaps
from wiretape_replay.outbound.outcomes import unlike_ends
from wiretape_replay.outbound.pairing import NOBODY, Pairing, pair
from wiretape_replay.outbound.reads import FanOuts, Reads, beyond, elsewhere, is_fan_out, new_reads
from wiretape_replay.outbound.redis_transactions import one_by_one, undone
from wiretape_replay.verdict.model import Severity

LOOKED_BACK = 500
"""Calls of the same request that are looked through for the attempt before."""
PAIRED_AT_ONCE = 200
"""Changed calls of one place that are compared with each recorded one."""


type Answers = Callable[[int], tuple[Response | None, Response | None]]
"""What an inbound exchange was answered, as recorded and in the run."""
type Lengths = Callable[[int], Mapping[str, int]]
"""The arrays of an inbound exchange by pointer, with their lengths."""


@dataclass(frozen=True, slots=True)
class Faults:
    """What was wrong with the calls of a run."""

    all: list[Fault]
    causes: Mapping[int, Fault]
    """By inbound exchange: the fault that what it answered may follow from."""


def find_faults(evidence: Evidence, *, unheard: Collection[str] = (), complete: bool = True,
                lengths: Lengths = lambda _: {}, differing: Collection[int] = (),
                answers: Answers = lambda _: (None, None)) -> Faults:  # fmt: skip
    """Every fault of a run. `unheard` are services that were reached for real; `complete` says that all calls of the
    run are known; `differing` are the exchanges whose answers are not as recorded."""
    judged = _Judged(evidence, frozenset(unheard), complete, lengths, answers)
    found = pair(filter(judged.heard, evidence.recorded), filter(judged.heard, evidence.live))
    return Faults(*with_causes(judged.faults(found), found, evidence, differing))


@dataclass(frozen=True, slots=True)
class _Judged:
    evidence: Evidence
    unheard: frozenset[str]
    complete: bool
    lengths: Lengths
    answers: Answers

    def faults(self, found: Pairing) -> list[Fault]:
        """Each by itself."""
        read_in_place = list(other_reads(found, self.evidence))
        torn = [*undone(found, self.evidence.discarded, self._is_due), *one_by_one(found)]
        unmade = list(filter(self._is_due, found.unmade))
        fanned = {(call.owners, call.place): call for call in found.missed if self._misses_fan_out(call, found.missed)}
        rest = [call for call in found.missed if (call.owners, call.place) not in fanned]
        changed, missed = _changed(rest, found.unmade)
        unmade = [call for call in unmade if all(call is not was for was, _ in changed)]
        faults = [fault for call in fanned.values() for fault in self._fan_out(self._misses_of(call), Severity.ERROR)]
        faults += [*map(self._change, changed), *self._unexpected(missed), *self._extra(found)]
        faults += [*self._more_reads(found), *self._torn()]
        faults += self._missing_of(unmade, found) if self.complete else []
        faults += [*torn, *(replace(self._change(one), severity=Severity.WARNING) for one in read_in_place)]
        faults += unlike_ends(found, self.evidence) if self.complete else []
        return [*faults, *self._reordered(found), *self._no_longer_remembered(faults)]

    def heard(self, call: Call) -> bool:
        """Whether a call is judged at all."""
        return call.parts.method != TUNNEL and call.service not in self.unheard

    def _is_due(self, call: Call) -> bool:
        handled = self.evidence.handled
        return bool(call.owners) and all(handled[owner].answered for owner in call.owners)

    # Missing

    def _missing_of(self, unmade: Sequence[Call], found: Pairing) -> Iterator[Fault]:
        blamed: Counter[int] = Counter()
        done = {(was.key, owner) for was, now in found.pairs if not now.failed for owner in was.owners}
        for call in sorted(unmade, key=lambda call: (len(call.owners), call.started_ns)):
            # Another attempt needs a failed one: the mock may have had the later answer ready at once.
            if call.failed and any((call.key, owner) in done for owner in call.owners):
                continue
            fault = self._missing(call)
            if fault is not None:
                first = min(fault.owners, key=lambda one: (blamed[one], one))
                blamed[first] += 1
                yield replace(fault, owners=(first, *(one for one in fault.owners if one != first)))

    def _missing(self, call: Call) -> Fault | None:
        evidence = self.evidence
        owner = evidence.handled[min(call.owners)]
        if call.housekeeping or call.place in evidence.perishable:
            return None
        if call.place in evidence.timed and not call.specific:
            return None
        if any(evidence.may_be_remembered(call, evidence.handled[one]) for one in call.owners):
            return None
        if evidence.done_without_by_another(call):
            return None
        if not call.writes and evidence.asked_too_soon(call, owner):
            return None
        _, was, now = evidence.together(call)
        message = f"{call.place} is not called any more, recorded {often(was)}"
        if 0 < now < was:
            message = f"{call.place} is called {often(now)} instead of {often(was)}{_after_failure(call, evidence)}"
        elif now:
            message = f"{call.place} is called {often(now)}, recorded {often(was)}, but not any more as {call.line}"
        return Fault(Kind.MISSING, self._weight(call, owner), call.place, _likeliest(call), message, was, now)

    def _weight(self, call: Call, owner: Handled) -> Severity:
        """A single call that says nothing of its request may be a timer's that happened to fall there."""
        proven = call.specific or len(self.evidence.twins(owner)) > 0
        return Severity.ERROR if call.writes and proven else Severity.WARNING

    # Changed and unexpected

    def _change(self, changed: tuple[Call, Call]) -> Fault:
        was, now = changed
        # An identifier may be another because the app made another and told nobody of it: what else changed leads.
        told = sorted(islice(leaf_by_leaf(was.parts, now.parts), DIFFERENCES),
                      key=lambda one: is_id_name(leaf_name(one.where)))  # fmt: skip
        first = told[0] if told else None
        place = f" {first.where} was {_said(first.recorded)}, is {_said(first.live)}" if first else ""
        more = f" and {len(told) - 1} more" if len(told) > 1 else ""
        return Fault(
            Kind.CHANGED, Severity.ERROR, was.place, _likeliest(now, was), f"{was.place} is called with other"
            f" content:{place}{more}", {one.where: one.recorded for one in told if one.recorded is not None},
            {one.where: one.live for one in told if one.live is not None},
        )  # fmt: skip

    def _torn(self) -> Iterator[Fault]:
        """Values made afresh that are not as alike any more as they were."""
        live = list(filter(self.heard, self.evidence.live))
        for owner, one in torn(live):
            first, other = one.first, one.other
            at = first.where if first.call is other.call else f"{first.where} of {first.call.place}"
            yield _other_value(other, f"was the same as {at}, is {other.live} and not {first.live}", first.live, owner)
        for call in live:
            for two in merged(call) if call.owners else ():
                yield _other_value(two.other, f"was another than {two.first.where}, both are {two.other.live}",
                                   two.other.recorded, *_likeliest(call))  # fmt: skip
        certain: dict[int, list[Call]] = {}
        for call in live:
            if call.owner is not None and call.names and self.evidence.handled[call.owner].answered:
                certain.setdefault(call.owner, []).append(call)
        for owner, calls in certain.items():
            for gone in withheld(calls, *self.answers(owner)) if any(call.afresh for call in calls) else ():
                said = f"was the same as {gone.pointer or 'the body'} of the answer, is {gone.stand.live} and not"
                yield _other_value(gone.stand, f"{said} {gone.answered}", gone.answered, owner)

    def _misses_fan_out(self, call: Call, missed: Sequence[Call]) -> bool:
        different = {one.exact for one in missed if one.place == call.place and one.owners == call.owners}
        return not call.writes and len(different) > 1 and is_fan_out(self.evidence, self._items, call)

    def _unexpected(self, missed: Sequence[Call]) -> Iterator[Fault]:
        groups: dict[tuple[frozenset[int], str], list[Call]] = {}
        for call in missed:
            groups.setdefault((call.owners, call.place), []).append(call)
        for (_, place), calls in groups.items():
            first = calls[0]
            does = "ran" if isinstance(first.parts, DatabaseParts) else "called"
            message = f"the app {does} {first.line} of {first.service}, which the recording does not have"
            message += self._nearest(first) + (f"; {often(len(calls))} in all" if len(calls) > 1 else "")
            yield Fault(Kind.UNEXPECTED, Severity.ERROR, place, _likeliest(first), message, self._near_line(first),
                        first.line)  # fmt: skip

    def _near_line(self, call: Call) -> str | None:
        near = self.evidence.by_sequence.get(call.near)
        return near.line if near else None

    def _nearest(self, call: Call) -> str:
        near = self.evidence.by_sequence.get(call.near)
        if near is None:
            return ", nor anything near it"
        told = [f"{one.where} was {one.recorded if one.recorded is not None else 'absent'}, "
                f"came {one.live if one.live is not None else 'not at all'}"
                for one in islice(leaf_by_leaf(near.parts, call.parts), 2)]  # fmt: skip
        return f"; nearest is exchange {near.sequence}" + (f": {'; '.join(told)}" if told else "")

    # More often than recorded

    def _extra(self, found: Pairing) -> Iterator[Fault]:
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
        route = evidence.handled[_likeliest(call)[0]].route
        times, most = max(evidence.now.keys[owner, call.key] for owner in call.owners), evidence.most(route, call.key)
        return self._unspecific(call, times, most)

    def _more_reads(self, found: Pairing) -> Iterator[Fault]:
        extra = [call for call in beyond(self.evidence, found) if not self._before(call, found)]
        fans = list(FanOuts(self.evidence, self._items).found(extra))
        for reads in fans:
            yield from self._fan_out(reads, Severity.WARNING)
        told = {id(call) for reads in fans for call in reads.calls}
        new: list[Call] = []
        for call in extra:
            if id(call) in told:
                continue
            route = self.evidence.handled[_likeliest(call)[0]].route
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
        owner = _likeliest(call)
        was = max(self.evidence.was.most_keys[one, call.key] for one in owner)
        now = max(self.evidence.now.keys[owner[0], call.key], was + 1)
        tried = self._before(call, found)
        why = f", again after {tried.status or 'no answer'}" if tried else ""
        message = f"{call.place} is called {often(now)} with the same content, recorded {often(was)}{why}"
        return Fault(kind, severity, call.place, owner, message, was, now)

    def _before(self, call: Call, found: Pairing) -> Call | None:
        """The attempt just before this one, when it failed."""
        made = found.made(call.key)
        at = bisect_left(made, call.started_ns, key=lambda one: one.started_ns)
        earlier = (made[before] for before in range(at - 1, max(at - 1 - LOOKED_BACK, -1), -1))
        last = next((one for one in earlier if one.owners & call.owners), None)
        return last if last is not None and last.failed else None

    # A call for each item

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

    def _no_longer_remembered(self, known: Iterable[Fault]) -> Iterator[Fault]:
        """Reads that far more exchanges make than in the recording: what was remembered is fetched anew."""
        evidence = self.evidence
        told = {(one.place, owner) for one in known if one.severity is not Severity.INFO for owner in one.owners}
        places = {(evidence.handled[call.owner].route, call.place): call for call in evidence.live
                  if call.owner is not None and not (call.missed or call.writes or call.housekeeping)
                  and call.place not in evidence.perishable and call.place not in evidence.timed}  # fmt: skip
        for (route, place), call in places.items():
            newly, sure = evidence.more_exchanges_call(route, place)
            if sure and self.heard(call) and not any((place, one) in told for one in newly):
                message = f"{place} is called by requests that did without it in the recording"
                for one in newly:
                    yield Fault(Kind.REPEATED, Severity.WARNING, place, (one,), message, 0, 1)

    # Order

    def _reordered(self, found: Pairing) -> Iterator[Fault]:
        routes = {sequence: one.route for sequence, one in self.evidence.handled.items()}
        steady = [pair for pair in found.pairs if self._keeps_its_place(pair[0])]
        for swap in swaps(steady, self.evidence.recorded, routes):
            first, second = swap.first, swap.second
            yield Fault(
                Kind.REORDERED, Severity.ERROR, f"{first.place}, {second.place}", (swap.owner,),
                f"{second.place} is called before {first.place}, recorded after it",
                [first.line, second.line], [second.line, first.line],
            )  # fmt: skip

    def _keeps_its_place(self, call: Call) -> bool:
        if call.housekeeping:
            return False
        return call.place not in self.evidence.perishable and (call.specific or call.place not in self.evidence.timed)


def _other_value(stand: Stand, said: str, expected: str, *owners: int) -> Fault:
    message = f"{stand.call.place} is called with another value: {stand.where} {said}"
    return Fault(Kind.CHANGED, Severity.ERROR, stand.call.place, owners, message, {stand.where: expected},
                 {stand.where: stand.live})  # fmt: skip


def _where(reads: Reads) -> str:
    return "one request" if len(reads.owners) == 1 else f"{len(reads.owners)} requests under way together"


def _likeliest(call: Call, other: Call | None = None) -> tuple[int, ...]:
    """The exchanges that may have made a call, those of a second one first."""
    first = other.owners if other is not None else frozenset[int]()
    return tuple(sorted(call.owners or first, key=lambda one: (one not in first, one)))


def _changed(missed: Sequence[Call], unmade: Sequence[Call]) -> tuple[list[tuple[Call, Call]], list[Call]]:
    """Missed calls with the recorded calls that they stand for, and the missed calls that are left."""
    pairs: list[tuple[Call, Call]] = []
    done: set[int] = set()
    by_place: dict[str, list[Call]] = {}
    for call in missed:
        by_place.setdefault(call.place, []).append(call)
    waiting: dict[str, list[Call]] = {}
    for call in unmade:
        waiting.setdefault(call.place, []).append(call)
    for place, calls in by_place.items():
        firsts = list({(call.owners, call.exact): call for call in calls}.values())
        for now, was in _closest_first(firsts, waiting.get(place, ())):
            if id(now) not in done and id(was) not in done:
                done |= {id(now), id(was)}
                pairs.append((was, now))
    same = {(now.owners, now.exact) for _, now in pairs}
    return pairs, [call for call in missed if (call.owners, call.exact) not in same]


def _closest_first(missed: Sequence[Call], unmade: Sequence[Call]) -> list[tuple[Call, Call]]:
    by_owner: dict[int, list[Call]] = {}
    for was in unmade:
        for owner in was.owners or (NOBODY,):
            by_owner.setdefault(owner, []).append(was)
    near = [
        (sum(1 for _ in leaf_by_leaf(was.parts, now.parts)), now.started_ns, now, was)
        for now in missed for was in _like(now, by_owner, unmade)
    ]  # fmt: skip
    return [(now, was) for _, _, now, was in sorted(near, key=lambda one: one[:2])]


def _like(call: Call, by_owner: Mapping[int, Sequence[Call]], unmade: Sequence[Call]) -> Sequence[Call]:
    """Recorded calls that whoever made this one did not make."""
    if not call.owners:
        return unmade[:PAIRED_AT_ONCE]
    return list(dict.fromkeys(
        was for owner in (*call.owners, NOBODY) for was in by_owner.get(owner, ())[:PAIRED_AT_ONCE]
    ))  # fmt: skip


def _after_failure(call: Call, evidence: Evidence) -> str:
    """Whether the call that is not made any more was another attempt."""
    before = [one for one in evidence.by_key[call.key]
              if one.started_ns < call.started_ns and one.owners & call.owners]  # fmt: skip
    return f", not again after {before[-1].status or 'no answer'}" if before and before[-1].failed else ""


def _said(value: str | None) -> str:
    return "absent" if value is None else value
