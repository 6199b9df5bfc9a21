"""Writes that an app made as recorded, and whose transactions ended otherwise: undone, never ended, kept, torn apart.

What only follows from something else is not told: the end of a transaction in which a statement had no recording, or of
an exchange whose status changed. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from wiretape_replay.match.index import Key
from wiretape_replay.outbound.calls import Call
from wiretape_replay.outbound.evidence import Evidence, often
from wiretape_replay.outbound.fault import Fault, Kind
from wiretape_replay.outbound.pairing import Pairing
from wiretape_replay.outbound.transactions import End
from wiretape_replay.verdict.model import Severity

PATIENCE_NS = 250_000_000
"""How long after its answer, at least, a run must go on for a transaction that ended after the answer in the recording
to be missed: apps are ended after the last answer."""
TIMES_AS_LATE = 4
"""And how many times as long as it took in the recording."""
TOLD = 3

type Pair = tuple[Call, Call]
"""A recorded write and the live one."""


def unlike_ends(found: Pairing, evidence: Evidence) -> Iterator[Fault]:
    """Every write whose transaction came to another end, one fault for each transaction."""
    judged = _Ends(found, evidence)
    yield from judged.other_ends()
    yield from judged.split()


@dataclass(frozen=True, slots=True)
class _Ends:
    found: Pairing
    evidence: Evidence

    def other_ends(self) -> Iterator[Fault]:
        """Transactions that were committed and are not, or the reverse."""
        lost: dict[Key, list[Pair]] = {}
        kept: dict[Key, list[Pair]] = {}
        for was, now in filter(self._is_judged, self.found.pairs):
            before, after = _end(was), _end(now)
            if before is End.COMMITTED and after is not End.COMMITTED:
                lost.setdefault(was.key, []).append((was, now))
            elif before is End.ROLLED_BACK and after is End.COMMITTED:
                kept.setdefault(was.key, []).append((was, now))
        # Which of several equal writes a live one stands for is chance; only how many of them are kept counts.
        more = Counter(call.key for call in self.found.extra if _end(call) is End.COMMITTED)
        fewer = Counter(call.key for call in self.found.unmade if _end(call) is End.COMMITTED)
        left = [*_beyond(lost, kept, more), *_beyond(kept, lost, fewer)]
        groups: dict[tuple[int, End, frozenset[int]], list[Pair]] = {}
        for was, now in sorted(left, key=lambda pair: pair[1].started_ns):
            assert now.fate is not None
            if not now.fate.transaction.missed and (now.fate.end is not End.OPEN or self._had_time(was)):
                groups.setdefault((id(now.fate.transaction), now.fate.end, was.owners), []).append((was, now))
        for (_, end, _), pairs in groups.items():
            yield _ended(end, pairs)

    def _is_judged(self, pair: Pair) -> bool:
        was, now = pair
        ended = _end(was) in (End.COMMITTED, End.ROLLED_BACK) and now.fate is not None
        return ended and was.writes and self._answered(was)

    def _answered(self, call: Call) -> bool:
        return bool(call.owners) and all(self.evidence.handled[owner].answered for owner in call.owners)

    def _had_time(self, was: Call) -> bool:
        """Whether the run went on long enough after the answer for a transaction that ends after the answer."""
        late = self._late(was)
        since = max(self.evidence.handled[owner].live_until_ns for owner in was.owners)
        return late <= 0 or self.evidence.until_ns - since >= max(PATIENCE_NS, TIMES_AS_LATE * late)

    def _late(self, was: Call) -> int:
        """By how much a recorded transaction ended after the answer of its exchange; nanoseconds."""
        assert was.fate is not None
        return was.fate.transaction.ended_ns - max(self.evidence.handled[one].until_ns for one in was.owners)

    def split(self) -> Iterator[Fault]:
        """Writes that were committed together and are committed apart."""
        together = _by_transaction(call for call in self.evidence.recorded
                                   if _end(call) and self._answered(call) and self._late(call) <= 0)  # fmt: skip
        live = {was.sequence: now for was, now in self.found.pairs}
        made: dict[int, list[Counter[Key]]] = {}
        for calls in _by_transaction(self.evidence.live).values():
            for owner in {owner for call in calls for owner in call.owners}:
                made.setdefault(owner, []).append(Counter(call.key for call in calls))
        for (_, owners), calls in together.items():
            keys = Counter(call.key for call in calls)
            if any(keys <= some for owner in owners for some in made.get(owner, ())):
                continue
            pairs = [(call, live[call.sequence]) for call in calls if call.sequence in live]
            apart = {id(now.fate.transaction) for _, now in pairs if now.fate and now.fate.end is End.COMMITTED}
            if len(pairs) == len(calls) and len(apart) > 1:
                yield _torn(pairs, len(apart))


def _end(call: Call) -> End | None:
    return call.fate.end if call.fate is not None else None


def _beyond(some: dict[Key, list[Pair]], others: dict[Key, list[Pair]], excused: Counter[Key]) -> Iterator[Pair]:
    """Those of each write that are more than the others and what is excused."""
    for key, pairs in some.items():
        surely = sorted(pairs, key=lambda pair: (len(pair[0].owners), pair[1].started_ns))
        yield from surely[: max(len(pairs) - len(others.get(key, ())) - excused[key], 0)]


def _by_transaction(calls: Iterable[Call]) -> dict[tuple[int, frozenset[int]], list[Call]]:
    """The committed writes of each transaction of several, by who made them."""
    found: dict[tuple[int, frozenset[int]], list[Call]] = {}
    for call in calls:
        if call.writes and call.fate is not None and call.fate.end is End.COMMITTED:
            found.setdefault((id(call.fate.transaction), call.owners), []).append(call)
    return {key: calls for key, calls in found.items() if len(calls) > 1}


def _ended(end: End, pairs: Sequence[Pair]) -> Fault:
    place, owners = pairs[0][0].place, _owners(pairs)
    more = _others([was for was, _ in pairs[1:]], place)
    if end is End.COMMITTED:
        said = f"{place} was rolled back, is committed{more}"
        return Fault(Kind.COMMITTED, Severity.ERROR, place, owners, said, End.ROLLED_BACK, End.COMMITTED)
    if end is End.ROLLED_BACK:
        said = f"{place} was committed, is rolled back{more}"
        return Fault(Kind.ROLLED_BACK, Severity.ERROR, place, owners, said, End.COMMITTED, End.ROLLED_BACK)
    said = f"{place} was committed, is never committed: its transaction is open to the end{more}"
    return Fault(Kind.UNCOMMITTED, Severity.ERROR, place, owners, said, End.COMMITTED, End.OPEN)


def _torn(pairs: Sequence[Pair], apart: int) -> Fault:
    place, times = pairs[0][0].place, Counter(was.place for was, _ in pairs)
    named = [f"{each} ({often(count)})" if count > 1 else each for each, count in times.items()]
    said = ", ".join(named[:TOLD]) + (f" and {len(named) - TOLD} more" if len(named) > TOLD else "")
    said += f" were committed in one transaction, are committed in {apart}: one can be kept and another lost"
    return Fault(Kind.SPLIT, Severity.WARNING, place, _owners(pairs), said, 1, apart)


def _owners(pairs: Sequence[Pair]) -> tuple[int, ...]:
    was, now = pairs[0]
    return tuple(sorted(now.owners or was.owners, key=lambda one: (one not in was.owners, one)))


def _others(calls: Sequence[Call], first: str) -> str:
    """`; so are 2 other writes of its transaction: …`, those of the first one's kind by their number alone."""
    if not calls:
        return ""
    kinds = [place for place in dict.fromkeys(call.place for call in calls) if place != first]
    named = ", ".join(kinds[:TOLD]) + (f" and {len(kinds) - TOLD} more" if len(kinds) > TOLD else "")
    many = "1 other write" if len(calls) == 1 else f"{len(calls)} other writes"
    return f"; so {'is' if len(calls) == 1 else 'are'} {many} of its transaction" + (f": {named}" if named else "")
