"""The benchmark's results as one JSON object, as a table of 80 columns, and in benchmarks/README.md."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.verdict.detection import Trial
from benchmarks.verdict.trial import Results

BEGIN, END = "<!-- verdict: begin -->", "<!-- verdict: end -->"


def percent(part: int, whole: int) -> float | None:
    """A share; None where nothing was counted."""
    return round(100 * part / whole, 2) if whole else None


def as_json(results: Results) -> dict[str, Any]:
    """All figures."""
    runs, found, bound, mocks = results.unchanged, results.detection, results.bindings, results.mocks
    faults, shapes = found.of(shape=False), found.of(shape=True)
    return {
        "false_alarm_pct": percent(runs.alarmed, runs.runs),
        "unchanged_runs": runs.runs,
        "unchanged_compared": runs.compared,
        "unchanged_noise": runs.suppressed,
        "detection_pct": percent(caught(faults), len(faults)),
        "faults": len(faults),
        "caught": caught(faults),
        "shape_detection_pct": percent(caught(shapes), len(shapes)),
        "shape_faults": len(shapes),
        "shape_caught": caught(shapes),
        "fault_runs": found.runs,
        "faults_not_made": found.not_made,
        "bindings_pct": percent(bound.found, bound.true),
        "bindings": bound.true,
        "wrong_bindings": len(bound.wrong),
        "unlabelled_matches": len(mocks.unlabelled),
        "near_duplicates": mocks.requests,
        "near_missed": mocks.missed,
        "near_labelled": mocks.labelled,
        "apps": results.apps,
        "left_out": results.left_out,
        "seconds": round(results.seconds, 1),
    }


def caught(trials: Sequence[Trial]) -> int:
    """How many."""
    return sum(one.caught for one in trials)


def table(results: Results) -> list[str]:
    """What a terminal shows."""
    figures = as_json(results)

    def row(name: str, key: str, unit: str, goal: str, of: str) -> str:
        value = "-" if figures[key] is None else f"{figures[key]:g}{unit}"
        return f"| {name:<33} | {value:>8} | {goal:>7} | {of:<18} |"

    return [
        f"| {'':<33} | {'result':>8} | {'goal':>7} | {'of':<18} |",
        f"|{'-' * 35}|{'-' * 9}:|{'-' * 8}:|{'-' * 20}|",
        row(
            "unchanged code: runs with an alarm", "false_alarm_pct", " %", "<= 1 %", f"{figures['unchanged_runs']} runs"
        ),
        row("faults caught at their place", "detection_pct", " %", ">= 98 %", f"{figures['faults']} faults"),
        row("broken shape of noise caught", "shape_detection_pct", " %", "100 %", f"{figures['shape_faults']} faults"),
        row("bindings found", "bindings_pct", " %", ">= 98 %", f"{figures['bindings']} bindings"),
        row("wrong bindings", "wrong_bindings", "", "0", f"{figures['bindings']} bindings"),
        row("wrong mock without a label", "unlabelled_matches", "", "0", f"{figures['near_duplicates']} near requests"),
    ]


def by_kind(results: Results) -> Iterator[str]:
    """How many faults of each kind were caught."""
    made, found = Counter[str](), Counter[str]()
    for one in results.detection.trials:
        made[one.fault.kind] += 1
        found[one.fault.kind] += one.caught
    for kind in sorted(made):
        yield f"{kind:<20} {found[kind]:>4} of {made[kind]}"


def misses(results: Results) -> Iterator[str]:
    """Every miss and false alarm as a JSON line."""
    for alarm in results.unchanged.alarms:
        yield json.dumps({"what": "false alarm", **asdict(alarm)}, ensure_ascii=False)
    for one in results.detection.trials:
        if not one.caught:
            fault = {
                name: str(value) if isinstance(value, bytes | tuple) or name == "value" else value
                for name, value in asdict(one.fault).items()
            }
            yield json.dumps(
                {
                    "what": "missed fault",
                    "app": one.app,
                    "seed": one.seed,
                    "route": one.route,
                    **fault,
                    "told": one.told,
                },
                ensure_ascii=False,
                default=str,
            )
    for what, lines in (
        ("missed binding", results.bindings.missed),
        ("wrong binding", results.bindings.wrong),
        ("unlabelled match", results.mocks.unlabelled),
    ):
        for line in lines:
            yield json.dumps({"what": what, "text": line}, ensure_ascii=False)


def write_into(page: Path, results: Results, command: str) -> None:
    """Put the table between its markers, or at the page's end."""
    text = page.read_text() if page.exists() else "# Benchmarks\n"
    if BEGIN not in text:
        text += f"\n## verdict\n\n{BEGIN}\n{END}\n"
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    apps = f"{len(results.apps)} apps ({', '.join(results.apps)})"
    body = "\n".join([f"`{command}`, {apps}, {results.seconds:.0f} s:", "", *table(results)])
    page.write_text(f"{before}{BEGIN}\n{body}\n{END}{after}")
