"""When sessions begin, and which: as recorded, at random, evenly; scaled by clones that keep the shape of bursts. Pure.

A session of the recording stands for one unit of arrivals from its own start to the start of the next one. A scale
of N puts N clones on that stretch at equal distances, so that every burst stays a burst, N times as strong; after
a pause the stretch is cut, so that a pause stays one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from random import Random

from wiretape_replay.load.stages import Level

BINS = 60
"""Into so many stretches a recording is divided when shapes are compared."""
SPREAD = 1 / (10 * BINS)
"""The longest stretch that clones of a session are put on, as a share of the recording."""
MOST_BINS = 6000
SLICE = 0.1
"""Seconds for which a changing scale is taken as constant."""
LONE_PERIOD = 1.0
"""Seconds between repetitions of a recording whose sessions all began at once, unless they took longer."""
NARROWEST_BIN = 0.1
"""Seconds: no machine keeps the shape of anything finer."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A session that begins."""

    number: int
    """Counted over all workers, so that no two clones are alike."""
    script: int
    """Which recorded session it is a clone of."""
    at: float
    """Seconds after the load began."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """The starts of recorded sessions, relative to the first and divided by the speed."""

    starts: tuple[float, ...]
    period: float
    """After how long the recording begins again when it is repeated."""

    @classmethod
    def of(cls, starts_ns: Sequence[int], ends_ns: Sequence[int], speed: float) -> Rhythm:
        """The rhythm of sessions by their first request's start and last answer's end, in order of their starts."""
        if not starts_ns:
            return cls((), 0.0)
        first = starts_ns[0]
        starts = tuple((start - first) / 1e9 / speed for start in starts_ns)
        span = starts[-1]
        # A session does not begin again before it was over: a few clients that began at once are no burst of clients.
        longest = max(end - start for start, end in zip(starts_ns, ends_ns, strict=True)) / 1e9 / speed
        if span == 0:
            return cls(starts, max(longest, LONE_PERIOD / speed))
        return cls(starts, max(span * len(starts) / (len(starts) - 1), longest))


type Stretch = tuple[float, float, int]
"""From, to, and the recorded session."""


def recorded(rhythm: Rhythm, level: Level, until: float | None) -> Iterator[Arrival]:
    """Arrivals as recorded; with `until` the recording is repeated for so many seconds."""
    stretches = _recorded_stretches(rhythm, repeated=until is not None)
    yield from _placed(stretches, level, until, (float(number) for number in count()), None)


def constant(rate: float, scripts: int, level: Level, until: float | None) -> Iterator[Arrival]:
    """`rate` sessions a second at equal distances."""
    yield from _placed(_even_stretches(rate, scripts, until), level, until,
                       (float(number) for number in count()), scripts)  # fmt: skip


def poisson(rate: float, scripts: int, level: Level, until: float | None, seed: str) -> Iterator[Arrival]:
    """`rate` sessions a second on average, each independent of all others."""
    yield from _placed(_even_stretches(rate, scripts, until), level, until, _random_steps(seed), scripts)


def planned_profile(rhythm: Rhythm, level: Level, until: float | None, width: float,
                    stopped: float | None = None) -> dict[int, float]:  # fmt: skip
    """How much should arrive in each bin, were the recording scaled without rounding or delay.

    Of a load that was stopped, what should have arrived until then.
    """
    ends = min((each for each in (until, stopped) if each is not None), default=None)
    profile: dict[int, float] = {}
    for start, _, _ in _recorded_stretches(rhythm, repeated=until is not None):
        if ends is not None and start >= ends:
            break
        profile[int(start / width)] = profile.get(int(start / width), 0.0) + level.at(start)
    return profile


def bin_width(period: float, until: float | None) -> float:
    """The bins' width in seconds: a sixtieth of the recording, within bounds."""
    return max(period / BINS, (until or period) / MOST_BINS, NARROWEST_BIN)


def fidelity(planned: dict[int, float], seen: dict[int, int]) -> float | None:
    """How much of the planned shape was kept, from 0 to 1: one minus the total variation distance of both profiles.

    That is the share of sessions that began in the bin in which they should have; None where nothing began.
    """
    wanted, began = sum(planned.values()), sum(seen.values())
    if not wanted or not began:
        return None
    bins = planned.keys() | seen.keys()
    return 1 - sum(abs(planned.get(each, 0.0) / wanted - seen.get(each, 0) / began) for each in bins) / 2


def _recorded_stretches(rhythm: Rhythm, *, repeated: bool) -> Iterator[Stretch]:
    longest = rhythm.period * SPREAD
    for turn in count() if repeated else range(1):
        base = turn * rhythm.period
        for script, start in enumerate(rhythm.starts):
            following = rhythm.starts[script + 1] if script + 1 < len(rhythm.starts) else rhythm.period
            yield base + start, base + start + min(max(following - start, 0.0), longest), script
        if not rhythm.starts:
            return


def _even_stretches(rate: float, scripts: int, until: float | None) -> Iterator[Stretch]:
    for number in count() if until is not None else range(scripts):
        yield number / rate, (number + 1) / rate, number


def _placed(stretches: Iterator[Stretch], level: Level, until: float | None, marks: Iterator[float],
            scripts: int | None) -> Iterator[Arrival]:  # fmt: skip
    """An arrival wherever the scaled mass of the stretches reaches the next mark; `scripts` are taken in turn."""
    number, mass, mark = 0, 0.0, next(marks)
    for start, end, script in stretches:
        if until is not None and start >= until:
            return
        for begin, stop, share in _slices(start, end, level):
            more = share * level.at(begin)
            while mark < mass + more:
                at = begin + (stop - begin) * (mark - mass) / more
                if until is None or at < until:
                    yield Arrival(number, script if scripts is None else number % scripts, at)
                    number += 1
                mark = next(marks)
            mass += more


def _slices(start: float, end: float, level: Level) -> Iterator[tuple[float, float, float]]:
    """Parts of a stretch with their share of it, short enough for a changing scale."""
    if level.constant or end - start <= SLICE:
        yield start, end, 1.0
        return
    parts = int((end - start) / SLICE) + 1
    step = (end - start) / parts
    for part in range(parts):
        yield start + part * step, start + (part + 1) * step, 1 / parts


def _random_steps(seed: str) -> Iterator[float]:
    chance, mark = Random(seed), 0.0
    while True:
        mark += chance.expovariate(1.0)
        yield mark
