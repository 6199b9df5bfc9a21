"""The benchmark's results as one JSON object, as a table of 80 columns, and in benchmarks/README.md."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.page import publish
from benchmarks.verdict.detection import Trial
from benchmarks.verdict.trial import Figures, Results


def percent(part: int, whole: int) -> float | None:
    """A share; None where nothing was counted."""
    return round(100 * part / whole, 2) if whole else None


def as_json(results: Results) -> dict[str, Any]:
    """All figures after `wiretape noise learn`; `*_recording_only*` are those by the recording alone."""
    bound, mocks = results.bindings, results.mocks
    return {
        **_figures(results.learned, ""),
        **_figures(results.bare, "_recording_only"),
        "bindings_pct": percent(bound.found, bound.true),
        "bindings": bound.true,
        "wrong_bindings": len(bound.wrong),
        "unlabelled_matches": len(mocks.unlabelled),
        "near_duplicates": mocks.requests,
        "near_missed": mocks.missed,
        "near_labelled": mocks.labelled,
        "recorded_not_found": len(mocks.lost),
        "apps": results.apps,
        "left_out": results.left_out,
        "seconds": round(results.seconds, 1),
    }


def _figures(figures: Figures, how: str) -> dict[str, Any]:
    runs, found = figures.unchanged, figures.detection
    faults, shapes = found.of(shape=False), found.of(shape=True)
    return {
        f"false_alarm{how}_pct": percent(runs.alarmed, runs.runs),
        f"unchanged{how}_runs": runs.runs,
        f"unchanged{how}_alarmed": runs.alarmed,
        f"unchanged{how}_compared": runs.compared,
        f"unchanged{how}_noise": runs.suppressed,
        f"detection{how}_pct": percent(caught(faults), len(faults)),
        f"faults{how}": len(faults),
        f"faults{how}_caught": caught(faults),
        f"shape_detection{how}_pct": percent(caught(shapes), len(shapes)),
        f"shape_faults{how}": len(shapes),
        f"shape_faults{how}_caught": caught(shapes),
        f"fault{how}_runs": found.runs,
        f"faults{how}_not_made": found.not_made,
    }


def caught(trials: Sequence[Trial]) -> int:
    """How many."""
    return sum(one.caught for one in trials)


def table(results: Results) -> list[str]:
    """What a terminal shows."""
    figures = as_json(results)

    def row(name: str, key: str, goal: str, of: str, bare: str = "", bare_of: str = "") -> str:
        cells = shown(key), figures[of] or 0, shown(bare), figures.get(bare_of) or ""
        return f"| {name:<27} | {cells[0]:>8} | {goal:>7} | {cells[1]:>5} | {cells[2]:>9} | {cells[3]:>5} |"

    def both(name: str, key: str, goal: str, of: str) -> str:
        return row(name, f"{key}_pct", goal, of.format(""), f"{key}_recording_only_pct", of.format("_recording_only"))

    def shown(key: str) -> str:
        value = figures.get(key)
        return "" if value is None else f"{value:g}{' %' if key.endswith('_pct') else ''}"

    return [
        f"| {'':<27} | {'learned':>8} | {'goal':>7} | {'of':>5} | {'tape only':>9} | {'of':>5} |",
        f"|{'-' * 29}|{'-' * 9}:|{'-' * 8}:|{'-' * 6}:|{'-' * 10}:|{'-' * 6}:|",
        both("unchanged: runs with alarms", "false_alarm", "<= 1 %", "unchanged{}_runs"),
        both("faults caught in place", "detection", ">= 98 %", "faults{}"),
        both("broken shape of noise", "shape_detection", "100 %", "shape_faults{}"),
        row("bindings found", "bindings_pct", ">= 98 %", "bindings"),
        row("wrong bindings", "wrong_bindings", "0", "bindings"),
        row("recorded call not found", "recorded_not_found", "0", "near_duplicates"),
        row("wrong mock, no label", "unlabelled_matches", "0", "near_duplicates"),
    ]


def by_kind(results: Results) -> Iterator[str]:
    """How many faults of each kind were caught."""
    made, found = Counter[str](), Counter[str]()
    for one in [*results.learned.detection.trials, *results.bare.detection.trials]:
        made[one.fault.kind] += 1
        found[one.fault.kind] += one.caught
    for kind in sorted(made):
        yield f"{kind:<20} {found[kind]:>4} of {made[kind]}"


def misses(results: Results) -> Iterator[str]:
    """Every miss and false alarm as a JSON line."""
    for how, figures in (("", results.learned), (" by the recording only", results.bare)):
        for alarm in figures.unchanged.alarms:
            yield json.dumps({"what": f"false alarm{how}", **asdict(alarm)}, ensure_ascii=False)
        for one in figures.detection.trials:
            if not one.caught:
                yield json.dumps({"what": f"missed fault{how}", **_told(one)}, ensure_ascii=False, default=str)
    for what, lines in (
        ("missed binding", results.bindings.missed),
        ("wrong binding", results.bindings.wrong),
        ("unlabelled match", results.mocks.unlabelled),
        ("recorded call not found", results.mocks.lost),
    ):
        for line in lines:
            yield json.dumps({"what": what, "text": line}, ensure_ascii=False)


def _told(one: Trial) -> dict[str, Any]:
    place = {"app": one.app, "seed": one.seed, "route": one.route, "told": one.told}
    return {**place, **asdict(one.fault), "value": str(one.fault.value)}


def write_into(page: Path, results: Results, command: str) -> None:
    """Put the table into its section of a page."""
    apps = f"{len(results.apps)} apps ({', '.join(results.apps)})"
    publish(page, "verdict", [f"`{command}`, {apps}, {results.seconds:.0f} s:", "", *table(results)])
