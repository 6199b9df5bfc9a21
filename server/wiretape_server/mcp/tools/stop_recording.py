"""stop_recording: close a snapshot and say what is in it."""

from __future__ import annotations

from typing import Annotated

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult
from pydantic import Field

from wiretape_capture.proxy.spec import CommandStats, RecordResult
from wiretape_replay.report.printable import plural
from wiretape_server.mcp.picking import the_one
from wiretape_server.mcp.results import Result, answer, cut
from wiretape_server.mcp.state import ServerState
from wiretape_server.mcp.stopping import stopped

ROWS_SHOWN = 15


class Recorded(Result):
    """The answer of stop_recording."""

    name: str
    exchanges: int
    inbound: int
    outbound: int
    commands: tuple[CommandStats, ...] = ()
    commands_cut: int = 0
    notes: tuple[str, ...] = ()
    app_exit: int | None = None


async def stop_recording(
    ctx: Context[ServerState],
    name: Annotated[str | None, Field(description="Name of the recording; default: the only one running.")] = None,
) -> Annotated[CallToolResult, Recorded]:
    """Stop a recording, stop the app it started, and answer what was recorded. The snapshot is then ready to replay."""
    state = ctx.request_context.lifespan_context
    live = the_one(state.jobs, "recording", name)
    done = RecordResult.model_validate(await stopped(ctx, live))
    rows = sorted(done.summary, key=lambda each: -each.count)
    kept = (f"snapshot {done.name}: {plural(done.exchanges, 'exchange')}, "
            f"{done.inbound} inbound, {done.outbound} outbound")  # fmt: skip
    result = Recorded(
        summary=kept if done.exchanges else f"no snapshot {done.name} was kept, for nothing was recorded",
        next=_next(done), name=done.name, exchanges=done.exchanges, inbound=done.inbound, outbound=done.outbound,
        commands=tuple(rows[:ROWS_SHOWN]), commands_cut=max(0, len(rows) - ROWS_SHOWN),
        notes=tuple(cut(note, 200) for note in done.notes[:10]), app_exit=done.app_exit,
    )  # fmt: skip
    return answer(result, _lines(result))


def _next(done: RecordResult) -> str:
    if done.inbound:
        return "edit the code, then run_replay"
    if done.outbound:
        return "start_mock answers these calls; to replay, record again with requests sent to the inbound URL"
    return "start_recording again and send requests to its inbound URL"


def _lines(result: Recorded) -> list[str]:
    lines = [f"{each.direction} {each.service} {each.command}: {each.count}, {each.errors} errors, "
             f"p50 {each.p50_ms:.1f} ms, p95 {each.p95_ms:.1f} ms" for each in result.commands]  # fmt: skip
    if result.commands_cut:
        lines.append(f"(+{result.commands_cut} rows: search_exchanges finds them)")
    lines += [f"note: {note}" for note in result.notes]
    if result.app_exit is not None:
        lines.append(f"the app ended by itself with status {result.app_exit}")
    return lines
