"""When each exchange may be sent: an absolute schedule, and the recorded order around writes. Pure.

Sessions run concurrently, but what was written before something else began in the recording is written before it
at replay too: otherwise a list read by one session would depend on how fast another one happens to be.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from wiretape_capture.errors import UsageError
from wiretape_capture.protocols.http import SAFE
from wiretape_capture.snapshot.exchange import Exchange

TOGETHER_NS = 20_000_000
"""Overlaps below this are within the precision of a recording that was imported, such as a HAR's milliseconds."""


def speed_of(timing: str) -> float | None:
    """How many times faster than recorded; None for as soon as possible."""
    if timing == "asap":
        return None
    if timing == "recorded":
        return 1.0
    multiple = re.fullmatch(r"(\d+(?:\.\d+)?)x", timing)
    if multiple is None or float(multiple[1]) == 0:
        raise UsageError(f"{timing!r} is no timing", "use asap, recorded or a multiple such as 2x")
    return float(multiple[1])


@dataclass(frozen=True, slots=True)
class Slot:
    """When one exchange may be sent."""

    exchange: Exchange
    at: float
    """Seconds after the run began; never moved by how long anything before it took."""
    needs_all: int
    """How many exchanges, counted in the order in which they ended in the recording, must have ended."""
    needs_writes: int
    """The same among those that write."""
    ended: int
    """Its own place in that order."""
    ended_write: int | None
    """Its own place among those that write; None when it only reads."""


def schedule(exchanges: Sequence[Exchange], speed: float | None) -> list[Slot]:
    """The slots of exchanges in the order in which they began."""
    order = sorted(exchanges, key=lambda one: (_end(one), one.started_ns, one.sequence))
    writes = [one for one in order if one.command not in SAFE]
    ends, write_ends = [_end(one) for one in order], [_end(one) for one in writes]
    place = {one.sequence: index for index, one in enumerate(order)}
    write_place = {one.sequence: index for index, one in enumerate(writes)}
    first = min((one.started_ns for one in exchanges), default=0)
    return [
        Slot(
            exchange=one,
            at=0.0 if speed is None else (one.started_ns - first) / 1e9 / speed,
            needs_all=0 if one.command in SAFE else bisect_left(ends, one.started_ns),
            needs_writes=bisect_left(write_ends, one.started_ns),
            ended=place[one.sequence],
            ended_write=write_place.get(one.sequence),
        )
        for one in exchanges
    ]


def must_end_first(earlier: Exchange, later: Exchange) -> bool:
    """Whether, within a session, one that began earlier must have its answer before the later one is sent.

    Requests that were clearly under way together stay so: a long poll is answered by what its session does meanwhile.
    """
    if earlier.connection and earlier.connection == later.connection and earlier.request.version.startswith("HTTP/1"):
        return True
    return _end(earlier) <= later.started_ns + TOGETHER_NS


def _end(exchange: Exchange) -> int:
    return exchange.started_ns + exchange.duration_us * 1000
