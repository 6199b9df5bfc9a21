"""Reads that the recording's exchanges did not make, each given to the route whose handling they go with. Pure.

Of requests under way together any may have made such a read, and one that happens to speak of another of them seems to
be that one's. A change of the app sits in a route, so that all of its reads fall into the handling of that one, and
into that of others only as often as any call does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from wiretape_replay.match.database import DatabaseParts
from wiretape_replay.outbound.calls import Call
from wiretape_replay.outbound.evidence import Evidence
from wiretape_replay.outbound.fills import give_fills
from wiretape_replay.outbound.likelihood import CLEARLY, likelihood, usual_share
from wiretape_replay.outbound.pairing import pair


def settled(evidence: Evidence) -> Evidence:
    """The same with the owners of new reads changed where one route explains them, and of what they fill."""
    found = (_Newcomer.of(call, evidence) for call in _beyond(evidence))
    moved = [_give(some, evidence) for some in by_kind(found, lambda one: one.call)]
    evidence = evidence.again() if any(moved) else evidence
    return evidence.again() if give_fills(evidence) else evidence


def collection(call: Call) -> str:
    """`GET catalog:80/products/` of `GET catalog:80/products/mug`, `cache: GET price:` of a read of `price:ink`.

    Of a statement nothing: its place is its whole template.
    """
    if isinstance(call.parts, DatabaseParts):
        return f"{call.service}: {call.parts.collection}" if call.parts.collection else ""
    path, slash, _ = call.place.rpartition("/")
    return path + slash if "/" in path else ""


def kind_of(call: Call) -> str:
    """What reads of several things of one kind have in common."""
    return collection(call) or call.place


def by_kind[T](some: Iterable[T], call: Callable[[T], Call]) -> Collection[list[T]]:
    """What has to do with reads of one kind, together; `call` gives the read."""
    found: dict[str, list[T]] = {}
    for one in some:
        found.setdefault(kind_of(call(one)), []).append(one)
    return found.values()


def is_usual(evidence: Evidence, call: Call) -> bool:
    """Whether a read says nothing new: a timer's, a probe, or what an empty cache makes an app ask for."""
    if call.housekeeping or call.place in evidence.perishable:
        return True
    if not call.specific:
        return call.place in evidence.timed
    return evidence.raced(call) and evidence.remembered(call)


def _beyond(evidence: Evidence) -> Iterator[Call]:
    """New reads of the exchanges that were replayed."""
    replayed = [call for call in evidence.recorded if not call.writes
                and (not call.owners or any(evidence.handled[one].live_from_ns for one in call.owners))]  # fmt: skip
    known, often = {call.key for call in evidence.recorded}, Counter(call.key for call in replayed)
    reads = [call for call in evidence.live if not call.writes and call.key in known]
    more = {key for key, times in Counter(call.key for call in reads).items() if times > often[key]}
    found = pair((call for call in replayed if call.key in more), (call for call in reads if call.key in more))
    return (call for call in (*found.extra, *found.missed) if call.owners and not is_usual(evidence, call))


@dataclass(frozen=True, slots=True)
class _Newcomer:
    call: Call
    strays: bool
    """It says nothing of any exchange that it may belong to."""
    by_route: Mapping[str, tuple[Call, frozenset[int]]]
    """Who may have made it, by route; of two calls of the same request either may be the new one."""

    @classmethod
    def of(cls, call: Call, evidence: Evidence) -> _Newcomer:
        handled, by_route = evidence.handled, dict[str, tuple[Call, frozenset[int]]]()
        for one in (call, *evidence.interchangeable(call)):
            some: dict[str, set[int]] = {}
            for owner in one.under_way:
                some.setdefault(handled[owner].route, set()).add(owner)
            for route, owners in some.items():
                by_route.setdefault(route, (one, frozenset(owners)))
        strays = not any(call.values & handled[owner].values for owner in call.owners)
        return cls(call, strays, by_route)


def _give(some: Sequence[_Newcomer], evidence: Evidence) -> bool:
    """Give new reads of one kind to the routes that explain them, the likeliest first; whether any changed hands."""
    moved, left = False, list(some)
    usual = _Usual(evidence, {id(one.call) for one in some})
    while (route := _likeliest(left, usual)) is not None:
        for one in left:
            if route in one.by_route:
                call, owners = one.by_route[route]
                moved |= call.owners != owners
                call.owners = owners
        left = [one for one in left if route not in one.by_route]
    return moved


def _likeliest(some: Sequence[_Newcomer], usual: _Usual) -> str | None:
    """The route in whose handling new reads fall so much more often than other calls do, and clearly before others.

    It must be one that may have made a read which speaks of nobody.
    """
    times = Counter(route for one in some for route in one.by_route)
    routes = {route for one in some if one.strays for route in one.by_route}
    judged = sorted(((likelihood(times[route], len(some), usual.share(route)), route) for route in routes),
                    reverse=True)  # fmt: skip
    if not judged or (len(judged) > 1 and judged[0][0] - judged[1][0] < CLEARLY):
        return None
    return judged[0][1]


class _Usual:
    """How large a share of all other calls falls into the handling of a route."""

    def __init__(self, evidence: Evidence, without: Iterable[int]) -> None:
        left_out = set(without)
        self._calls = [call for call in evidence.live if id(call) not in left_out]
        self._times = Counter(route for call in self._calls
                              for route in {evidence.handled[owner].route for owner in call.under_way})  # fmt: skip

    def share(self, route: str) -> float:
        return usual_share(self._times[route], len(self._calls))
