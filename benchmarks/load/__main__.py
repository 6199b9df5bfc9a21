"""`python -m benchmarks.load [--quick] [--json]`."""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from pathlib import Path

from benchmarks.load.measure import FULL, QUICK, measure
from benchmarks.load.report import as_json, table, write_into

PAGE = Path(__file__).parents[1] / "README.md"


def main() -> None:
    """Run the benchmark and tell."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small part, in under a minute")
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object, last")
    asked = parser.parse_args()
    effort = QUICK if asked.quick else FULL
    with tempfile.TemporaryDirectory(prefix="wiretape-load-") as work:
        results = asyncio.run(measure(Path(work), effort))
    lines = table(results, effort)
    if not asked.quick:
        write_into(PAGE, lines, "python -m benchmarks.load")
    print("\n".join(lines))  # noqa: T201
    if asked.json:
        print(json.dumps(as_json(results)))  # noqa: T201


if __name__ == "__main__":
    main()
