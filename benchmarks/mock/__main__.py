"""`python -m benchmarks.mock [--quick] [--json]`: the mock beside nginx and WireMock, one core for each server."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path

from benchmarks.mock import wrk
from benchmarks.mock.measure import FULL, QUICK, measure
from benchmarks.mock.report import as_json, table, write_into

PAGE = Path(__file__).parents[1] / "README.md"


def main() -> int:
    """Run the benchmark and tell."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mock", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds, smaller snapshots")
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object, last")
    asked = parser.parse_args()
    if missing := wrk.missing():
        print(f"{', '.join(missing)} not found: install with {wrk.PACKAGES}", file=sys.stderr)  # noqa: T201
        return 3
    with tempfile.TemporaryDirectory(prefix="wiretape-mock-") as work:
        results = asyncio.run(measure(Path(work), QUICK if asked.quick else FULL))
    if asked.json:
        print(json.dumps(as_json(results)))  # noqa: T201
    else:
        print("\n".join([*table(results), *(f"left out: {one}" for one in results.left_out)]))  # noqa: T201
    # Only what is published is written.
    if not asked.quick:
        write_into(PAGE, results, "python -m benchmarks.mock")
    return 0


if __name__ == "__main__":
    sys.exit(main())
