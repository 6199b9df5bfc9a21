"""`wiretape noise explain`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from wiretape_replay.explain.place import explain, explanation_lines, pointer_of
from wiretape_server.cli.command import Command, json_option, open_workspace
from wiretape_server.cli.terminal import out, out_json, say

if TYPE_CHECKING:
    from wiretape_replay.verdict.model import Run
    from wiretape_server.workspace.workspace import Workspace


@click.command(
    "explain",
    cls=Command,
    short_help="Tell what is known of a place and why",
    example='wiretape noise explain "GET /orders/{id}" /items/*/at\nwiretape noise explain F-1a2b3c4d',
)
@click.argument("route", metavar="ROUTE|FINDING")
@click.argument("pointer", required=False)
@click.option("--run", metavar="RUN", help="Run to look at (default: newest)")
@json_option
def command(route: str, pointer: str | None, run: str | None, as_json: bool) -> None:
    """Tell what is known of a place and why: rules, what unchanged code showed, what a run suppressed or found."""
    from wiretape_server.workspace.noise_file import FILE_NAME, read_rules

    ws = open_workspace()
    if pointer is None:
        looked: Run | None = _run(ws, run)
        assert looked is not None
        route, pointer = _place(looked, route)
    else:
        looked = _run(ws, run) if run or any(ws.runs_dir.glob("*.run")) else None
    explanation = explain(route, pointer, ws.config.noise, read_rules(ws.root / FILE_NAME), looked)
    if as_json:
        out_json(explanation)
        return
    for line in explanation_lines(explanation):
        out(line)


def _place(run: Run, finding: str) -> tuple[str, str]:
    from wiretape_server.workspace.finding_names import find_finding

    found = find_finding(run, finding)
    return found.route, pointer_of(found)


def _run(ws: Workspace, run: str | None) -> Run:
    from wiretape_replay.run_file import RunReader
    from wiretape_server.store.bringing import run_file

    path = run_file(ws, run, say)

    async def read() -> Run:
        async with await RunReader.open(path) as reader:
            return await reader.run()

    return asyncio.run(read())
