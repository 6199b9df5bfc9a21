"""From exchange results to the numbers of a run: counts, response times, routes. Pure."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence

from wiretape_capture.snapshot.exchange import Exchange
from wiretape_replay.verdict.histogram import Histogram
from wiretape_replay.verdict.metrics import count_outcomes
from wiretape_replay.verdict.model import ExchangeResult, LatencySummary, RouteSummary
from wiretape_replay.verdict.percentiles import summary


def route_summaries(results: Sequence[ExchangeResult], recorded: Mapping[int, Exchange],
                    violations: Mapping[str, int]) -> tuple[RouteSummary, ...]:  # fmt: skip
    """One summary for each route, by name."""
    groups: dict[str, list[ExchangeResult]] = {}
    for result in results:
        groups.setdefault(result.route, []).append(result)
    return tuple(_route(name, groups[name], recorded, violations.get(name, 0)) for name in sorted(groups))


def response_times(results: Sequence[ExchangeResult]) -> LatencySummary | None:
    """Response times of what got a response and was no warm-up."""
    return summary(_measured(results))


def warmed_up(results: Sequence[ExchangeResult], started_ns: Mapping[int, int], first: int) -> list[ExchangeResult]:
    """The results with the `first` answered requests of each route marked as warm-up."""
    seen: Counter[str] = Counter()
    cold = set()
    for result in sorted(results, key=lambda one: (started_ns.get(one.sequence, 0), one.sequence)):
        if result.latency_ms is not None:
            seen[result.route] += 1
            if seen[result.route] <= first:
                cold.add(result.sequence)
    return [one.model_copy(update={"warmup": True}) if one.sequence in cold else one for one in results]


def _measured(results: Sequence[ExchangeResult]) -> list[float]:
    return [result.latency_ms for result in results if result.latency_ms is not None and not result.warmup]


def reproducing(command: str, sequences: Sequence[int]) -> str:
    """The command line that made the run, narrowed to some exchanges; empty when the command is not known."""
    if not command:
        return ""
    words, after = _split(shlex.split(command))
    kept = [word for word, before in zip(words, ["", *words], strict=False)
            if before != "--only" and word != "--only" and not word.startswith("--only=")]  # fmt: skip
    only = [word for sequence in sequences for word in ("--only", str(sequence))]
    return shlex.join([*kept, *only, *after])


def _split(words: list[str]) -> tuple[list[str], list[str]]:
    """What comes before the app's own command, and that command with its `--`."""
    end = words.index("--") if "--" in words else len(words)
    return words[:end], words[end:]


def _route(name: str, results: Sequence[ExchangeResult], recorded: Mapping[int, Exchange],
           violations: int) -> RouteSummary:  # fmt: skip
    counts = count_outcomes(result.outcome for result in results)
    return RouteSummary(
        route=name, requests=counts.total, failed=counts.failed, errors=counts.errors,
        blocked=counts.blocked, contract_violations=violations,
        latency=response_times(results), histogram=Histogram.of(_measured(results)) if _measured(results) else None,
        recorded_latency=summary([recorded[result.sequence].duration_us / 1000 for result in results]),
    )  # fmt: skip
