"""Making a rule of a finding that somebody says is no fault, and taking rules back: one way for people and agents."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from wiretape_capture.errors import UsageError
from wiretape_replay.compare.learned import LearnedRule
from wiretape_replay.compare.places import Kind, place_of
from wiretape_replay.explain.finding import STAYS
from wiretape_replay.run_file import RunReader
from wiretape_replay.verdict.model import Finding, FindingClass, Part, Run
from wiretape_server.workspace.finding_names import find_finding
from wiretape_server.workspace.names import nearest
from wiretape_server.workspace.noise_file import FILE_NAME, read_rules, write_rules
from wiretape_server.workspace.workspace import Workspace

KINDS = {FindingClass.VALUE: Kind.VALUE, FindingClass.NULL: Kind.NULL, FindingClass.ORDER: Kind.ORDER}


async def accept(ws: Workspace, run: Path, finding: str, *, reason: str, by: str) -> LearnedRule:
    """Write the rule that the finding becomes, and give it."""
    found, shown, lines = await read_finding(run, finding)
    kind, pointer = place_in(found, lines=lines)
    rule = LearnedRule(
        route=found.route, pointer=pointer, kind=kind, cause=reason, snapshot=shown.snapshot,
        date=f"{datetime.now(UTC):%Y-%m-%d}", accepted_by=by,
    )  # fmt: skip
    path = ws.root / FILE_NAME
    write_rules(path, [*(each for each in read_rules(path) if each.id != rule.id), rule])
    return rule


def undo(ws: Workspace, rule: str) -> LearnedRule:
    """Take back the rule whose id begins so, and give it."""
    path = ws.root / FILE_NAME
    rules = read_rules(path)
    found = [each for each in rules if rule and each.id.lower().startswith(rule.lower())]
    if len(found) != 1:
        known = [each.id for each in found or rules]
        close = nearest(rule, known) if known else None
        hint = f"say which: {', '.join(known)}" if found else f"did you mean {close}?" if close else "see: noise list"
        raise UsageError(f'there is no rule "{rule}"' if not found else f'"{rule}" is {len(found)} rules', hint)
    write_rules(path, [each for each in rules if each is not found[0]])
    return found[0]


async def read_finding(path: Path, finding_id: str) -> tuple[Finding, Run, bool]:
    """The finding, its run, and whether its body is lines of text."""
    from wiretape_replay.content import read_content

    async with await RunReader.open(path) as reader:
        run = await reader.run()
        found = find_finding(run, finding_id)
        live = await reader.live_response(found.sequences[0]) if found.sequences else None
        return found, run, live is not None and read_content(live.headers, live.body).kind == "text"


def place_in(found: Finding, *, lines: bool) -> tuple[Kind, str]:
    """Kind and pointer of the rule that a finding becomes."""
    if found.part is Part.HEADER:
        if found.actual is None or found.expected is None:
            raise UsageError(f"{found.id} is about a header that came or went", STAYS)
        return Kind.VALUE, f"header:{found.pointer.partition('/')[0].lower()}"
    item = found.pointer.endswith("/*") and found.kind in (FindingClass.ADDED, FindingClass.REMOVED)
    if found.part is not Part.BODY or not (found.kind in KINDS or item):
        raise UsageError(f"{found.id} is a finding of class {found.kind}", STAYS)
    place = place_of(found.pointer, found.example_pointer or found.pointer, lines=lines)
    return (Kind.ITEMS, place.rpartition("/")[0]) if item else (KINDS[found.kind], place)


def objection(found: Finding, *, lines: bool) -> str:
    """Why a finding cannot be made a rule; empty when it can."""
    try:
        place_in(found, lines=lines)
    except UsageError as error:
        return str(error)
    return ""
