"""Simulated machines that take 5 ms for a request, give or take what each kind of machine adds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from random import Random

from wiretape_replay.verdict.paired import Pairs

TYPICAL_MS = 5.0


def quiet(random: Random) -> Iterator[float]:
    while True:
        yield TYPICAL_MS * random.lognormvariate(0, 0.05)


def noisy(random: Random) -> Iterator[float]:
    while True:
        yield TYPICAL_MS * random.lognormvariate(0, 0.5)


def heavy(random: Random) -> Iterator[float]:
    """A tail without a variance."""
    while True:
        yield TYPICAL_MS * random.paretovariate(1.5)


def bimodal(random: Random) -> Iterator[float]:
    while True:
        yield TYPICAL_MS * (1 if random.random() < 0.7 else 4) * random.lognormvariate(0, 0.1)


def drifting(random: Random) -> Iterator[float]:
    state, step = 1.0, random.uniform(-0.02, 0.02)
    while True:
        state *= math.exp(step)
        yield TYPICAL_MS * state * random.lognormvariate(0, 0.1)


def bursts(random: Random) -> Iterator[float]:
    """A neighbour that takes the processor for several requests in a row."""
    left = 0
    while True:
        left = left - 1 if left else random.randrange(3, 15) if random.random() < 0.03 else 0
        yield TYPICAL_MS * (6 if left else 1) * random.lognormvariate(0, 0.15)


MACHINES = {kind.__name__: kind for kind in (quiet, noisy, heavy, bimodal, drifting, bursts)}


def sent_in_turn(machine: str, random: Random, count: int, effect: float) -> Pairs:
    """Pairs measured on one machine, the order of each drawn, the app slower by a factor."""
    clock = MACHINES[machine](random)
    app, baseline = [], []
    for _ in range(count):
        one, two = next(clock), next(clock)
        ours, theirs = (one, two) if random.random() < 0.5 else (two, one)
        app.append(ours * effect)
        baseline.append(theirs)
    return Pairs(tuple(app), tuple(baseline))
