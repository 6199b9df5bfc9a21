"""When a database could not be connected to in the recording, so that it cannot in the mock at the same points. Pure.

A refused connection says nothing by which it could be matched. What is known is what was answered before it and after
it, and which requests of the app were under way. Where a replay tells what is under way, that decides: a request whose
connections were refused gets none, whatever others do at the same time. Else the recorded order does: connections are
refused once what came last before was answered, as often as they were recorded to be, or until something is asked for
that was answered after.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from wiretape_capture.snapshot import exchange as wire
from wiretape_capture.snapshot.exchange import Exchange
from wiretape_replay.mock.journal import Entry

LATER = 8
"""Exchanges after an outage any of which shows that it is over."""


@dataclass(frozen=True, slots=True)
class Refusal[R]:
    """One connection that came to nothing."""

    sequence: int
    started_ns: int
    status: str
    said: R
    """What the client was told, in the protocol's own form."""


@dataclass(slots=True)
class Outage[R]:
    """Connections that were refused one after the other, with none served in between."""

    after: int
    """The exchange that was answered last before; 0 for none."""
    after_ns: int = 0
    refusals: list[Refusal[R]] = field(default_factory=list)
    later: list[int] = field(default_factory=list)
    """The first exchanges that were answered after it."""
    survived: bool = False
    """Connections from before were used after it: not the whole server was gone."""
    served_ns: int = 0
    """When a connection was served again; 0 for never."""
    owners: frozenset[int] = frozenset()
    """Inbound exchanges that were under way at any of the refusals."""
    inside: bool = False
    """One of these had what was answered before it."""
    passes: bool = False
    """It was over before one of these had ended."""


class Outages[R]:
    """All outages of one recorded database, told in recorded order."""

    def __init__(self) -> None:
        self.all: list[Outage[R]] = []
        self._after = self._after_ns = 0
        self._known: set[str] = set()
        self._before: set[str] = set()

    def refused(self, exchange: Exchange, said: R) -> None:
        """A connection was refused."""
        if not self.all or self.all[-1].served_ns:
            self.all.append(Outage(self._after, self._after_ns))
            self._before = set(self._known)
        self.all[-1].refusals.append(Refusal(exchange.sequence, exchange.started_ns, exchange.status, said))

    def served(self, exchange: Exchange, *, matched: bool) -> None:
        """A connection was accepted, or something else passed on one; `matched`: by which the mock is asked."""
        self._known.add(exchange.connection)
        if self.all:
            last = self.all[-1]
            last.served_ns = last.served_ns or exchange.started_ns
            last.survived |= exchange.connection in self._before
            if matched and len(last.later) < LATER:
                last.later.append(exchange.sequence)
        if matched:
            self._after, self._after_ns = exchange.sequence, exchange.started_ns

    def settle(self, inbound: Iterable[Exchange]) -> bool:
        """Find out which requests they fell into; whether any did."""
        for each in inbound if self.all else ():
            ended = each.started_ns + each.duration_us * 1000
            for outage in self.all:
                if any(each.started_ns <= one.started_ns <= ended for one in outage.refusals):
                    outage.owners |= {each.sequence}
                    outage.inside |= each.started_ns <= outage.after_ns <= ended
                    outage.passes |= each.started_ns <= outage.served_ns <= ended
        return any(outage.owners for outage in self.all)


def refused_entry(refusal: Refusal[Any], service: str, protocol: wire.Protocol, now: int) -> Entry:
    """The journal's line for a connection that was refused."""
    return Entry(now, service, "CONNECT", "CONNECT", "simulated", refusal.sequence, refusal.status, protocol=protocol)


class Client(Protocol):
    """One connection to a mocked database."""

    @property
    def rests(self) -> bool:
        """Whether nothing is under way on it."""
        ...

    def hang_up(self) -> None:
        """End it after what was said."""
        ...


class Doors[R]:
    """Whether the next connection to the mock is served. `used`: the exchanges that were served."""

    def __init__(self, outages: Outages[R], used: Collection[int]) -> None:
        self._outages = outages.all
        self._used = used
        self._given = [0] * len(outages.all)
        self._broken = [False] * len(outages.all)
        self._told = False
        self.in_flight: Collection[int] = ()
        """Inbound exchanges that a replay has under way."""

    @property
    def any(self) -> bool:
        """Whether any connection was ever refused."""
        return bool(self._outages)

    def attempt(self) -> Refusal[R] | None:
        """A client connects: how it is refused; None where it is served."""
        for at, outage in enumerate(self._outages):
            if self._lasts(at, outage):
                given = self._given[at]
                self._given[at] = given + 1
                return outage.refusals[min(given, len(outage.refusals) - 1)]
        return None

    def _lasts(self, at: int, outage: Outage[R]) -> bool:
        spent = self._given[at] >= len(outage.refusals)
        if self.in_flight:
            concerned = not outage.owners.isdisjoint(self.in_flight) and not (spent and outage.passes)
            return concerned and (not outage.inside or self._has_begun(outage))
        if (spent and outage.served_ns) or not self._has_begun(outage):
            return False
        return not any(each in self._used for each in outage.later)

    def _has_begun(self, outage: Outage[R]) -> bool:
        return not outage.after or outage.after in self._used

    def begins(self, sequence: int, clients: Collection[Client]) -> None:
        """A replay begins a request: all connections end if they had ended when it was recorded."""
        self._told = True
        broken = False
        for at, outage in enumerate(self._outages):
            due = not outage.inside or self._has_begun(outage)
            if sequence in outage.owners and due and not outage.survived and not self._broken[at]:
                broken = self._broken[at] = True
        if broken:
            _hang_up(clients)

    def breaks(self) -> bool:
        """Whether an outage has begun with what was answered last: then all connections are to end, once they rest."""
        return any(self._breaks(at, outage) for at, outage in enumerate(self._outages))

    def _breaks(self, at: int, outage: Outage[R]) -> bool:
        if (
            self._broken[at]
            or outage.survived
            or not outage.after
            or (self._told and outage.owners and not outage.inside)
        ):
            return False
        return outage.after in self._used and not any(each in self._used for each in outage.later)

    def break_off(self, clients: Collection[Client]) -> None:
        """End all connections if an outage has begun and all of them rest."""
        if not self.breaks() or not all(each.rests for each in clients):
            return
        for at, outage in enumerate(self._outages):
            self._broken[at] |= self._breaks(at, outage)
        _hang_up(clients)


def _hang_up(clients: Collection[Client]) -> None:
    for each in tuple(clients):
        each.hang_up()
