"""All measurements, interleaved: every repetition runs each generator once, one after the other."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.load import ours, rivals
from benchmarks.load.origin import floor, nginx, stalling
from benchmarks.load.replaying import Speed, replay_speeds
from benchmarks.load.rivals import Sent
from benchmarks.load.tools import installed, missing

RIVALS = ("wrk", "hey", "vegeta", "locust")
STATIC, BOUND = "wiretape", "wiretape, ids followed"
SESSION = 20
"""Requests of one session."""
STALL_RATE = 200.0
SCHEDULED_RATE = 1000.0


@dataclass(frozen=True)
class Effort:
    """How much is measured."""

    repetitions: int
    seconds: int
    """For each generator."""
    scheduled_seconds: int
    stall_seconds: int
    replayed: tuple[int, int] | None
    """Requests of a regression replay, and of mitmproxy's; None: neither is measured."""


FULL, QUICK = Effort(5, 5, 10, 20, (5_000, 1_000)), Effort(1, 2, 3, 4, None)


@dataclass
class Results:
    """Figures of all repetitions."""

    sent: dict[str, list[Sent]] = field(default_factory=dict)
    lag_p99_ms: float | None = None
    lag_floor_ms: float | None = None
    """The same of a process that does nothing but sleep until deadlines."""
    stall_p99_ms: float | None = None
    stall_expected_ms: float = 0.0
    replays: tuple[Speed, Speed] | None = None
    """Of wiretape and of mitmproxy."""
    missing: list[str] = field(default_factory=list)

    def rate(self, name: str) -> float | None:
        """Median requests a second."""
        return median(one.per_second for one in self.sent[name]) if self.sent.get(name) else None

    def cpu_us(self, name: str) -> float | None:
        """Median processor time of a request."""
        return median(one.cpu_us for one in self.sent[name]) if self.sent.get(name) else None

    def ratio(self, name: str, rival: str) -> float | None:
        """The median of the ratios of each repetition: what slows both down cancels out."""
        pairs = list(zip(self.sent.get(name, ()), self.sent.get(rival, ()), strict=False))
        return round(median(a.per_second / b.per_second for a, b in pairs), 2) if pairs else None

    def cpu_ratio(self, name: str, rival: str) -> float | None:
        """The same for requests by processor time."""
        pairs = list(zip(self.sent.get(name, ()), self.sent.get(rival, ()), strict=False))
        return round(median(b.cpu_us / a.cpu_us for a, b in pairs), 2) if pairs else None


async def measure(folder: Path, effort: Effort) -> Results:
    """Measure everything."""
    found = installed()
    results = Results(missing=missing(found))
    if "nginx" not in found:
        raise SystemExit("the load benchmark needs nginx: apt-get install nginx")
    with nginx(found["nginx"], folder) as base:
        for _ in range(effort.repetitions):
            await _round(results, found, base, effort, folder)
        scheduled = await ours.load("scheduled", ours.reading(1), base, folder, arrivals="constant",
                                    rate=SCHEDULED_RATE, warmup=1.0,
                                    seconds=float(effort.scheduled_seconds))  # fmt: skip
        results.lag_floor_ms = floor(SCHEDULED_RATE, effort.seconds)
        if effort.replayed:
            results.replays = await replay_speeds(*effort.replayed, base, folder)
    assert scheduled.load is not None
    results.lag_p99_ms = scheduled.load.lag.p99 if scheduled.load.lag else None
    await _stall(results, effort, folder)
    return results


async def _round(results: Results, found: dict[str, str], base: str, effort: Effort, folder: Path) -> None:
    for name in RIVALS:
        if name in found:
            results.sent.setdefault(name, []).append(rivals.run(name, found[name], base, effort.seconds, folder))
        if name == "wrk":
            sent = await ours.closed("reading", ours.reading(SESSION), base, effort.seconds, folder)
            results.sent.setdefault(STATIC, []).append(sent)
        if name == "hey":
            sent = await ours.closed("ordering", ours.ordering(SESSION), base, effort.seconds, folder)
            results.sent.setdefault(BOUND, []).append(sent)


async def _stall(results: Results, effort: Effort, folder: Path) -> None:
    """One second without answers: who should have begun then waits, evenly from a second down to nothing.

    Of D seconds at a constant rate a share of 1/D waits, so that 1 % of all wait longer than 1 - D/100 seconds.
    """
    with stalling(effort.stall_seconds / 2) as url:
        run = await ours.load("stall", ours.reading(1), url, folder, arrivals="constant", rate=STALL_RATE,
                              seconds=float(effort.stall_seconds))  # fmt: skip
    results.stall_expected_ms = 1000 * (1 - effort.stall_seconds / 100)
    results.stall_p99_ms = run.latency.p99 if run.latency else None
