"""Which faults, and which other answers of the app, follow from a call before them. Pure.

A call that brought the app something else than recorded (another read, an error of the mock) comes before what the app
then did with it; a write that is missing shows in what is read of the same data later. Other faults stand alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from wiretape_replay.match.commands import CommandParts
from wiretape_replay.match.parts import Parts
from wiretape_replay.match.statements import StatementParts
from wiretape_replay.outbound.calls import Call
from wiretape_replay.outbound.evidence import Evidence
from wiretape_replay.outbound.fault import Fault, Kind
from wiretape_replay.outbound.pairing import Pairing
from wiretape_replay.verdict.model import Severity

_ROOTS = frozenset({Kind.CHANGED, Kind.UNEXPECTED})
_FILLS = frozenset({Kind.MISSING, Kind.DUPLICATED})
_LOST = frozenset({Kind.MISSING, Kind.CHANGED, Kind.ROLLED_BACK, Kind.UNCOMMITTED})


def other_reads(found: Pairing, evidence: Evidence) -> Iterator[tuple[Call, Call]]:
    """Reads of what an exchange was asked for, and what it read in their place that was recorded for others."""
    own = {(was.place, was.owner) for was, now in found.pairs if was.owner == now.owner}
    lost: dict[tuple[str, int | None], Call] = {}
    for was in (*found.unmade, *(was for was, now in found.pairs if was.owner != now.owner)):
        if not was.writes and was.owner is not None and was.values & evidence.handled[was.owner].values:
            lost.setdefault((was.place, was.owner), was)
    made = sorted((*found.extra, *(now for was, now in found.pairs if was.owner != now.owner)),
                      key=lambda call: call.started_ns)  # fmt: skip
    for now in made:
        at = now.place, now.owner
        if at not in lost or now.owner is None or at in own or now.key == lost[at].key:
            continue
        if not now.values & evidence.handled[now.owner].values:
            yield lost.pop(at), now


def with_causes(faults: Sequence[Fault], found: Pairing, evidence: Evidence,
                differing: Collection[int]) -> tuple[list[Fault], dict[int, Fault]]:  # fmt: skip
    """The faults, each with what it follows from, and the faults from which the answers of exchanges may follow."""
    shows = _shown_later(faults, found, evidence, differing)
    proven = set(map(id, shows.values()))
    raised = {id(one): replace(one, severity=Severity.ERROR) if id(one) in proven else one for one in faults}
    first, by_owner = _firsts(faults, evidence), dict[int, list[Fault]]()
    for one in faults:
        for owner in one.owners:
            by_owner.setdefault(owner, []).append(one)
    for owner, (root, at_ns) in first.items():
        later = any(one.severity is Severity.ERROR and _comes_after(one, root, at_ns, owner, evidence)
                    for one in by_owner[owner])  # fmt: skip
        if later or owner in differing:
            raised[id(root)] = replace(root, severity=Severity.ERROR)
    told, afterwards = list[Fault](), dict[int, Fault]()
    stale = _Stale.of(found, evidence, {owner: raised[id(root)] for owner, (root, _) in first.items()})
    for one in faults:
        owner = one.owners[0] if len(one.owners) == 1 else 0
        mine = raised[id(one)]
        if owner in first and _comes_after(one, *first[owner], owner, evidence):
            mine = replace(mine, after=raised[id(first[owner][0])])
        elif mine.after is None and owner not in first and (cause := stale.cause(one)) is not None:
            mine = replace(mine, after=cause)
            afterwards[owner] = cause
        told.append(mine)
    causes = {owner: raised[id(root)] for owner, (root, _) in first.items()}
    return told, {**afterwards, **{owner: raised[id(one)] for owner, one in shows.items()}, **causes}


@dataclass(frozen=True, slots=True)
class _Stale:
    """Keys of Redis that exchanges with a cause of their own did not write any more: later ones find them otherwise."""

    evidence: Evidence
    lost: Mapping[tuple[str, object], Sequence[tuple[int, Fault]]]
    """By service and key: the exchanges, each with its cause."""

    @classmethod
    def of(cls, found: Pairing, evidence: Evidence, causes: Mapping[int, Fault]) -> _Stale:
        """From what was not made."""
        lost: dict[tuple[str, object], list[tuple[int, Fault]]] = {}
        for call in found.unmade if causes else ():
            owner = call.owner
            if call.writes and owner is not None and owner in causes and isinstance(call.parts, CommandParts):
                for spot in _spots(call.parts):
                    lost.setdefault((call.service, spot), []).append((owner, causes[owner]))
        return cls(evidence, lost)

    def cause(self, fault: Fault) -> Fault | None:
        """What a missing or a new write of such a key in a later exchange may follow from."""
        if not self.lost or len(fault.owners) != 1 or fault.kind not in _FILLS:
            return None
        handled = self.evidence.handled
        owner = handled[fault.owners[0]]
        for call in (*self.evidence.calls_of(owner.sequence, fault.place),
                     *self.evidence.calls_of(owner.sequence, fault.place, live=True)):  # fmt: skip
            for spot in _spots(call.parts) if isinstance(call.parts, CommandParts) else ():
                for other, cause in self.lost.get((call.service, spot), ()):
                    if handled[other].from_ns < owner.from_ns and handled[other].live_from_ns < owner.live_from_ns:
                        return cause
        return None


def _firsts(faults: Iterable[Fault], evidence: Evidence) -> dict[int, tuple[Fault, int]]:
    """By exchange, the first call that brought it something else, and when that was."""
    found: dict[int, tuple[Fault, int]] = {}
    strange: dict[tuple[int, str], int] = {}
    for call in evidence.live:
        if call.owner is not None and (call.missed or _is_of_others(call, evidence)):
            at = call.owner, call.place
            strange[at] = min(strange.get(at, call.started_ns), call.started_ns)
    for one in faults:
        if one.kind in _ROOTS and len(one.owners) == 1 and (at_ns := strange.get((one.owners[0], one.place))):
            owner = one.owners[0]
            if owner not in found or at_ns < found[owner][1]:
                found[owner] = one, at_ns
    return found


def _is_of_others(call: Call, evidence: Evidence) -> bool:
    known = evidence.by_sequence.get(call.sequence)
    return known is not None and not call.writes and call.owner not in known.owners


def _comes_after(one: Fault, root: Fault, at_ns: int, owner: int, evidence: Evidence) -> bool:
    if one is root:
        return False
    place = one.place.split(", ")[0]
    now = [call.started_ns for call in evidence.calls_of(owner, place, live=True)]
    if now:
        return max(now) > at_ns
    was = [call.started_ns for call in evidence.calls_of(owner, place)]
    before = [call.started_ns for call in evidence.calls_of(owner, root.place)]
    return not before or not was or min(was) > min(before)


def _shown_later(faults: Sequence[Fault], found: Pairing, evidence: Evidence,
                 differing: Collection[int]) -> dict[int, Fault]:  # fmt: skip
    """Exchanges that read what was so before a write that was not made, by that write's fault."""
    lost: dict[tuple[str, object], list[tuple[int, Fault]]] = {}
    for one in faults:
        if one.kind in _LOST and one.owners:
            for call in evidence.calls_of(one.owners[0], one.place):
                for spot in _spots(call.parts) if call.writes else ():
                    lost.setdefault((call.service, spot), []).append((call.sequence, one))
    shown: dict[int, Fault] = {}
    for was, now in found.pairs if lost else ():
        if was.writes or now.owner is None or now.owner not in differing or not 0 < now.sequence < was.sequence:
            continue
        before = ((sequence, one) for spot in _spots(was.parts) for sequence, one in lost.get((was.service, spot), ()))
        cause = next((one for sequence, one in before if now.sequence < sequence < was.sequence), None)
        if cause is not None:
            shown.setdefault(now.owner, cause)
    return shown


def _spots(parts: Parts) -> frozenset[object]:
    if isinstance(parts, CommandParts):
        return frozenset(parts.homes)
    return frozenset(parts.tables) if isinstance(parts, StatementParts) else frozenset({parts.segments})
