"""From exchange results to the numbers of a run: counts, response times, routes. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from wiretape_capture.snapshot.exchange import Exchange
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
    """Response times of what got a response."""
    return summary([result.latency_ms for result in results if result.latency_ms is not None])


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
        route=name, requests=counts.total, failed=counts.failed, errors=counts.errors, contract_violations=violations,
        latency=response_times(results),
        recorded_latency=summary([recorded[result.sequence].duration_us / 1000 for result in results]),
    )  # fmt: skip
