"""Pairs of response times, app and baseline, and how likely chance alone makes the app look slower.

The test swaps the two sides of pairs. Where the order inside each pair was drawn when it was sent, that is exact
whatever the machine does meanwhile: it may drift, stall or have two modes, since a swap changes nothing but who went
first. Knows neither evals nor findings. Pure and repeatable: the same pairs have the same answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from math import fsum
from random import Random
from statistics import NormalDist

from wiretape_replay.verdict.percentiles import rank_of, samples_needed

EXACT = 12
"""Up to so many pairs every way of swapping them is tried; beyond, so many as are drawn."""

ENOUGH = 25
"""Draws at least as slow after which chance is a good enough explanation to stop drawing (Besag and Clifford 1991)."""

POWER = 0.8


@dataclass(frozen=True, slots=True)
class Pairs:
    """Milliseconds; place by place the same request."""

    app: tuple[float, ...]
    baseline: tuple[float, ...]
    interleaved: bool = True
    """Sent one after the other, in an order drawn for each pair. False: measured in another run, at another time."""

    def __len__(self) -> int:
        return len(self.app)

    def reversed(self) -> Pairs:
        """The same with the roles exchanged."""
        return Pairs(self.baseline, self.app, self.interleaved)

    @classmethod
    def joined(cls, parts: Iterable[Pairs]) -> Pairs:
        """All pairs of several routes."""
        every = list(parts)
        return cls(tuple(chain.from_iterable(part.app for part in every)),
                   tuple(chain.from_iterable(part.baseline for part in every)),
                   all(part.interleaved for part in every))  # fmt: skip


def measured(samples: Sequence[float], name: str) -> float:
    """One statistic of some samples: `avg`, `min`, `max` or `p95`."""
    if name == "avg":
        return fsum(samples) / len(samples)
    return sorted(samples)[_place(name, len(samples)) - 1]


def pairs_required(name: str) -> int:
    """How few pairs say nothing about this statistic: a percentile that is merely the slowest one is none."""
    return samples_needed(int(name[1:])) if name.startswith("p") else 1


def chance_of_slower(pairs: Pairs, name: str, factor: float, draws: int = 2000) -> float:
    """How likely the app looks at least so slow, by swapped pairs alone, if it took `factor` times the baseline."""
    if not pairs.app:
        return 1.0
    limit = [factor * value for value in pairs.baseline]
    statistic = _average(pairs.app, limit) if name == "avg" else _ranked(pairs.app, limit, _place(name, len(pairs)))
    return _chance(statistic, len(pairs), draws)


def pairs_wanted(pairs: int, chance: float, wanted: float) -> int | None:
    """About how many pairs would show what these only hint at; None where they hint at nothing."""
    if not 0 < chance < 0.4:
        return None
    normal = NormalDist()
    times = (normal.inv_cdf(1 - wanted) + normal.inv_cdf(POWER)) / normal.inv_cdf(1 - chance)
    more = round(pairs * max(times, 1) ** 2)
    return max(-(-more // 10) * 10, pairs + 10)


def _place(name: str, count: int) -> int:
    return {"min": 1, "max": count}[name] if name in ("min", "max") else rank_of(int(name[1:]), count)


type Swapped = Callable[[int], float]
"""The statistic when the pairs whose bits are set are swapped."""


def _chance(statistic: Swapped, count: int, draws: int) -> float:
    observed = statistic(0) * (1 - 1e-12)
    if count <= EXACT:
        return sum(statistic(swaps) >= observed for swaps in range(1 << count)) / (1 << count)
    random, slower = Random(count), 0
    for drawn in range(1, draws + 1):
        slower += statistic(random.getrandbits(count)) >= observed
        if slower >= ENOUGH:
            return slower / drawn
    return (slower + 1) / (draws + 1)


def _average(app: Sequence[float], limit: Sequence[float]) -> Swapped:
    total, gaps = fsum(app), [ours - theirs for ours, theirs in zip(app, limit, strict=True)]
    whole = total + fsum(limit)

    def swapped(swaps: int) -> float:
        ours = total - fsum(gap for index, gap in enumerate(gaps) if swaps >> index & 1)
        return _ratio(ours, whole - ours)

    return swapped


def _ranked(app: Sequence[float], limit: Sequence[float], place: int) -> Swapped:
    """Walks all values from the nearer end until both sides have reached the wanted place."""
    every = sorted([(value, index, 0) for index, value in enumerate(app)]
                   + [(value, index, 1) for index, value in enumerate(limit)])  # fmt: skip
    steps = place
    if place > len(app) // 2:
        every.reverse()
        steps = len(app) - place + 1

    def swapped(swaps: int) -> float:
        left, found = [steps, steps], [0.0, 0.0]
        for value, index, side in every:
            now = side ^ (swaps >> index & 1)
            left[now] -= 1
            if not left[now]:
                found[now] = value
                if left[1 - now] <= 0:
                    break
        return _ratio(*found)

    return swapped


def _ratio(app: float, limit: float) -> float:
    return app / limit if limit > 0 else float("inf") if app > 0 else 1.0
