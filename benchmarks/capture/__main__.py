"""`python -m benchmarks.capture [--quick] [--json]`: recording beside nginx as a reverse proxy of the same service."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path

from benchmarks.capture import load
from benchmarks.capture.measure import FULL, QUICK, measure
from benchmarks.capture.report import as_json, table
from benchmarks.page import PAGE, publish


def main() -> int:
    """Run the benchmark and tell."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.capture", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object, last")
    asked = parser.parse_args()
    if missing := load.missing():
        print(f"{', '.join(missing)} not found: install with {load.PACKAGES}", file=sys.stderr)  # noqa: T201
        return 3
    with tempfile.TemporaryDirectory(prefix="wiretape-capture-") as work:
        results = asyncio.run(measure(Path(work), QUICK if asked.quick else FULL))
    lines = table(results)
    if not asked.quick:
        publish(PAGE, "capture", ["`python -m benchmarks.capture`:", "", *lines])
    print(json.dumps(as_json(results)) if asked.json else "\n".join(lines))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
