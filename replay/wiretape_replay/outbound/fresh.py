"""Values that each run makes afresh and that were one in the calls of a recorded exchange: they must be one again.

The mock takes such a value for the recorded one wherever it stands, since no recording can know it. That two calls had
the same, the recording does know. Readings of a clock are left out: two of them may fall together. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from wiretape_capture.snapshot.exchange import Response
from wiretape_replay.match.content import content_of
from wiretape_replay.match.matcher import CUT
from wiretape_replay.match.volatile import made_afresh, text_of
from wiretape_replay.outbound.calls import Call

type Spot = tuple[int, str]
"""A recorded call, and a place in it."""


@dataclass(frozen=True, slots=True)
class Stand:
    """Where an identifier stood in one exchange, and what the run has there."""

    call: Call
    where: str
    recorded: str
    live: str


@dataclass(frozen=True, slots=True)
class Torn:
    """A value that was one in two places, and is two."""

    first: Stand
    """Where the recording has it first."""
    other: Stand


@dataclass(frozen=True, slots=True)
class Withheld:
    """A value that a call and the app's own answer had in common, and have no more."""

    stand: Stand
    pointer: str
    answered: str


@dataclass(frozen=True, slots=True)
class Merged:
    """Two values of one call that are one."""

    first: Stand
    other: Stand


def torn(live: Iterable[Call]) -> Iterator[tuple[int, Torn]]:
    """By exchange, values that were the same in two of its places and are not any more."""
    live = [call for call in live if call.names]
    known = _values_by_spot(live)
    for owner, calls in _by_owner(live).items():
        if any(call.afresh for call in calls):
            yield from ((owner, one) for one in _torn_in(calls, known))


def _torn_in(calls: Iterable[Call], known: Mapping[Spot, set[str]]) -> Iterator[Torn]:
    firsts: dict[str, Stand] = {}
    told: set[tuple[str, str]] = set()
    for call in sorted(calls, key=lambda call: (call.sequence, call.started_ns)):
        for stand in stands(call):
            first = firsts.setdefault(stand.recorded, stand)
            # What another round, or another exchange, has at the first place belongs to that one.
            if stand.live in known[first.call.sequence, first.where] or (stand.recorded, stand.live) in told:
                continue
            told.add((stand.recorded, stand.live))
            yield Torn(first, stand)


def withheld(calls: Iterable[Call], recorded: Response | None, live: Response | None) -> Iterator[Withheld]:
    """Values that the calls of one exchange had in common with its answer, and have no more.

    Members of arrays are left out: they may come in another order.
    """
    found = [stand for call in calls for stand in stands(call)]
    if recorded is None or live is None or all(stand.recorded == stand.live for stand in found):
        return
    was, now = (content_of(one.headers, one.body).leaves for one in (recorded, live))
    answered, values = dict(now), {stand.live for stand in found}
    for place, value in was:
        first = next((stand for stand in found if stand.recorded == value), None)
        came = answered.get(place)
        if first is None or not isinstance(came, str) or any(step.isdecimal() for step in place.split("/")):
            continue
        if text_of(came) not in values and made_afresh(place, value, came):
            yield Withheld(first, place.removeprefix("body"), came)


def merged(call: Call) -> Iterator[Merged]:
    """Values of one call that differed in the recording and are the same now."""
    firsts: dict[str, Stand] = {}
    for stand in stands(call) if call.afresh else ():
        first = firsts.setdefault(stand.live, stand)
        if first.recorded != stand.recorded:
            yield Merged(first, stand)


def stands(call: Call) -> Iterator[Stand]:
    """The identifiers of a live call."""
    for place, text in call.names:
        where = "path" if place.startswith("path/") else place
        yield Stand(call, where, text, call.afresh.get((where, text[:CUT]), text[:CUT]))


def _values_by_spot(live: Iterable[Call]) -> dict[Spot, set[str]]:
    known: dict[Spot, set[str]] = {}
    for call in live:
        for stand in stands(call):
            known.setdefault((call.sequence, stand.where), set()).add(stand.live)
    return known


def _by_owner(live: Iterable[Call]) -> dict[int, list[Call]]:
    found: dict[int, list[Call]] = {}
    for call in live:
        for owner in call.owners:
            found.setdefault(owner, []).append(call)
    return found
