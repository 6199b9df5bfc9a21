"""`python -m benchmarks.comparison [--quick] [--json]`: comparing large answers, opening and searching snapshots."""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.comparison.bodies import CHANGES, Cell, measured
from benchmarks.comparison.storage import Stored, stored
from benchmarks.page import PAGE, publish

SIZES = {8_000: 31, 100_000: 9, 5_000_000: 3}
"""Bytes, and how often each is compared."""
QUICK = {8_000: 9, 200_000: 1}


def table(cells: list[Cell], store: Stored) -> Iterator[str]:
    """The published lines."""
    yield "`python -m benchmarks.comparison`; milliseconds of CPU, medians; `read`: the standard library reads both."
    yield ""
    yield "| bytes | what changed | differences | compare | read | ratio | jsonpatch |"
    yield "|---:|---|---:|---:|---:|---:|---:|"
    for one in cells:
        patch = f"{one.patch:,.1f}" if one.patch is not None else "-"
        yield (f"| {one.size:,} | {one.change} | {one.differences:,} | {one.ours:,.1f} | {one.read:,.1f} "
               f"| {one.ours / one.read:.1f} | {patch} |")  # fmt: skip
    yield ""
    yield f"A snapshot of {store.exchanges:,} exchanges, milliseconds of wall time:"
    yield ""
    yield "| what | ms |"
    yield "|---|---:|"
    yield f"| opened | {store.opened:,.1f} |"
    for name, took in store.searches.items():
        yield f"| searched {name} | {took:,.1f} |"
    yield f"| the index of its texts made, once | {store.indexed:,.1f} |"
    yield f"| searched by text that is nowhere, without an index | {store.unindexed:,.1f} |"
    yield f"| SQLite counts its rows | {store.scanned:,.1f} |"
    yield ""
    yield f"The tape has {store.tape_bytes / 1e6:,.1f} MB, the index {store.index_bytes / 1e6:,.1f} MB."


def as_json(cells: list[Cell], store: Stored) -> dict[str, object]:
    """Figures by name."""
    typical = [one for one in cells if one.change == "one value"]
    return {
        "compare_8kb_ms": typical[0].ours, "compare_largest_ms": typical[-1].ours, "largest_bytes": typical[-1].size,
        "compare_vs_read": typical[-1].ours / typical[-1].read, "open_ms": store.opened,
        "exchanges": store.exchanges, "search_ms_max": max(store.searches.values()), "searches": store.searches,
        "index_ms": store.indexed, "index_bytes": store.index_bytes, "tape_bytes": store.tape_bytes,
        "search_without_index_ms": store.unindexed,
        "cells": [one._asdict() for one in cells],
    }  # fmt: skip


def main() -> None:
    """Measure and tell."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.comparison", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller bodies, a smaller snapshot")
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object, last")
    asked = parser.parse_args()
    sizes = QUICK if asked.quick else SIZES
    cells = [measured(size, change, times) for size, times in sizes.items() for change in CHANGES]
    with tempfile.TemporaryDirectory(prefix="wiretape-comparison-") as folder:
        store = asyncio.run(stored(Path(folder), 5_000 if asked.quick else 100_000, 3))
    print("\n".join(table(cells, store)))  # noqa: T201
    if not asked.quick:
        publish(PAGE, "comparison", table(cells, store))
    if asked.json:
        print(json.dumps(as_json(cells, store)))  # noqa: T201


if __name__ == "__main__":
    main()
