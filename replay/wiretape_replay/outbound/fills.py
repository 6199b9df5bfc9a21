"""What fills a cache goes with the read that found it empty. Pure.

A route that newly reads keys of Redis, and writes them where nothing is there, makes writes that another route was
recorded to make, and that speak of that one's requests.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence

from wiretape_replay.match.commands import CommandParts, Home
from wiretape_replay.match.index import Key
from wiretape_replay.outbound.calls import Call
from wiretape_replay.outbound.evidence import Evidence

type Reads = dict[tuple[str, Home], list[Call]]
"""Reads that are new to their routes, in time, by service and key."""


def give_fills(evidence: Evidence) -> bool:
    """Give writes beyond the recorded ones to the exchanges whose new reads of the same keys they follow; whether any
    changed hands."""
    reads = _new_reads(evidence)
    moved = False
    for calls, more in _surplus(evidence) if reads else ():
        # What a route that is known to make it may have made comes last: some of these are no surplus.
        for call in sorted(calls, key=lambda call: (_is_usual(call, evidence), call.started_ns)):
            owners = _filler(call, reads, evidence) if more > 0 else frozenset[int]()
            if owners:
                more -= 1
                moved |= call.owners != owners
                call.owners = owners
    return moved


def _new_reads(evidence: Evidence) -> Reads:
    found: Reads = {}
    for call in sorted(evidence.live, key=lambda call: call.started_ns):
        if isinstance(call.parts, CommandParts) and not call.writes and _is_new(call, call.owners, evidence):
            for home in call.parts.homes:
                found.setdefault((call.service, home), []).append(call)
    return found


def _is_new(call: Call, owners: frozenset[int], evidence: Evidence) -> bool:
    """Whether none of the routes was recorded to call the place."""
    routes = {evidence.handled[owner].route for owner in owners}
    return bool(routes) and not any(evidence.most_at(route, call.place) for route in routes)


def _is_usual(call: Call, evidence: Evidence) -> bool:
    """Whether an exchange that it belongs to, and that was under way, is of a route that was recorded to call there."""
    owners = call.owners & call.under_way
    return bool(owners) and not _is_new(call, owners, evidence)


def _surplus(evidence: Evidence) -> Iterator[tuple[list[Call], int]]:
    """The writes of each key that were made more often than recorded, and how much more."""
    often = Counter[Key](call.key for call in evidence.recorded if call.writes and (
        not call.owners or any(evidence.handled[one].live_from_ns for one in call.owners)))  # fmt: skip
    made: dict[Key, list[Call]] = {}
    for call in evidence.live:
        if call.writes and not call.missed and isinstance(call.parts, CommandParts):
            made.setdefault(call.key, []).append(call)
    return ((calls, len(calls) - often[key]) for key, calls in made.items() if len(calls) > often[key])


def _filler(call: Call, reads: Reads, evidence: Evidence) -> frozenset[int]:
    """The exchanges under way that newly read just before what this call writes, and were not recorded to write it."""
    assert isinstance(call.parts, CommandParts)
    for home in call.parts.homes:
        before: Sequence[Call] = reads.get((call.service, home), ())
        for read in reversed(before[: bisect_right(before, call.started_ns, key=lambda read: read.started_ns)]):
            owners = read.owners & call.under_way
            if owners and _is_new(call, owners, evidence):
                return owners
    return frozenset()
