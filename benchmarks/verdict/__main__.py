"""`python -m benchmarks.verdict [--quick] [--json] [--seeds tune|report] [--misses FILE] [--app NAME]`."""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from pathlib import Path

from benchmarks.page import PAGE
from benchmarks.verdict.report import as_json, by_kind, misses, table, write_into
from benchmarks.verdict.trial import FULL, QUICK, SEEDS, measure


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.verdict", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small part, in under a minute")
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object, last")
    parser.add_argument("--seeds", choices=sorted(SEEDS), default="report", help="tune: the range for development")
    parser.add_argument("--misses", type=Path, metavar="FILE", help="write every miss and false alarm as JSON lines")
    parser.add_argument("--app", action="append", default=[], help="only this app; may be repeated")
    return parser.parse_args()


def main() -> None:
    """Run the benchmark and tell."""
    asked = arguments()
    with tempfile.TemporaryDirectory(prefix="wiretape-verdict-") as work:
        results = asyncio.run(measure(Path(work), QUICK if asked.quick else FULL, SEEDS[asked.seeds], asked.app))
    if asked.misses:
        asked.misses.write_text("".join(f"{line}\n" for line in misses(results)))
    if asked.json:
        print(json.dumps(as_json(results)))  # noqa: T201
    else:
        print("\n".join([*table(results), "", *by_kind(results), *(f"left out: {one}" for one in results.left_out)]))  # noqa: T201
    # Only what is published is written: a full run on the seeds that nothing was tuned on.
    if not asked.quick and asked.seeds == "report" and not asked.app:
        write_into(PAGE, results, "python -m benchmarks.verdict")


if __name__ == "__main__":
    main()
