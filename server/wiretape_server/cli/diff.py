"""`wiretape diff`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from wiretape_server.cli.app_flags import STORE, add
from wiretape_server.cli.command import Command, json_option, open_workspace
from wiretape_server.cli.terminal import out, out_json, say
from wiretape_server.workspace.finding_names import find_finding

if TYPE_CHECKING:
    from pathlib import Path

    from wiretape_replay.report.diff import FindingDetail
    from wiretape_replay.verdict.model import Run


@click.command(
    "diff",
    cls=Command,
    short_help="Show what a run found different",
    example="wiretape diff\nwiretape diff 20261123-120000 F-1a2b3c4d",
)
@click.argument("run", required=False)
@click.argument("finding", required=False)
@click.option("--noise", is_flag=True, help="List what was taken as noise")
@click.option("--bindings", is_flag=True, help="List values followed, and how that went")
@click.option("--latency", is_flag=True, help="Draw how response times spread")
@add((STORE,))
@json_option
def command(run: str | None, finding: str | None, noise: bool, bindings: bool, latency: bool, as_json: bool) -> None:
    """Show what a run found different, or one finding in full.

    Without RUN the newest is shown; the beginning of a run's id is enough.
    """
    from wiretape_server.store.bringing import run_file

    if run and run.startswith("F-") and finding is None:
        run, finding = None, run
    path = run_file(open_workspace(), run, say)
    if bindings:
        from wiretape_server.cli.binding_view import tell_run

        tell_run(asyncio.run(_run(path)), as_json=as_json)
    elif finding is None:
        _tell_run(asyncio.run(_run(path)), noise=noise, latency=latency, as_json=as_json)
    else:
        _tell_finding(asyncio.run(_detail(path, finding)), as_json=as_json)


async def _run(path: Path) -> Run:
    from wiretape_replay.run_file import RunReader

    async with await RunReader.open(path) as reader:
        return await reader.run()


async def _detail(path: Path, finding_id: str) -> FindingDetail:
    from wiretape_replay.report.diff import bare_detail, finding_detail
    from wiretape_replay.run_file import RunReader

    async with await RunReader.open(path) as reader:
        run = await reader.run()
        finding = find_finding(run, finding_id)
        sequence = finding.sequences[0] if finding.sequences else 0
        recorded = await reader.recorded(sequence)
        if recorded is None:
            return bare_detail(run, finding)
        return finding_detail(run, finding, recorded, await reader.live_response(sequence))


def _tell_run(run: Run, *, noise: bool, latency: bool, as_json: bool) -> None:
    from wiretape_replay.report.latency import latency_lines
    from wiretape_replay.report.terminal import run_lines, suppressed_lines
    from wiretape_server.cli.run_replay import coloured

    if as_json:
        out_json(run)
        return
    if latency:
        for line in latency_lines(run):
            out(line)
        return
    if noise:
        for line in suppressed_lines(run) or ["nothing was taken as noise"]:
            out(line)
        return
    for line in run_lines(run, findings=len(run.verdict.findings)):
        out(coloured(line))


def _tell_finding(detail: FindingDetail, *, as_json: bool) -> None:
    from wiretape_replay.report.terminal import detail_lines

    if as_json:
        out_json(detail)
        return
    for line in detail_lines(detail):
        colour = {"+": "green", "-": "red"}.get(line[:1])
        out(click.style(line, fg=colour) if colour else line)
