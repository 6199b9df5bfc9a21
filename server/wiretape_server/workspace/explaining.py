"""Gathers what explains a finding or a miss: run, rules of the project, recording, journal and code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from wiretape_capture.errors import UsageError, WiretapeError
from wiretape_capture.snapshot.listing import tape_path
from wiretape_replay.explain.finding import FindingExplanation, Recorded, explained, lookups
from wiretape_replay.explain.miss import MissExplanation, misses_of
from wiretape_replay.explain.place import explain, pointer_of
from wiretape_replay.explain.repetition import repetitions
from wiretape_replay.mock.spec import MockAnswer
from wiretape_replay.run_file import RunReader
from wiretape_replay.verdict.model import Finding, FindingClass, Part, Run
from wiretape_server.workspace.accepting import objection, read_finding
from wiretape_server.workspace.noise_file import FILE_NAME, read_rules
from wiretape_server.workspace.source_search import Line, lines_with
from wiretape_server.workspace.workspace import Workspace

NAMED = 5
"""Names that an error lists."""
CODE_LINES = 6
_UNREAD = frozenset({FindingClass.LATENCY, FindingClass.OUTBOUND, FindingClass.ERROR})


@dataclass(frozen=True, slots=True)
class Explained:
    """One finding with all that explains it."""

    finding: Finding
    run: Run
    told: FindingExplanation
    code: list[Line]


async def explain_finding(ws: Workspace, run: Path, finding: str) -> Explained:
    """Why the finding counts, and where its names stand in the project's code."""
    found, shown, lines = await read_finding(run, finding)
    pointer = pointer_of(found)
    known = explain(found.route, pointer, ws.config.noise, read_rules(ws.root / FILE_NAME), shown)
    told = explained(found, shown, known, await _recorded(ws, found, shown.snapshot), objection(found, lines=lines))
    return Explained(found, shown, told, lines_with(ws.root, lookups(found), CODE_LINES))


async def _recorded(ws: Workspace, finding: Finding, snapshot: str) -> Recorded:
    """Nothing where the snapshot is gone: the run says what it found without it."""
    tape = tape_path(ws.snapshots_dir, snapshot)
    if finding.part is not Part.BODY or finding.kind in _UNREAD or not tape.is_file():
        return Recorded()
    try:
        return await repetitions(tape, finding.route, (finding.pointer, finding.example_pointer), ws.config.routes)
    except WiretapeError:
        return Recorded()


async def run_misses(run: Path) -> tuple[str, list[MissExplanation]]:
    """The id of a run and what its mock could not answer."""
    async with await RunReader.open(run) as reader:
        return (await reader.run()).id, misses_of(await reader.journal())


def mock_misses(ws: Workspace, mock: str) -> list[MissExplanation]:
    """What a mock could not answer so far, running or ended, from its journal."""
    journals = {path.stem: path for path in ws.jobs_dir.glob("*.journal")}
    if mock not in journals:
        near = get_close_matches(mock[:80], journals, 1)
        newest = sorted(journals, reverse=True)[:NAMED]
        there_are = f"there are {', '.join(newest)}" if newest else "start a mock first"
        raise UsageError(f"there is no journal of a mock {mock[:80]!r}",
                         f"did you mean {near[0]}?" if near else there_are)  # fmt: skip
    try:
        with journals[mock].open(encoding="utf-8", errors="replace") as file:
            return misses_of(_misses(file))
    except OSError as error:
        raise WiretapeError(f"the journal of {mock} cannot be read ({error.strerror})",
                            "start the mock again") from None  # fmt: skip


def _misses(file: IO[str]) -> Iterator[MockAnswer]:
    for line in file:
        if '"tier":"miss"' in line:
            try:
                yield MockAnswer.model_validate_json(line)
            except ValidationError:
                continue  # the last line of a mock that is still writing it


def find_miss(misses: list[MissExplanation], name: str, where: str) -> MissExplanation:
    """The miss with that id or that beginning of one."""
    found = [one for one in misses if one.id.lower().startswith(name.lower())]
    if len(found) == 1:
        return found[0]
    ids = [one.id for one in misses]
    if found:
        raise UsageError(f"{name[:40]!r} is the beginning of {len(found)} misses",
                         f"say which: {', '.join(one.id for one in found[:NAMED])}")  # fmt: skip
    if not ids:
        raise UsageError(f"{where} has no misses", "its mock answered all that was asked")
    near = get_close_matches(name[:40], ids, 1)
    hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(ids[:NAMED])}"
    raise UsageError(f"{where} has no miss {name[:40]!r}", hint)
