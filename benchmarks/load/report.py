"""The figures as one JSON object, as a table, and in benchmarks/README.md."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

from benchmarks.load.measure import BOUND, RIVALS, STATIC, Effort, Results

BEGIN, END = "<!-- load: begin -->", "<!-- load: end -->"
GOALS = {"vs_wrk": ">= 0.8", "vs_hey": ">= 2", "vs_vegeta": ">= 2", "vs_locust": ">= 10",
         "schedule_lag_p99_ms": "<= 2", "schedule_lag_floor_ms": "", "stall_p99_error_pct": "<= 5",
         "replay_vs_mitmproxy": ">= 5"}  # fmt: skip


def as_json(results: Results) -> dict[str, Any]:
    """Ratios by name; None where a reference is missing. `_cpu` is requests by the generator's processor time."""
    figures: dict[str, Any] = {}
    for rival in RIVALS:
        name = STATIC if rival == "wrk" else BOUND
        figures[f"vs_{rival}"] = results.ratio(name, rival)
        figures[f"vs_{rival}_cpu"] = results.cpu_ratio(name, rival)
    error = None
    if results.stall_p99_ms is not None:
        error = round(100 * abs(results.stall_p99_ms - results.stall_expected_ms) / results.stall_expected_ms, 2)
    lag = None if results.lag_p99_ms is None else round(results.lag_p99_ms, 3)
    if results.replays is not None:
        ours, theirs = results.replays
        figures |= {"replay_vs_mitmproxy": round(ours.per_second / theirs.per_second, 1),
                    "replay_vs_mitmproxy_cpu": round(ours.per_cpu_second / theirs.per_cpu_second, 1),
                    "replay_per_second": round(ours.per_second)}  # fmt: skip
    floor = None if results.lag_floor_ms is None else round(results.lag_floor_ms, 3)
    return {**figures, "schedule_lag_p99_ms": lag, "schedule_lag_floor_ms": floor, "stall_p99_error_pct": error,
            "repetitions": max(map(len, results.sent.values()), default=0), "missing": results.missing}  # fmt: skip


def table(results: Results, effort: Effort) -> list[str]:
    """Two Markdown tables: the generators, and the figures with their goals."""
    lines = [f"| {'generator':<24} | {'req/s':>9} | {'CPU us/req':>10} |", f"|{'-' * 26}|{'-' * 10}:|{'-' * 11}:|"]
    lines += [f"| {name:<24} | {rate:>9,.0f} | {results.cpu_us(name) or 0:>10.1f} |"
              for name in (*RIVALS, STATIC, BOUND) if (rate := results.rate(name)) is not None]  # fmt: skip
    figures = as_json(results)
    lines += ["", f"| {'':<24} | {'measured':>9} | {'goal':>10} |", f"|{'-' * 26}|{'-' * 10}:|{'-' * 11}:|"]
    for key, goal in GOALS.items():
        if key not in figures:
            continue
        value = "missing" if figures.get(key) is None else f"{figures[key]:g}"
        by_cpu = figures.get(f"{key}_cpu")
        lines.append(f"| {key:<24} | {value:>9} | {goal:>10} |")
        if by_cpu is not None:
            lines.append(f"| {key + ' by CPU time':<24} | {by_cpu:>9g} | {'':>10} |")
    lines += ["", f"Medians of {effort.repetitions} interleaved repetitions of {effort.seconds} s; {machine()}."]
    return [*lines, *(f"Missing: {one}" for one in results.missing)]


def machine() -> str:
    """What it was measured on, and how busy that was."""
    cores, busy = len(os.sched_getaffinity(0)), os.getloadavg()[1]
    return f"{cores} cores, Linux {platform.release()}, Python {platform.python_version()}, load average {busy:.1f}"


def write_into(page: Path, lines: list[str], command: str) -> None:
    """Put the tables between their markers."""
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    body = "\n".join([f"`{command}`:", "", *lines])
    page.write_text(f"{before}{BEGIN}\n{body}\n{END}{after}")
