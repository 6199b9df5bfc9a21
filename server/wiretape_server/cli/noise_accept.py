"""`wiretape noise accept`."""

from __future__ import annotations

import asyncio
import getpass
from datetime import UTC, datetime
from pathlib import Path

import click

from wiretape_capture.errors import UsageError
from wiretape_replay.compare.learned import LearnedRule
from wiretape_replay.compare.places import Kind, place_of
from wiretape_replay.verdict.model import Finding, FindingClass, Part, Run
from wiretape_server.cli.command import Command, json_option, open_workspace
from wiretape_server.cli.terminal import near, out, out_json

KINDS = {FindingClass.VALUE: Kind.VALUE, FindingClass.NULL: Kind.NULL, FindingClass.ORDER: Kind.ORDER}
STRUCTURE = "its place is structure, which is never noise; if the change is meant, record a new snapshot"


@click.command(
    "accept",
    cls=Command,
    short_help="Make a rule of a finding that is no fault",
    example='wiretape noise accept F-1a2b3c4d --reason "sorted by load, which varies"',
)
@click.argument("finding")
@click.option("--reason", required=True, metavar="TEXT", help="Why it is no fault")
@click.option("--run", metavar="RUN", help="Run it was found in (default: newest)")
@click.option("--by", metavar="NAME", help="Who accepts it (default: your user)")
@json_option
def command(finding: str, reason: str, run: str | None, by: str | None, as_json: bool) -> None:
    """Make a rule of a finding that is no fault.

    Values there are no longer compared, their shape is. Another status, type, format or a lost field is no noise and is
    refused: if that change is meant, record a new snapshot.
    """
    from wiretape_replay.run_file import find_run
    from wiretape_server.workspace.noise_file import FILE_NAME, read_rules, write_rules

    ws = open_workspace()
    found, shown, lines = asyncio.run(_finding(find_run(ws.runs_dir, run), finding))
    kind, pointer = place_in(found, lines=lines)
    rule = LearnedRule(
        route=found.route, pointer=pointer, kind=kind, cause=reason, snapshot=shown.snapshot,
        date=f"{datetime.now(UTC):%Y-%m-%d}", accepted_by=by or getpass.getuser(),
    )  # fmt: skip
    path = ws.root / FILE_NAME
    write_rules(path, [*(each for each in read_rules(path) if each.id != rule.id), rule])
    if as_json:
        out_json(rule)
    else:
        out(f"accepted as {rule.id} in {near(path)}: {rule.route} {rule.pointer} ({rule.kind})")
        out(f"take it back with: wiretape noise undo {rule.id}")


async def _finding(path: Path, finding_id: str) -> tuple[Finding, Run, bool]:
    """The finding, its run, and whether its body is lines of text."""
    from wiretape_replay.content import read_content
    from wiretape_replay.run_file import RunReader
    from wiretape_server.cli.diff import find_finding

    async with await RunReader.open(path) as reader:
        run = await reader.run()
        found = find_finding(run, finding_id)
        live = await reader.live_response(found.sequences[0]) if found.sequences else None
        return found, run, live is not None and read_content(live.headers, live.body).kind == "text"


def place_in(found: Finding, *, lines: bool) -> tuple[Kind, str]:
    """Kind and pointer of the rule that a finding becomes."""
    if found.part is Part.HEADER:
        if found.actual is None or found.expected is None:
            raise UsageError(f"{found.id} is about a header that came or went", STRUCTURE)
        return Kind.VALUE, f"header:{found.pointer.partition('/')[0].lower()}"
    item = found.pointer.endswith("/*") and found.kind in (FindingClass.ADDED, FindingClass.REMOVED)
    if found.part is not Part.BODY or not (found.kind in KINDS or item):
        raise UsageError(f"{found.id} is a finding of class {found.kind}", STRUCTURE)
    place = place_of(found.pointer, found.example_pointer or found.pointer, lines=lines)
    return (Kind.ITEMS, place.rpartition("/")[0]) if item else (KINDS[found.kind], place)
