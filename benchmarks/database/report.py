"""The figures as one JSON object and as tables."""

from __future__ import annotations

import os
from statistics import median
from typing import Any

from benchmarks.database.measure import Results, Row

LABELS = {
    "server": "the server itself",
    "tee": "plain forwarder",
    "recorder": "recording",
    "mock": "mock",
}
KINDS = {"postgres": "Postgres", "redis": "Redis"}
RECORDER_GOAL, MOCK_GOAL = 1.5, 1.0


def as_json(results: Results) -> dict[str, Any]:
    """Ratios by name, then the rows. `recorder_vs_tee` is that of the dearer of the databases."""
    figures: dict[str, Any] = {}
    for kind in results.kinds:
        figures[f"{kind}_recorder_vs_tee"] = round(results.dearer(kind, "recorder", "tee"), 2)
        figures[f"{kind}_mock_vs_real"] = round(results.faster(kind, "mock", "server"), 2)
    figures["lost"] = (results.asked - results.recorded).total()
    figures["recorder_vs_tee"] = max((figures[f"{kind}_recorder_vs_tee"] for kind in results.kinds), default=None)
    figures["rows"] = {kind: {name: _row(row) for name, row in rows.items()} for kind, rows in results.kinds.items()}
    figures["left_out"] = results.left_out
    figures["machine"] = results.machine
    figures["load_average"] = round(os.getloadavg()[1], 1)
    return figures


def _row(row: Row) -> dict[str, float]:
    told = {"per_second": round(median(row.per_second)), "carrier_us": round(median(row.carrier_us), 1)}
    if row.recorder_us:
        told["recorder_us"] = round(median(row.recorder_us), 1)
    return told


def table(results: Results) -> list[str]:
    """Markdown tables: the subjects, and the figures with their goals."""
    figures = as_json(results)
    lines = ["| | op/s | CPU µs/op | of the whole recorder |", "|---|---:|---:|---:|"]
    for kind, rows in figures["rows"].items():
        for name, row in rows.items():
            cpu = row["carrier_us"] or ""
            lines.append(
                f"| {KINDS[kind]}: {LABELS[name]} | {row['per_second']:,} | {cpu} | {row.get('recorder_us', '')} |"
            )
    lines += ["", "| goal | figure | goal | reached |", "|---|---:|---:|---|"]
    for kind in figures["rows"]:
        cost, speed = figures[f"{kind}_recorder_vs_tee"], figures[f"{kind}_mock_vs_real"]
        lines += [
            _goal(f"{KINDS[kind]}: CPU of the forwarding process, of a plain forwarder", cost, f"≤ {RECORDER_GOAL}",
                  reached=cost <= RECORDER_GOAL),
            _goal(f"{KINDS[kind]}: mock, of the real server", speed, f"≥ {MOCK_GOAL}", reached=speed >= MOCK_GOAL),
        ]  # fmt: skip
    asked = f"reads of {results.asked.total():,} that are not on the tape"
    lines.append(_goal(asked, figures["lost"], "0", reached=figures["lost"] == 0))
    effort = f"{results.size.rounds} rounds of {results.size.seconds:g} s, one connection"
    lines += ["", f"{effort}; {results.machine}, load average {figures['load_average']}."]
    return [*lines, *(f"Left out: {one}." for one in results.left_out)]


def _goal(name: str, figure: float, goal: str, *, reached: bool) -> str:
    return f"| {name} | {figure} | {goal} | {'yes' if reached else 'no'} |"
