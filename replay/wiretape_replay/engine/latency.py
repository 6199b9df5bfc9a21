"""Response times of a run against its baseline: the pairs, what is told of them, which routes are slower."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from wiretape_replay.compare.findings import finding_id
from wiretape_replay.run_file import RunReader
from wiretape_replay.verdict.metrics import WHOLE_RUN
from wiretape_replay.verdict.model import (
    AgainstBaseline,
    ExchangeResult,
    Finding,
    FindingClass,
    LatencySummary,
    Part,
    Severity,
)
from wiretape_replay.verdict.paired import Pairs
from wiretape_replay.verdict.percentiles import summary
from wiretape_replay.verdict.slowdown import SlowRoute, slow_routes

type Reproduce = Callable[[Sequence[int]], str]


async def pairs_with_run(path: Path, results: Sequence[ExchangeResult], snapshot_sha256: str) -> dict[str, Pairs]:
    """By route, what an earlier run of the same snapshot took for the same exchanges."""
    async with await RunReader.open(path) as reader:
        if (await reader.run()).snapshot_sha256 != snapshot_sha256:
            return {}
        before = {one.sequence: one.latency_ms for one in await reader.results() if not one.warmup}
    found: dict[str, list[tuple[float, float]]] = {}
    for one in results:
        was = before.get(one.sequence)
        if one.latency_ms is not None and was is not None and not one.warmup:
            found.setdefault(one.route, []).append((one.latency_ms, was))
    return {route: Pairs(tuple(now for now, _ in both), tuple(was for _, was in both), interleaved=False)
            for route, both in found.items()}  # fmt: skip


def by_scope(routes: Mapping[str, Pairs]) -> dict[str, Pairs]:
    """The pairs that an eval may ask about: each route's and all together."""
    return {WHOLE_RUN: Pairs.joined(routes.values()), **routes}


def comparisons(routes: Mapping[str, Pairs]) -> tuple[AgainstBaseline, ...]:
    """Both sides of each route in numbers."""
    return tuple(
        AgainstBaseline(route=route, pairs=len(pairs), app=_summed(pairs.app), baseline=_summed(pairs.baseline))
        for route, pairs in routes.items() if pairs.app
    )  # fmt: skip


def latency_findings(routes: Mapping[str, Pairs], results: Sequence[ExchangeResult],
                     reproduce: Reproduce) -> list[Finding]:  # fmt: skip
    """One for each route that is slower than its baseline beyond chance; an eval decides whether that fails the run."""
    return [_finding(one, [each for each in results if each.route == one.route], reproduce)
            for one in slow_routes(routes)]  # fmt: skip


def _finding(one: SlowRoute, results: Sequence[ExchangeResult], reproduce: Reproduce) -> Finding:
    told = one.slowdown
    sequences = tuple(result.sequence for result in results)
    return Finding(
        id=finding_id(one.route, FindingClass.LATENCY, Part.EXCHANGE, "latency"), kind=FindingClass.LATENCY,
        severity=Severity.WARNING, breaking=False, route=one.route, part=Part.EXCHANGE, pointer="latency",
        expected=f"{told.baseline_ms:.2f} ms", actual=f"{told.app_ms:.2f} ms", sequences=sequences[:50],
        count=len(sequences), of=len(sequences), reproduce=reproduce(sequences[:1]),
        message=f"{one.route}: {told.ratio:.2f} times slower: {one.statistic} was {told.baseline_ms:.2f} ms on the "
                f"baseline and is {told.app_ms:.2f} ms",
        evidence=f"{told.pairs} pairs of requests sent in turn to baseline and app, p = {told.chance:.2g}",
    )  # fmt: skip


def _summed(samples: Sequence[float]) -> LatencySummary:
    told = summary(samples)
    assert told is not None
    return told
