"""What is wrong with the calls of a run: missing, unexpected, changed, made too often, in another order (design §6).

Writes are errors, reads that the mock could answer are told: what a read returned shows in the answer, what a write did
does not. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from wiretape_capture.snapshot.exchange import Response
from wiretape_replay.apart import apart
from wiretape_replay.bindings.tokens import is_id_name
from wiretape_replay.leaves import leaf_name
from wiretape_replay.match.closest import DIFFERENCES, WINDOW, leaf_by_leaf
from wiretape_replay.match.database import DatabaseParts
from wiretape_replay.outbound.background import lost_and_doubled
from wiretape_replay.outbound.calls import LINE, TUNNEL, Call
from wiretape_replay.outbound.consequences import other_reads, with_causes
from wiretape_replay.outbound.evidence import Evidence, Handled, often
from wiretape_replay.outbound.excess import Excess, Lengths
from wiretape_replay.outbound.fault import Fault, Kind, likeliest
from wiretape_replay.outbound.fresh import Stand, merged, torn, withheld
from wiretape_replay.outbound.order import swaps
from wiretape_replay.outbound.outcomes import unlike_ends
from wiretape_replay.outbound.pairing import NOBODY, Pairing, pair
from wiretape_replay.outbound.redis_transactions import one_by_one, undone
from wiretape_replay.verdict.model import Severity

PAIRED_AT_ONCE = 200
"""Changed calls of one place that are compared with each recorded one."""


type Answers = Callable[[int], tuple[Response | None, Response | None]]
"""What an inbound exchange was answered, as recorded and in the run."""


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
        excess = Excess(self.evidence, self.lengths)
        faults, rest = excess.missed(found.missed)
        changed, missed = _changed(rest, found.unmade)
        stood_for = {id(was) for was, _ in changed}
        unmade = [call for call in unmade if id(call) not in stood_for]
        left_over = replace(found, unmade=[call for call in found.unmade if id(call) not in stood_for])
        faults += [*map(self._change, changed), *self._unexpected(missed), *excess.repeated(found)]
        faults += [*excess.reads(found), *self._torn()]
        faults += self._missing_of(unmade, found) if self.complete else []
        faults += [*torn, *(replace(self._change(one), severity=Severity.WARNING) for one in read_in_place)]
        faults += unlike_ends(found, self.evidence) if self.complete else []
        faults += lost_and_doubled(left_over, self.evidence) if self.complete else []
        return [*faults, *self._reordered(found), *excess.no_longer_remembered(faults, self.heard)]

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
        owners = tuple(sorted(evidence.who_left_out(call)))
        return Fault(Kind.MISSING, self._weight(call, owner), call.place, owners, message, was, now)

    def _weight(self, call: Call, owner: Handled) -> Severity:
        """A single call that says nothing of its request may be a timer's that happened to fall there."""
        proven = call.specific or len(self.evidence.twins(owner)) > 0
        return Severity.ERROR if call.writes and proven else Severity.WARNING

    # Changed and unexpected

    def _change(self, changed: tuple[Call, Call]) -> Fault:
        was, now = changed
        # An identifier may be another because the app made another and told nobody of it: what else changed leads.
        real = sorted(islice(leaf_by_leaf(was.parts, now.parts, afresh=False), DIFFERENCES),
                      key=lambda one: is_id_name(leaf_name(one.where)))  # fmt: skip
        told = real or list(islice(leaf_by_leaf(was.parts, now.parts), DIFFERENCES))
        first = told[0] if told else None
        place = f" {first.where} was {_said(first.recorded)}, is {_said(first.live)}" if first else ""
        more = f" and {len(told) - 1} more" if len(told) > 1 else ""
        return Fault(
            Kind.CHANGED, Severity.ERROR, was.place, likeliest(now, was), f"{was.place} is called with other"
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
                                   two.other.recorded, *likeliest(call))  # fmt: skip
        certain: dict[int, list[Call]] = {}
        for call in live:
            if call.owner is not None and call.names and self.evidence.handled[call.owner].answered:
                certain.setdefault(call.owner, []).append(call)
        for owner, calls in certain.items():
            for gone in withheld(calls, *self.answers(owner)) if any(call.afresh for call in calls) else ():
                said = f"was the same as {gone.pointer or 'the body'} of the answer, is {gone.stand.live} and not"
                yield _other_value(gone.stand, f"{said} {gone.answered}", gone.answered, owner)

    def _unexpected(self, missed: Sequence[Call]) -> Iterator[Fault]:
        groups: dict[tuple[frozenset[int], str], list[Call]] = {}
        for call in missed:
            groups.setdefault((call.owners, call.place), []).append(call)
        for (_, place), calls in groups.items():
            first = calls[0]
            does = "ran" if isinstance(first.parts, DatabaseParts) else "called"
            was, line = self._lines(first)
            message = f"the app {does} {line} of {first.service}, which the recording does not have"
            message += self._nearest(first) + (f"; {often(len(calls))} in all" if len(calls) > 1 else "")
            yield Fault(Kind.UNEXPECTED, Severity.ERROR, place, likeliest(first), message, was, line)

    def _lines(self, call: Call) -> tuple[str | None, str]:
        """The nearest recorded call and one that was made, where they differ if they are long."""
        near = self.evidence.by_sequence.get(call.near)
        if near is None:
            return None, call.line
        if near.whole == call.whole or max(len(near.whole), len(call.whole)) <= LINE:
            return near.line, call.line
        return apart(near.whole, call.whole, LINE, WINDOW)

    def _nearest(self, call: Call) -> str:
        near = self.evidence.by_sequence.get(call.near)
        if near is None:
            return ", nor anything near it"
        nearest = f"; nearest is exchange {near.sequence}"
        told = [f"{one.where} was {one.recorded if one.recorded is not None else 'absent'}, "
                f"came {one.live if one.live is not None else 'not at all'}"
                for one in islice(leaf_by_leaf(near.parts, call.parts, afresh=False), 2)]  # fmt: skip
        if told:
            return f"{nearest}: {'; '.join(told)}"
        afresh = [one.where for one in islice(leaf_by_leaf(near.parts, call.parts), 2)]
        return nearest + (f", alike but for what each run makes afresh ({', '.join(afresh)})" if afresh else "")

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
