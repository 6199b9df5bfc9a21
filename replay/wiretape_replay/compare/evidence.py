"""The statistics of noise: how often a place differed on unchanged code, and whether it now differs more. Pure numbers.

Unit of observation is one answer: a list with a thousand elements is one observation, for its elements vary together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import exp, lgamma

ENOUGH = 3
"""Observations without a difference from which on a place counts as one that does not vary."""

FALSE_DISCOVERIES = 0.01
"""Expected share of false alarms among the noisy places that are reported (Benjamini and Hochberg's q)."""


@dataclass(slots=True)
class Tally:
    """In how many of how many answers a place differed, in all and in each baseline replay by itself."""

    differed: int = 0
    of: int = 0
    passes: list[tuple[int, int]] = field(default_factory=list)

    def add(self, differed: int, of: int) -> None:
        """Count one replay."""
        self.differed += differed
        self.of += of
        self.passes.append((differed, of))

    @property
    def highest_rate(self) -> float:
        """The greatest share of differing answers in any one replay: noise is often the same within a process."""
        return max((differed / of for differed, of in self.passes if of), default=0.0)

    @property
    def constant(self) -> bool:
        """Whether it never differed, and was looked at often enough to say so."""
        return self.differed == 0 and self.of >= ENOUGH


def fisher_greater(a: int, n: int, b: int, m: int) -> float:
    """The chance of `a` or more of `n` when `a + b` differences fall at random on `n + m` answers (Fisher, exact)."""
    total, population = a + b, n + m
    whole = _log_choose(population, total)
    terms = (exp(_log_choose(n, k) + _log_choose(m, total - k) - whole) for k in range(a, min(n, total) + 1))
    return min(1.0, sum(terms))


def benjamini_hochberg(chances: Sequence[float], q: float = FALSE_DISCOVERIES) -> list[bool]:
    """Which of several tests are significant while at most a share `q` of those is expected to be so by chance."""
    order = sorted(range(len(chances)), key=lambda index: chances[index])
    last = max((rank for rank, index in enumerate(order, 1) if chances[index] <= q * rank / len(chances)), default=0)
    found = set(order[:last])
    return [index in found for index in range(len(chances))]


def rises(a: int, n: int, tally: Tally) -> float:
    """The chance that a place which differed in `a` of `n` answers differs no more often than on unchanged code.

    1 when it differs no more than in some baseline replay: what is drawn once in a process (the seed of a hash, a
    host) differs in all its answers or in none, and Fisher's test would take them for independent.
    """
    if n == 0 or a / n <= tally.highest_rate:
        return 1.0
    return fisher_greater(a, n, tally.differed, tally.of)


def at_most_percent(of: int) -> float:
    """With no difference in `of` answers, the rate is below this with 95 % confidence (the rule of three)."""
    return min(100.0, 300 / of) if of else 100.0


def median(values: Iterable[float]) -> float:
    """The middle value, the lower one of two."""
    ordered = sorted(values)
    return ordered[(len(ordered) - 1) // 2]


def _log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) if 0 <= k <= n else float("-inf")
