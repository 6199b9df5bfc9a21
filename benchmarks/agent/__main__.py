"""`python -m benchmarks.agent [--quick] [--json] [--only KIND]`."""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from pathlib import Path

from benchmarks.agent.bugs import BUGS
from benchmarks.agent.report import as_json, facts, missed, table, write_into
from benchmarks.agent.trial import measure
from benchmarks.page import PAGE


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.agent", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two bugs, in under a minute")
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object, last")
    parser.add_argument("--only", action="append", choices=[bug.kind for bug in BUGS], help="only this bug; repeatable")
    return parser.parse_args()


def main() -> None:
    """Run the benchmark and tell."""
    asked = arguments()
    bugs = [bug for bug in BUGS if not asked.only or bug.kind in asked.only]
    with tempfile.TemporaryDirectory(prefix="wiretape-agent-") as work:
        results = asyncio.run(measure(Path(work), quick=asked.quick, bugs=bugs))
    if asked.json:
        print(json.dumps(as_json(results)))  # noqa: T201
    else:
        lost = [json.dumps(missed(one), ensure_ascii=False) for one in results.trials if not one.localised]
        print("\n".join([*table(results), "", *facts(results), *lost]))  # noqa: T201
    if not asked.quick and not asked.only:
        write_into(PAGE, results)


if __name__ == "__main__":
    main()
