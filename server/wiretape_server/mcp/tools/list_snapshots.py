"""list_snapshots: what has been recorded in this project."""

from __future__ import annotations

from typing import Annotated

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult
from pydantic import BaseModel, ConfigDict, Field

from wiretape_capture.snapshot.exchange import SnapshotInfo
from wiretape_replay.report.printable import plural
from wiretape_server.mcp.paging import Page, page
from wiretape_server.mcp.results import Result, answer
from wiretape_server.mcp.state import ServerState
from wiretape_server.mcp.times import utc


class SnapshotRow(BaseModel):
    """One snapshot."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    name: str
    recorded_at: str = ""
    exchanges: int = 0
    inbound: int = 0
    outbound: int = 0
    services: tuple[str, ...] = ()
    problem: str = ""


class Snapshots(Result):
    """The answer of list_snapshots."""

    snapshots: tuple[SnapshotRow, ...]
    total: int
    next_cursor: str | None = None


async def list_snapshots(
    ctx: Context[ServerState],
    limit: Annotated[int, Field(ge=1, le=100, description="Rows to answer, 1 to 100, default 20.")] = 20,
    cursor: Annotated[str | None, Field(description="next_cursor of the last answer, for the rows after it.")] = None,
) -> Annotated[CallToolResult, Snapshots]:
    """List recorded snapshots, newest first, with their exchanges and services. Use it to find a snapshot's name."""
    from wiretape_capture.snapshot.listing import list_snapshots as all_snapshots

    state = ctx.request_context.lifespan_context
    listing = await all_snapshots(state.workspace().snapshots_dir)
    recording = {live.name for live in state.jobs.of("recording") if not live.ended}
    rows_of_all = [row(info, recording=info.name in recording) for info in listing.snapshots]
    rows_of_all += [SnapshotRow(name=each.name, problem=f"{each.problem}; {each.hint}") for each in listing.broken]
    shown = page(rows_of_all, lambda each: each.name, limit, cursor)
    rows = tuple(shown.rows)
    result = Snapshots(
        summary=_summary(shown),
        next="run_replay replays the newest; search_exchanges looks inside" if rows else "start_recording makes one",
        snapshots=rows, total=shown.total, next_cursor=shown.next_cursor,
    )  # fmt: skip
    return answer(result, [_line(each) for each in rows])


def row(info: SnapshotInfo, *, recording: bool = False) -> SnapshotRow:
    """One snapshot for a list."""
    return SnapshotRow(
        name=info.name, recorded_at=utc(info.created_ns) if info.created_ns else "", exchanges=info.exchanges,
        inbound=info.inbound, outbound=info.outbound, services=info.services[:8],
        problem=f'being recorded: stop_recording(name="{info.name}") ends it' if recording else _problem(info),
    )  # fmt: skip


def _problem(info: SnapshotInfo) -> str:
    empty = "" if info.exchanges else "empty: passed over where no snapshot is named"
    opened = "" if info.closed else "not closed: it is still being recorded, or its recorder was killed"
    return "; ".join(filter(None, (empty, opened)))


def _line(each: SnapshotRow) -> str:
    problem = f", problem: {each.problem}" if each.problem else ""
    services = f", services {', '.join(each.services)}" if each.services else ""
    if not each.recorded_at:
        return f"{each.name}: unreadable{problem}"
    return f"{each.name}: {each.recorded_at}, {each.inbound} inbound, {each.outbound} outbound{services}{problem}"


def _summary(shown: Page[SnapshotRow]) -> str:
    if not shown.total:
        return "no snapshots in this project"
    more = f", {shown.left} more after cursor {shown.next_cursor}" if shown.left else ""
    return f"{plural(shown.total, 'snapshot')}, newest first{more}"
