"""`wiretape explain`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from wiretape_replay.report.printable import printable
from wiretape_server.cli.command import Command, json_option, open_workspace
from wiretape_server.cli.terminal import out, out_json, plural, say

if TYPE_CHECKING:
    from wiretape_replay.explain.miss import MissExplanation
    from wiretape_server.workspace.explaining import Explained


@click.command(
    "explain",
    cls=Command,
    short_help="Explain a finding, or what a mock could not answer",
    example="wiretape explain F-1a2b3c4d\nwiretape explain\nwiretape explain --mock mock-20261123-120000",
)
@click.argument("name", metavar="[FINDING|MISS]", required=False)
@click.option("--run", metavar="RUN", help="Run to look at (default: newest)")
@click.option("--mock", metavar="MOCK", help="Mock whose journal to look at instead")
@json_option
def command(name: str | None, run: str | None, mock: str | None, as_json: bool) -> None:
    """Explain a finding, or what a mock could not answer.

    For a finding: why it counts, which reasons for noise were considered, what unchanged code did and where to look in
    the code. For a miss (M-...): the closest recordings, what differs, and what to do. Without a name the misses of a
    run are listed.
    """
    from wiretape_server.store.bringing import run_file
    from wiretape_server.workspace.explaining import explain_finding, find_miss, mock_misses, run_misses

    ws = open_workspace()
    if mock:
        misses, where = mock_misses(ws, mock), f"mock {mock}"
    else:
        path = run_file(ws, run, say)
        if name and not name.lower().startswith("m-"):
            _tell_finding(asyncio.run(explain_finding(ws, path, name)), as_json=as_json)
            return
        run_id, misses = asyncio.run(run_misses(path))
        where = f"run {run_id}"
    shown = [find_miss(misses, name, where)] if name else misses
    if as_json:
        out_json(shown)
        return
    out(f"{plural(len(misses), 'kind')} of request missed in {where}")
    for one in shown:
        for line in _miss_lines(one):
            out(printable(line))


def _tell_finding(found: Explained, *, as_json: bool) -> None:
    if as_json:
        code = [{"path": one.path, "line": one.number, "text": one.text} for one in found.code]
        out_json({"finding": found.finding.model_dump(mode="json"), **found.told.model_dump(), "code": code})
        return
    for line in _finding_lines(found):
        out(printable(line))


def _finding_lines(found: Explained) -> Iterator[str]:
    yield f"{found.finding.id} ({found.finding.kind}) {found.finding.message}"
    for title, lines in (("why it counts", found.told.why), ("considered as noise", found.told.considered)):
        yield f"  {title}:"
        yield from (f"    {line}" for line in lines)
    yield f"  {found.told.unchanged}"
    if found.told.acceptable:
        yield f"  it cannot be accepted as noise: {found.told.acceptable}"
    if found.code:
        yield "  look at:"
        yield from (f"    {one.path}:{one.number}: {one.text}" for one in found.code)


def _miss_lines(miss: MissExplanation) -> Iterator[str]:
    yield f"{miss.id} {miss.request} (asked {plural(miss.count, 'time')})"
    yield f"  {miss.why}"
    for near in miss.closest:
        yield f"  exchange {near.sequence} {near.command} {near.location} -> {near.status or 'no response'}"
        for leaf in near.differences:
            yield f"    {leaf.where}: recorded {leaf.recorded!r}, now {leaf.live!r}"
    yield from (f"  do: {advice}" for advice in miss.advice)
