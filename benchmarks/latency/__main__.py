"""`python -m benchmarks.latency [--quick] [--json]`: how often a slowdown is caught, and how often there is none.

Simulated machines, because a real one cannot be told to be equally fast twice. The figures are those of
`latency.p95 > baseline * 1.1`, and of the findings of a run with six routes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from benchmarks.latency.machines import MACHINES, sent_in_turn
from wiretape_replay.verdict.slowdown import slow_routes, slowdown

EFFECTS = (1.0, 1.1, 1.25, 1.5, 2.0, 3.0)
PAIRS = (20, 60, 200)
ROUTES = 6
SEED = 20261123


class Cell(NamedTuple):
    """One machine, so many pairs, one effect; percent of trials."""

    machine: str
    pairs: int
    effect: float
    slower: float
    within: float


def cells(trials: int) -> Iterator[Cell]:
    """Every combination."""
    for machine in MACHINES:
        for pairs in PAIRS:
            for effect in EFFECTS:
                random = Random(f"{SEED} {machine} {pairs} {effect}")
                said = [slowdown(sent_in_turn(machine, random, pairs, effect), "p95", 1.1).said for _ in range(trials)]
                yield Cell(machine, pairs, effect, 100 * said.count("slower") / trials,
                           100 * said.count("within") / trials)  # fmt: skip


def false_findings(trials: int) -> dict[str, float]:
    """Percent of runs of unchanged code in which any of the routes is called slower."""
    found = {}
    for machine in MACHINES:
        random = Random(f"{SEED} {machine}")
        runs = [slow_routes({f"GET /{route}": sent_in_turn(machine, random, 60, 1.0) for route in range(ROUTES)})
                for _ in range(trials)]  # fmt: skip
        found[machine] = 100 * sum(map(bool, runs)) / trials
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the trials")
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object, last")
    asked = parser.parse_args()
    trials = 30 if asked.quick else 300
    measured, found = list(cells(trials)), false_findings(trials)
    print("| machine | pairs |" + "".join(f" x{effect:g} |" for effect in EFFECTS))  # noqa: T201
    print("|---|---:|" + "---:|" * len(EFFECTS))  # noqa: T201
    for machine in MACHINES:
        for pairs in PAIRS:
            row = [one for one in measured if (one.machine, one.pairs) == (machine, pairs)]
            figures = "".join(f" {one.slower:.1f} / {one.within:.0f} |" for one in row)
            print(f"| {machine} | {pairs} |{figures}")  # noqa: T201
    print("false findings, % of runs:", ", ".join(f"{name} {share:.1f}" for name, share in found.items()))  # noqa: T201
    if asked.json:
        unchanged = [one.slower for one in measured if one.effect == 1.0]
        print(json.dumps({"trials": trials, "false_red_pct_max": max(unchanged),  # noqa: T201
                          "false_red_pct": sum(unchanged) / len(unchanged), "false_finding_pct": found,
                          "cells": [one._asdict() for one in measured]}))  # fmt: skip


if __name__ == "__main__":
    main()
