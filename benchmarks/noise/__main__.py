"""`python -m benchmarks.noise [--quick] [--json]`: how often one noisy field gives a false alarm, and how often a fault
in it is missed.

Simulated: `n` answers, three replays of unchanged code, each answer differing with the field's rate of noise. The
threshold rule (20 % relative, 0.03 % absolute, one replay of unchanged code) is what others use.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from random import Random
from typing import NamedTuple

from wiretape_replay.compare.evidence import FALSE_DISCOVERIES, Tally, rises
from wiretape_replay.compare.shape import Shape

ANSWERS = (10, 30, 100)
RATES = (0.02, 0.1, 0.5, 0.9)
REPLAYS = 3
SEED = 20261123
TRIALS = 4000

type Draw = Callable[[Random], float | str]

FAMILIES: dict[str, Draw] = {
    "jitter": lambda random: random.gauss(0.87, 0.004),
    "around zero": lambda random: random.gauss(0, 1),
    "uniform": lambda random: random.uniform(0, 100),
    "skewed (log-normal, sigma 1.5)": lambda random: random.lognormvariate(3, 1.5),
    "count": lambda random: random.randrange(100, 900),
    "host name": lambda random: f"web-{random.randrange(1, 200)}",
    "text": lambda random: "x" * max(1, round(random.gauss(40, 12))),
}
BREAKS: dict[str, Callable[[float | str], float | str | None]] = {
    "null": lambda _: None,
    "empty": lambda value: "" if isinstance(value, str) else None,
    "other type": lambda value: 7 if isinstance(value, str) else str(value),
    "x1000, or 10 times as long": lambda value: value * 10 if isinstance(value, str) else value * 1000,
}


class Cell(NamedTuple):
    """One number of answers and one rate of noise; percent of trials."""

    answers: int
    rate: float
    alarm: float
    missed: float
    threshold_alarm: float
    threshold_missed: float


def cell(answers: int, rate: float, trials: int) -> Cell:
    """The unchanged code, and a fault that changes the value in every answer but keeps its shape."""
    random = Random(f"{SEED} {answers} {rate}")
    counts = dict.fromkeys(("alarm", "missed", "threshold_alarm", "threshold_missed"), 0)
    for _ in range(trials):
        known = Tally()
        for _ in range(REPLAYS):
            known.add(_draws(random, answers, rate), answers)
        same = _draws(random, answers, rate)
        counts["alarm"] += told(same, answers, known)
        counts["missed"] += not told(answers, answers, known)
        once = known.passes[0][0]
        counts["threshold_alarm"] += threshold(same, once, answers)
        counts["threshold_missed"] += not threshold(answers, once, answers)
    return Cell(answers, rate, **{name: 100 * count / trials for name, count in counts.items()})


def told(differed: int, of: int, known: Tally) -> bool:
    """Whether wiretape calls it a finding; a single field, so that q is the level of its test."""
    if known.constant:
        return differed > 0
    return rises(differed, of, known) <= FALSE_DISCOVERIES


def threshold(differed: int, noise: int, of: int) -> bool:
    """The rule of thumb."""
    both = differed + noise
    return differed > noise and 100 * (differed - noise) / both > 20 and 100 * (differed - noise) / of > 0.03


def shape_rates(answers: int, trials: int) -> dict[str, dict[str, float]]:
    """By family: percent of unchanged answers out of shape, and of broken ones within."""
    found: dict[str, dict[str, float]] = {}
    for family, draw in FAMILIES.items():
        random = Random(f"{SEED} {answers} {family}")
        rates = dict.fromkeys(("false alarm", *BREAKS), 0)
        for _ in range(trials):
            shape, recorded = Shape(), draw(random)
            for _ in range(answers * REPLAYS):
                shape.add(draw(random), recorded)
            value = draw(random)
            rates["false alarm"] += bool(shape.fault(value, recorded))
            for name, change in BREAKS.items():
                rates[name] += not shape.fault(change(value), recorded)
        found[family] = {name: 100 * count / trials for name, count in rates.items()}
    return found


def _draws(random: Random, of: int, rate: float) -> int:
    return sum(random.random() < rate for _ in range(of))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.noise", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the trials")
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object, last")
    asked = parser.parse_args()
    trials = TRIALS // 10 if asked.quick else TRIALS
    cells = [cell(answers, rate, trials) for answers in ANSWERS for rate in RATES]
    print("| answers | noise | false alarm % | missed % | thresholds: false alarm % | missed % |")  # noqa: T201
    print("|---:|---:|---:|---:|---:|---:|")  # noqa: T201
    for one in cells:
        print(f"| {one.answers} | {one.rate:.0%} | {one.alarm:.1f} | {one.missed:.1f} "  # noqa: T201
              f"| {one.threshold_alarm:.1f} | {one.threshold_missed:.1f} |")  # fmt: skip
    shapes = {answers: shape_rates(answers, trials // 4) for answers in (1, 10, 30)}
    print("\n| answers | values | out of shape, unchanged % |" + "".join(f" missed: {name} % |" for name in BREAKS))  # noqa: T201
    print("|---:|---|---:|" + "---:|" * len(BREAKS))  # noqa: T201
    for answers, families in shapes.items():
        for family, rates in families.items():
            print(f"| {answers} | {family} |" + "".join(f" {rate:.2f} |" for rate in rates.values()))  # noqa: T201
    if asked.json:
        print(json.dumps({"trials": trials, "cells": [one._asdict() for one in cells], "shape": shapes}))  # noqa: T201


if __name__ == "__main__":
    main()
