"""The benchmark's results: one JSON object, a table, and its section of benchmarks/README.md."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.agent.start import told
from benchmarks.agent.trial import Results, Trial
from benchmarks.page import publish


def as_json(results: Results) -> dict[str, Any]:
    """All figures; calls and tokens are means over the bugs, with the worst beside them."""
    calls = [one.found.calls for one in results.trials]
    cost = [one.found.tokens for one in results.trials]
    return {
        "bugs": len(results.trials),
        "localised": sum(one.localised for one in results.trials),
        "calls_per_verdict": round(statistics.mean(calls), 2),
        "tokens_per_verdict": round(statistics.mean(cost)),
        "tool_list_tokens": results.tool_list_tokens,
        "initialize_s": round(results.initialize_s, 2),
        "tools_s": round(results.tools_s, 2),
        "most_calls": max(calls),
        "most_tokens": max(cost),
        "unchanged": results.unchanged,
        "missed": [missed(one) for one in results.trials if not one.localised],
        "seconds": round(results.seconds, 1),
    }


def missed(one: Trial) -> dict[str, str]:
    """What was said of a bug that was not localised."""
    claim = one.found.claim
    told = {"route": claim.route, "part": claim.part, "field": claim.field, "message": claim.message} if claim else {}
    return {"kind": one.bug.kind, "app": one.bug.app, "status": one.found.status, **told}


def table(results: Results) -> Iterator[str]:
    """What a terminal shows."""
    yield f"| {'bug':<22} | {'app':<13} | {'field and route':<15} | {'calls':>5} | {'tokens':>6} |"
    yield f"|{'-' * 24}|{'-' * 15}|{'-' * 17}|{'-' * 6}:|{'-' * 7}:|"
    for one in results.trials:
        said = "localised" if one.localised else "missed"
        yield f"| {one.bug.kind:<22} | {one.bug.app:<13} | {said:<15} | {one.found.calls:>5} | {one.found.tokens:>6} |"
    figures = as_json(results)
    yield (f"| {'all':<22} | {f'{len(results.unchanged)} apps':<13} | "
           f"{'{localised} of {bugs}'.format(**figures):<15} | "
           f"{figures['calls_per_verdict']:>5g} | {figures['tokens_per_verdict']:>6} |")  # fmt: skip


def facts(results: Results) -> list[str]:
    """What stands beside the table."""
    unchanged = "; ".join(f"{app}: {said}" for app, said in results.unchanged.items())
    return [
        f"Unchanged code: {unchanged}. List of tools: {results.tool_list_tokens} tokens.",
        told(results.starts),
    ]


def write_into(page: Path, results: Results) -> None:
    """Put the table into its section of a page."""
    head = f"`python -m benchmarks.agent`, {len(results.trials)} bugs, {results.seconds:.0f} s:"
    publish(page, "agent", [head, "", *table(results), "", *facts(results)])
