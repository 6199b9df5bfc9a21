"""When a database could not be connected to in the recording, so that it cannot in the mock at the same points. Pure.

A refused connection says nothing by which it could be matched. What is known is what was answered before it and after
it, and which requests of the app were under way. Where a replay tells what is under way, that decides: a request whose
connections were refused gets none, whatever others do at the same time. Else the recorded order does: connections are
refused once what came last before was answered, as often as they were recorded to be, or until something is asked for
that was answered after.

A login that a server refuses, which serves others, is an outage of its own that concerns only who logs in alike: no
connection ends with it, it is over with the next login that is accepted, and logins that were accepted between what was
answered last and it are accepted first.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from wiretape_capture.snapshot import exchange as wire
from wiretape_capture.snapshot.exchange import Exchange
from wiretape_replay.mock.journal import Entry

LATER = 8
"""Exchanges after an outage any of which shows that it is over."""

type Login = tuple[str, str]
"""User and database."""


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
    """Connections that were refused one after the other, with none served in between; of a login, one."""

    after: int
    """The exchange that was answered last before; 0 for none."""
    after_ns: int = 0
    login: Login | None = None
    """Whom it concerns; None: everyone."""
    admitted: list[int] = field(default_factory=list)
    """When such logins were accepted since `after` (ns)."""
    refusals: list[Refusal[R]] = field(default_factory=list)
    later: list[int] = field(default_factory=list)
    """The first exchanges that were answered after it."""
    survived: bool = False
    """Connections from before were used after it: not the whole server was gone."""
    gone: bool = False
    """It may have been gone: not every refusal was one of a server that serves others."""
    served_ns: int = 0
    """When a connection was served again; 0 for never."""
    owners: frozenset[int] = frozenset()
    """Inbound exchanges that were under way at any of the refusals."""
    inside: bool = False
    """One of these had what was answered before it."""
    passes: bool = False
    """It was over before one of these had ended."""
    admitted_inside: int = 0
    """How many of `admitted` came while one of these was under way."""

    @property
    def breaks(self) -> bool:
        """Whether connections from before end with it."""
        return self.gone and not self.survived

    def ends_with(self, exchange: Exchange, *, matched: bool) -> None:
        """It is over: a connection was accepted, or something else passed on one."""
        self.served_ns = self.served_ns or exchange.started_ns
        if matched and len(self.later) < LATER:
            self.later.append(exchange.sequence)

    def falls_into(self, started_ns: int, ended_ns: int, sequence: int) -> None:
        """A request was under way at one of the refusals."""
        self.owners |= {sequence}
        self.inside |= started_ns <= self.after_ns <= ended_ns
        self.passes |= started_ns <= self.served_ns <= ended_ns
        self.admitted_inside = max(self.admitted_inside, sum(started_ns <= each for each in self.admitted))


class Outages[R]:
    """All outages of one recorded database, told in recorded order."""

    def __init__(self) -> None:
        self.all: list[Outage[R]] = []
        self.ends_idle = False
        """Connections were ended while they were idle: before which request is to be known."""
        self._after = self._after_ns = 0
        self._last: Outage[R] | None = None
        """The last that concerns everyone."""
        self._known: set[str] = set()
        self._before: set[str] = set()
        self._logins: dict[str, tuple[Login, int]] = {}
        """By connection, and which exchange made it."""
        self._admitted: dict[Login, list[int]] = {}
        self._open: dict[Login, list[Outage[R]]] = {}
        """Refused logins of which it is not known yet what came after."""

    def refused(self, exchange: Exchange, said: R, *, lives: bool = False) -> None:
        """A connection was refused; `lives`: others live on, for the server is there."""
        if self._last is None or self._last.served_ns:
            self._last = self._new()
            self._before = set(self._known)
        self._last.gone |= not lives
        self._last.refusals.append(_refusal(exchange, said))

    def denied(self, exchange: Exchange, said: R, login: Login) -> None:
        """A login was refused by a server that serves others."""
        if self._last is not None:
            self._last.served_ns = self._last.served_ns or exchange.started_ns
        outage = self._new(login)
        outage.refusals.append(_refusal(exchange, said))
        self._open.setdefault(login, []).append(outage)

    def _new(self, login: Login | None = None) -> Outage[R]:
        admitted = [*self._admitted.get(login, ())] if login is not None else []
        outage: Outage[R] = Outage(self._after, self._after_ns, login, admitted)
        self.all.append(outage)
        return outage

    def served(self, exchange: Exchange, *, matched: bool, login: Login | None = None) -> None:
        """A connection was accepted, or something else passed on one; `matched`: by which the mock is asked.

        `login` says of one that was accepted whose it is.
        """
        self._known.add(exchange.connection)
        if login is not None:
            self._logins[exchange.connection] = login, exchange.sequence
        if self._last is not None:
            self._last.survived |= exchange.connection in self._before
            self._last.ends_with(exchange, matched=matched)
        self._admits(exchange, matched=matched)
        if matched:
            self._after, self._after_ns = exchange.sequence, exchange.started_ns
            self._admitted.clear()
        elif login is not None:
            self._admitted.setdefault(login, []).append(exchange.started_ns)

    def _admits(self, exchange: Exchange, *, matched: bool) -> None:
        """Refused logins are over with the next one that is accepted, not with what passes on older connections."""
        login, made = self._logins.get(exchange.connection, (("", ""), 0))
        if login not in self._open:
            return
        for each in self._open[login]:
            if made > each.refusals[0].sequence:
                each.ends_with(exchange, matched=matched)
        self._open[login] = [each for each in self._open[login] if len(each.later) < LATER]

    def settle(self, inbound: Iterable[Exchange]) -> bool:
        """Find out which requests they fell into; whether any did."""
        refusals = sorted(((one.started_ns, at) for at, outage in enumerate(self.all) for one in outage.refusals))
        times = [started for started, _ in refusals]
        for each in inbound if refusals else ():
            ended = each.started_ns + each.duration_us * 1000
            for at in {at for _, at in refusals[bisect_left(times, each.started_ns) : bisect_right(times, ended)]}:
                self.all[at].falls_into(each.started_ns, ended, each.sequence)
        return self.ends_idle or any(outage.owners for outage in self.all)


def _refusal[R](exchange: Exchange, said: R) -> Refusal[R]:
    return Refusal(exchange.sequence, exchange.started_ns, exchange.status, said)


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
        self._admitted = [0] * len(outages.all)
        self._broken = [False] * len(outages.all)
        self._told = False
        self.in_flight: Collection[int] = ()
        """Inbound exchanges that a replay has under way."""
        self.on_begin: Callable[[int], None] = lambda _sequence: None
        """Called with each request that a replay begins."""

    @property
    def any(self) -> bool:
        """Whether connections may have to end."""
        return any(each.breaks for each in self._outages)

    def attempt(self, login: Login | None = None) -> Refusal[R] | None:
        """A client connects, or logs in: how it is refused; None where it is served."""
        lasting = [at for at, each in enumerate(self._outages) if each.login == login and self._lasts(at, each)]
        due = [at for at in lasting if self._admitted[at] >= self._to_admit(self._outages[at])]
        if not due:
            for at in lasting:
                self._admitted[at] += 1
            return None
        at = next((each for each in due if not self._is_spent(each)), due[-1])
        refusals = self._outages[at].refusals
        self._given[at] += 1
        return refusals[min(self._given[at], len(refusals)) - 1]

    def _is_spent(self, at: int) -> bool:
        return self._given[at] >= len(self._outages[at].refusals)

    def _to_admit(self, outage: Outage[R]) -> int:
        """Logins that are accepted before it, once it may begin."""
        return outage.admitted_inside if self.in_flight and not outage.inside else len(outage.admitted)

    def _lasts(self, at: int, outage: Outage[R]) -> bool:
        spent = self._is_spent(at)
        if self.in_flight:
            concerned = not outage.owners.isdisjoint(self.in_flight) and not (spent and outage.passes)
            return concerned and (not outage.inside or self._has_begun(outage))
        if self._told and outage.login is not None and outage.owners:
            return False  # its requests are known, and none of them is under way
        if (spent and outage.served_ns) or not self._has_begun(outage):
            return False
        return not any(each in self._used for each in outage.later)

    def _has_begun(self, outage: Outage[R]) -> bool:
        return not outage.after or outage.after in self._used

    def begins(self, sequence: int, clients: Collection[Client]) -> None:
        """A replay begins a request: all connections end if they had ended when it was recorded."""
        self._told = True
        self.on_begin(sequence)
        broken = False
        for at, outage in enumerate(self._outages):
            due = not outage.inside or self._has_begun(outage)
            if sequence in outage.owners and due and outage.breaks and not self._broken[at]:
                broken = self._broken[at] = True
        if broken:
            _hang_up(clients)

    def breaks(self) -> bool:
        """Whether an outage has begun with what was answered last: then all connections are to end, once they rest."""
        return any(self._breaks(at, outage) for at, outage in enumerate(self._outages))

    def _breaks(self, at: int, outage: Outage[R]) -> bool:
        if (
            self._broken[at]
            or not outage.breaks
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
