"""Is the app slower than its baseline: `slower`, `within` the limit, or, on a noisy machine, `unclear`.

Judges pairs of response times; knows neither how they were measured nor what follows from the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from wiretape_replay.verdict.paired import Pairs, chance_of_slower, measured, pairs_required, pairs_wanted

ALPHA = 0.005
"""Chance of calling an app slower that is exactly as slow as the limit allows; one that is as fast as its baseline
is called slower much more rarely."""

BETA = 0.05
"""Chance of calling an app within the limit that is twice as slow as the limit allows."""

MISSED = 2.0
"""An app so many times slower than the limit must be told from one within it, or nothing is said."""

FLOOR_MS = 0.5
"""A difference below this is none, whatever its share: it is within what a loopback client can tell."""

EARLIER = 1.5
"""How much slower than the limit an app must be than an *earlier run*: between two runs the machine itself changes."""

FEWEST = 8
"""Fewer pairs than this can never be significant: 2⁻⁸ is the first power of two below `ALPHA`."""

FAMILY_ALPHA = 0.01
FINDING_FACTOR = 1.1
FINDING_STATISTICS = ("p50", "p95")


@dataclass(frozen=True, slots=True)
class Slowdown:
    """What pairs say about one statistic."""

    said: Literal["slower", "within", "unclear"]
    app_ms: float
    baseline_ms: float
    pairs: int
    chance: float
    """How likely chance alone makes the app look so slow."""
    why: str = ""
    """For `unclear`: what is missing."""

    @property
    def ratio(self) -> float:
        """How many times the baseline's time the app took."""
        return self.app_ms / self.baseline_ms if self.baseline_ms else float("inf")


def slowdown(pairs: Pairs, name: str, factor: float) -> Slowdown:
    """Whether a statistic such as `p95` of the app is above `factor` times that of its baseline."""
    app, baseline = measured(pairs.app, name), measured(pairs.baseline, name)
    if len(pairs) < pairs_required(name):
        return Slowdown("unclear", app, baseline, len(pairs), 1.0, _too_few(len(pairs), pairs_required(name)))
    above = app > factor * baseline and app - baseline >= FLOOR_MS
    if above:
        strict = factor if pairs.interleaved else factor * EARLIER
        chance = chance_of_slower(pairs, name, strict)
        if chance <= ALPHA:
            return Slowdown("slower", app, baseline, len(pairs), chance)
        return Slowdown("unclear", app, baseline, len(pairs), chance, _unproven(pairs, name, factor, chance))
    chance = chance_of_slower(pairs.reversed(), name, 1 / (MISSED * factor))
    if chance <= BETA:
        return Slowdown("within", app, baseline, len(pairs), 1 - chance)
    return Slowdown("unclear", app, baseline, len(pairs), 1 - chance, _too_noisy(len(pairs), factor, chance))


@dataclass(frozen=True, slots=True)
class SlowRoute:
    """A route that is slower than its baseline beyond chance, judged together with all other routes."""

    route: str
    statistic: str
    slowdown: Slowdown


def slow_routes(routes: Mapping[str, Pairs]) -> list[SlowRoute]:
    """Routes slower by a tenth and half a millisecond; chance names one in at most a hundredth of all runs (Holm)."""
    asked = [(route, name, pairs) for route, pairs in sorted(routes.items()) for name in FINDING_STATISTICS
             if pairs.interleaved and len(pairs) >= max(FEWEST, pairs_required(name))]  # fmt: skip
    draws = min(max(2000, round(2 * len(asked) / FAMILY_ALPHA)), 20_000)
    judged = sorted((_slow(route, name, pairs, draws) for route, name, pairs in asked), key=lambda one: one[0])
    found: dict[str, SlowRoute] = {}
    for tried, (chance, one) in enumerate(judged):
        if chance > FAMILY_ALPHA / (len(judged) - tried):
            break
        found.setdefault(one.route, one)
    return [found[route] for route in sorted(found)]


def _slow(route: str, name: str, pairs: Pairs, draws: int) -> tuple[float, SlowRoute]:
    app, baseline = measured(pairs.app, name), measured(pairs.baseline, name)
    above = app > FINDING_FACTOR * baseline and app - baseline >= FLOOR_MS
    chance = chance_of_slower(pairs, name, FINDING_FACTOR, draws) if above else 1.0
    return chance, SlowRoute(route, name, Slowdown("slower", app, baseline, len(pairs), chance))


def _too_few(have: int, needed: int) -> str:
    return f"{have} {_pairs(have)} {'is' if have == 1 else 'are'} too few, it needs {needed}"


def _unproven(pairs: Pairs, name: str, factor: float, chance: float) -> str:
    if len(pairs) < FEWEST:
        return _too_few(len(pairs), FEWEST)
    if not pairs.interleaved and chance_of_slower(pairs, name, factor) <= ALPHA:
        return "the machine may have changed since the earlier run: measure both at once, with --baseline URL"
    wanted = pairs_wanted(len(pairs), chance, ALPHA)
    more = f"about {wanted} pairs would tell" if wanted else "the machine is too noisy to tell"
    return f"chance explains it (p = {chance:.2g}, {len(pairs)} pairs): {more}"


def _too_noisy(have: int, factor: float, chance: float) -> str:
    if have < FEWEST:
        return _too_few(have, FEWEST)
    wanted = pairs_wanted(have, chance, BETA)
    more = f"about {wanted} pairs would" if wanted else "the machine is too noisy"
    return f"{have} pairs cannot rule out that it is {MISSED * factor:.3g} times slower: {more}"


def _pairs(count: int) -> str:
    return "pair" if count == 1 else "pairs"
