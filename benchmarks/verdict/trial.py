"""The whole benchmark: which seeds, how much of everything, and what came of it. Several apps are under way at once."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.verdict.bound import Bindings
from benchmarks.verdict.detection import Detection, detect
from benchmarks.verdict.near import WrongMocks, try_near_duplicates
from benchmarks.verdict.recording import Recording, available, record
from benchmarks.verdict.unchanged import UnchangedRuns, learn, replay_unchanged
from wiretape_replay.compare.learned import LearnedRule

SEEDS = {"tune": range(1, 1000), "report": range(2000, 3000)}
"""Wiretape is developed on the first range; only the second is published. Seeds from 1000 on were published once, and
what they found was looked at: they report nothing any more."""


@dataclass(frozen=True, slots=True)
class Amount:
    """How much of one way of working."""

    unchanged: int
    """Runs of unchanged code in all."""
    faults: int
    """For each recording."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything."""

    recordings: int
    """Of each app, each with a seed of its own."""
    learned: Amount
    """After `wiretape noise learn`, as the README tells to work."""
    bare: Amount
    """By the recording alone."""
    bundle: int
    """Most faults in one run; they never share a route."""
    near: int
    """Near-duplicates for each recording."""
    observations: int
    """Unchanged runs in the laboratory, from which it is seen what really varies."""
    apps: tuple[str, ...] = ()
    """Which; all when empty."""


FULL = Size(recordings=3, learned=Amount(100, 18), bare=Amount(36, 6), bundle=4, near=400, observations=2)
QUICK = Size(
    recordings=1, learned=Amount(3, 6), bare=Amount(0, 0), bundle=6, near=40, observations=1,
    apps=("shop", "bookings", "ledger"),
)  # fmt: skip
"""One app for each runtime."""


@dataclass
class Figures:
    """What one way of working yielded."""

    unchanged: UnchangedRuns = field(default_factory=UnchangedRuns)
    detection: Detection = field(default_factory=Detection)


@dataclass
class Results:
    """What was measured."""

    learned: Figures = field(default_factory=Figures)
    """After `wiretape noise learn`."""
    bare: Figures = field(default_factory=Figures)
    """By the recording alone."""
    bindings: Bindings = field(default_factory=Bindings)
    mocks: WrongMocks = field(default_factory=WrongMocks)
    apps: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    seconds: float = 0.0


async def measure(work: Path, size: Size, seeds: range, only: Sequence[str] = ()) -> Results:
    """Run everything."""
    began = time.monotonic()
    apps, missing = await asyncio.to_thread(available, work, only or size.apps)
    results = Results(apps=apps, left_out=missing)
    gate = asyncio.Semaphore(max(2, min(6, os.cpu_count() or 2)))
    wanted = [(app, seed) for seed in seeds[: size.recordings] for app in results.apps]
    recordings = await _all(gate, "recorded", [record(app, seed, work) for app, seed in wanted])
    for recording in recordings:
        results.bindings.add(recording)
    await _all(gate, "tried near requests", [try_near_duplicates(one, results.mocks, size.near) for one in recordings])
    learned = await _all(gate, "learned noise", [learn(one) for one in recordings])
    await _measure(gate, size, size.learned, recordings, [one.noise for one in learned], results.learned)
    await _measure(gate, size, size.bare, recordings, [()] * len(recordings), results.bare)
    results.seconds = time.monotonic() - began
    return results


async def _measure(
    gate: asyncio.Semaphore,
    size: Size,
    amount: Amount,
    recordings: Sequence[Recording],
    rules: Sequence[Sequence[LearnedRule]],
    figures: Figures,
) -> None:
    """Runs without and with faults, by what was learned before."""
    turns = [number % len(recordings) for number in range(amount.unchanged)]
    name = "learned" if any(rules) else "bare"
    quiet = [replay_unchanged(recordings[at], f"{name}-{number}", rules[at]) for number, at in enumerate(turns)]
    for at, run in zip(turns, await _all(gate, f"{name}: replayed unchanged", quiet), strict=True):
        figures.unchanged.add(recordings[at], run)
    if amount.faults:
        faulty = [
            detect(one, amount.faults, size.bundle, size.observations, rule)
            for one, rule in zip(recordings, rules, strict=True)
        ]
        for part in await _all(gate, f"{name}: tested with faults", faulty):
            figures.detection.add(part)


async def _all[T](gate: asyncio.Semaphore, what: str, work: Sequence[Coroutine[None, None, T]]) -> list[T]:
    """Do all of it, a few at once, and tell how far it is."""
    done = 0

    async def one(job: Coroutine[None, None, T]) -> T:
        nonlocal done
        async with gate:
            result = await job
        done += 1
        print(f"{what}: {done} of {len(work)}", file=sys.stderr, flush=True)  # noqa: T201
        return result

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(job)) for job in work]
    return [task.result() for task in tasks]
