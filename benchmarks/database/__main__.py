"""`python -m benchmarks.database [--quick] [--json]`: recording and mocks of databases beside their real servers."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path

from benchmarks.database.measure import FULL, QUICK, measure
from benchmarks.database.report import as_json, table
from benchmarks.page import PAGE, publish


def main() -> int:
    """Run the benchmark and tell."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.database", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object, last")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="wiretape-database-") as work:
        results = asyncio.run(measure(Path(work), QUICK if asked.quick else FULL))
    if not results.kinds:
        print(f"{'; '.join(results.left_out)}: install postgresql and redis-server", file=sys.stderr)  # noqa: T201
        return 3
    lines = table(results)
    if not asked.quick:
        publish(PAGE, "database", ["`python -m benchmarks.database`:", "", *lines])
    print(json.dumps(as_json(results)) if asked.json else "\n".join(lines))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
