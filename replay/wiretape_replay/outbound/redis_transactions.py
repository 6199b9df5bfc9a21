"""Transactions of Redis that were recorded and are now discarded, never executed, or sent without their MULTI. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from wiretape_capture.protocols.redis.told import TRANSACTION
from wiretape_replay.match.commands import CommandParts
from wiretape_replay.outbound.calls import Call
from wiretape_replay.outbound.fault import Fault, Kind
from wiretape_replay.outbound.pairing import Pairing
from wiretape_replay.verdict.model import Severity


def undone(found: Pairing, discarded: Sequence[Call], due: Callable[[Call], bool]) -> Iterator[Fault]:
    """Recorded transactions that do not come to their EXEC; they are missing no more. Those of exchanges whose status
    changed follow from that, and are not `due`."""
    for was in filter(due, _transactions(found)):
        now = next((call for call in discarded if call.place == was.place and call.owners & was.owners), None)
        if now is not None:
            found.unmade.remove(was)
            yield Fault(Kind.ROLLED_BACK, Severity.ERROR, was.place, _first(was, now),
                        f"{was.place} was executed, is {now.status}", "executed", now.status)  # fmt: skip


def one_by_one(found: Pairing) -> Iterator[Fault]:
    """Recorded transactions whose commands are sent without MULTI; neither is missing, unexpected or repeated then."""
    for was in _transactions(found):
        assert isinstance(was.parts, CommandParts)
        parts = list(was.parts.commands())
        templates = was.parts.path.removeprefix(f"{TRANSACTION} ").split("; ")
        sent = [call for call in (*found.missed, *found.extra)
                if call.parts.method != TRANSACTION and call.parts.segments[0] in templates and call.owners & was.owners
                and call.service == was.service][: len(parts)]  # fmt: skip
        if not any(call.writes for call in sent):
            continue
        found.unmade.remove(was)
        gone = set(map(id, sent))
        found.missed = [call for call in found.missed if id(call) not in gone]
        found.extra = [call for call in found.extra if id(call) not in gone]
        yield _torn(was, sent, other=any(_command(call) not in parts for call in sent))


def _torn(was: Call, sent: Sequence[Call], *, other: bool) -> Fault:
    missed = any(call.missed for call in sent)
    said = f"{was.place} is sent without MULTI: some of its commands can be done and others not"
    said += "; their content differs, too" if other else ""
    said += "; the recording does not answer them one by one" if missed else ""
    return Fault(Kind.SPLIT, Severity.ERROR if missed else Severity.WARNING, was.place, _first(was, sent[0]), said,
                 was.line, [call.line for call in sent])  # fmt: skip


def _transactions(found: Pairing) -> list[Call]:
    return [call for call in found.unmade if call.parts.method == TRANSACTION and call.owners]


def _first(was: Call, now: Call) -> tuple[int, ...]:
    return tuple(sorted(now.owners, key=lambda one: (one not in was.owners, one)))


def _command(call: Call) -> object:
    return next(call.parts.commands(), None) if isinstance(call.parts, CommandParts) else None
