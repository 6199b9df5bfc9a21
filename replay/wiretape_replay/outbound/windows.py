"""The inbound exchanges of a recording or a run: when each was handled, and what it says. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wiretape_capture.protocols.http import SAFE
from wiretape_replay.outbound.calls import Call

NEARLY = 0.8
"""Share of a route's exchanges that are enough to say that its exchanges make a call."""


@dataclass(frozen=True, slots=True)
class Window:
    """When one inbound exchange was handled, and what it is about."""

    sequence: int
    started_ns: int
    ended_ns: int
    trace: str
    route: str
    values: frozenset[str]
    words: frozenset[str] = frozenset()
    """What else its request says: enough to choose between exchanges, too little to tie a call to one."""
    made: frozenset[str] = frozenset()
    """Identifiers that it made: enough to choose between exchanges for a write."""
    status: str = ""

    @property
    def ending(self) -> tuple[str, str]:
        """Its route and the class of its status: exchanges that end alike make the same calls."""
        return self.route, self.status[:1]

    def said(self, call: Call) -> frozenset[str]:
        """What it and a call both say: a write is not given to a request that only reads for a word."""
        if call.writes and only_reads(self.route):
            return call.values & self.values
        both = call.values & self.values | call.values & self.words
        return both | call.values & self.made if call.writes else both


def only_reads(route: str) -> bool:
    """Whether its method is safe (RFC 9110 §9.2.1): such a request leaves no writes for later."""
    return route.partition(" ")[0] in SAFE


def by_values(call: Call, windows: Sequence[Window]) -> frozenset[int]:
    """Those that share most of the call's values, of the values that not all of them share."""
    said = {window.sequence: window.said(call) for window in windows}
    everyone = frozenset.intersection(*said.values())
    shared = {one: len(some - everyone) for one, some in said.items()}
    most = max(shared.values())
    best = [sequence for sequence, count in shared.items() if count == most]
    return frozenset(best) if most and len(best) < len(windows) else frozenset()
