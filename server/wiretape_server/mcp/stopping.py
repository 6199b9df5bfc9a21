"""Ending a recording or a mock and taking its result."""

from __future__ import annotations

import asyncio
from typing import Any

from mcp.server.mcpserver import Context

from wiretape_server.mcp.live_jobs import STOP_GRACE, LiveJob
from wiretape_server.mcp.state import ServerState
from wiretape_server.mcp.waiting import wait_for


async def stopped(ctx: Context[ServerState], live: LiveJob) -> dict[str, Any]:
    """The job's result. A cancelled call does not keep the job from ending."""
    jobs = ctx.request_context.lifespan_context.jobs
    live.job.request_stop()
    if not await wait_for(live, lambda _: False, STOP_GRACE, ctx.report_progress):
        live.job.kill()
        await asyncio.shield(live.end())
    jobs.forget(live)
    return live.outcome().result
