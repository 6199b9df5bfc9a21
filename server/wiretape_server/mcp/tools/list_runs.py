"""list_runs: past and running replays of this project."""

from __future__ import annotations

from typing import Annotated

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult
from pydantic import BaseModel, ConfigDict, Field

from wiretape_replay.report.printable import plural
from wiretape_replay.verdict.model import Run
from wiretape_server.mcp.integrity_view import with_changes
from wiretape_server.mcp.paging import page
from wiretape_server.mcp.results import Result, answer, cut
from wiretape_server.mcp.runs import Status, reason
from wiretape_server.mcp.state import ServerState
from wiretape_server.mcp.times import utc


class RunRow(BaseModel):
    """One run."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    run: str
    status: Status
    snapshot: str = ""
    started_at: str = ""
    exchanges: int = 0
    failed: int = 0
    findings: int = 0
    reason: str = ""


class Runs(Result):
    """The answer of list_runs."""

    runs: tuple[RunRow, ...]
    total: int
    next_cursor: str | None = None


async def list_runs(
    ctx: Context[ServerState],
    limit: Annotated[int, Field(ge=1, le=100, description="Rows to answer, 1 to 100, default 20.")] = 20,
    cursor: Annotated[str | None, Field(description="next_cursor of the last answer, for the rows after it.")] = None,
) -> Annotated[CallToolResult, Runs]:
    """List replay runs, newest first, with their verdicts. Use it to find a run's id."""
    from wiretape_replay.run_file import list_runs as all_runs

    state = ctx.request_context.lifespan_context
    running = [RunRow(run=live.name, status="running") for live in state.jobs.of("run") if not live.ended]
    rows = [*reversed(running), *(row(run) for run in await all_runs(state.workspace().runs_dir))]
    shown = page(rows, lambda each: each.run, limit, cursor)
    more = f", {shown.left} more after cursor {shown.next_cursor}" if shown.left else ""
    result = Runs(
        summary=f"{plural(shown.total, 'run')}, newest first{more}" if rows else "no runs in this project",
        next=f'get_run(run="{shown.rows[0].run}") shows its verdict' if shown.rows else "run_replay makes one",
        runs=tuple(shown.rows), total=shown.total, next_cursor=shown.next_cursor,
    )  # fmt: skip
    return answer(result, [_line(each) for each in shown.rows])


def row(run: Run) -> RunRow:
    """One run for a list."""
    return RunRow(run=run.id, status=run.verdict.verdict, snapshot=run.snapshot, started_at=utc(run.started_ns),
                  exchanges=run.counts.total, failed=run.counts.failed, findings=len(run.verdict.findings),
                  reason=cut(with_changes(run, reason(run)), 120))  # fmt: skip


def _line(each: RunRow) -> str:
    if each.status == "running":
        return f"{each.run}: running"
    return f"{each.run}: {each.status}, snapshot {each.snapshot}, {each.started_at}: {each.reason}"
