"""`wiretape runs`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from wiretape_server.cli.app_flags import STORE, add
from wiretape_server.cli.command import Command, Whole, json_option, open_workspace
from wiretape_server.cli.terminal import ms, out, out_json, out_table, say

if TYPE_CHECKING:
    from wiretape_replay.verdict.model import Run


def _verdict(run: Run) -> str:
    """`pass, 2 changes`: those to what judges it."""
    changes = len(run.integrity.counted) if run.integrity is not None else 0
    return run.verdict.verdict + (f", {changes} {'change' if changes == 1 else 'changes'}" if changes else "")


@click.command("runs", cls=Command, short_help="List runs with their verdicts", example="wiretape runs")
@click.option("--limit", type=Whole(1, 10**6), default=20, show_default=True, help="At most so many")
@click.option("--remote", is_flag=True, help="List what the store has")
@add((STORE,))
@json_option
def command(limit: int, remote: bool, as_json: bool) -> None:
    """List runs with their verdicts, the newest first."""
    from wiretape_replay.run_file import scan_runs

    ws = open_workspace()
    if remote:
        from wiretape_server.cli.stored import list_stored_runs

        list_stored_runs(ws, limit, as_json=as_json)
        return
    runs, broken = asyncio.run(scan_runs(ws.runs_dir))
    shown = runs[:limit]
    if as_json:
        out_json(shown)
        return
    blocked = ("blocked",) if any(run.counts.blocked for run in shown) else ()
    if shown:
        out_table(
            ("run", "verdict", "failed", "sent", *blocked, "findings", "p95 ms", "snapshot"),
            [_row(run, blocked=bool(blocked)) for run in shown],
            flexible=("snapshot",), right=("failed", "sent", *blocked, "findings", "p95 ms"),
        )  # fmt: skip
    elif not broken:
        out("no runs yet; make one with: wiretape verify")
    if len(runs) > limit:
        out(f"and {len(runs) - limit} older; --limit shows more")
    for problem in broken:
        say(problem)


def _row(run: Run, *, blocked: bool) -> tuple[str, ...]:
    """What was blocked was not sent, and stands for itself."""
    counts = run.counts
    sent = [str(counts.failed - counts.blocked), str(counts.sent), *([str(counts.blocked)] if blocked else [])]
    time = ms(run.latency.p95) if run.latency else "-"
    return run.id, _verdict(run), *sent, str(len(run.verdict.findings)), time, _source(run)


def _source(run: Run) -> str:
    """The snapshot, and how often it was sent where that was not once."""
    from wiretape_replay.report.load import load_name

    return run.snapshot if run.load is None else f"{run.snapshot} (load {load_name(run.load)})"
