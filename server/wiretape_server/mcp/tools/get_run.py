"""get_run: the verdict of one run, waiting for it while it still runs."""

from __future__ import annotations

from typing import Annotated

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult
from pydantic import Field

from wiretape_server.mcp.results import answer
from wiretape_server.mcp.runs import RunResult, finished_result, open_run, result_lines
from wiretape_server.mcp.state import ServerState
from wiretape_server.mcp.tools.run_replay import awaited


async def get_run(
    ctx: Context[ServerState],
    run: Annotated[str | None, Field(description="Run id; default: the newest.")] = None,
    wait_seconds: Annotated[int, Field(
        ge=0, le=240, description="How long to wait for a run that is still going, 0 to 240, default 45.")] = 45,
) -> Annotated[CallToolResult, RunResult]:  # fmt: skip
    """Get a run's verdict, evals and first findings. Use it to poll a run that run_replay left running."""
    state = ctx.request_context.lifespan_context
    live = state.jobs.find("run", run) if run else next((job for job in state.jobs.of("run") if not job.ended), None)
    if live is not None and not (live.ended and live.result is not None):
        return await awaited(ctx, live, "", wait_seconds)
    workspace = state.workspace()
    async with await open_run(workspace, run) as reader:
        result = finished_result(await reader.run(), state.mask(), workspace)
    return answer(result, result_lines(result))
