"""Waiting until a started recording or mock is ready, with progress, and clearing up when it never is."""

from __future__ import annotations

from mcp.server.mcpserver import Context

from wiretape_capture.errors import WiretapeError
from wiretape_capture.jobs.events import Ready
from wiretape_capture.launch.spec import AppSpec
from wiretape_server.mcp.live_jobs import LiveJob
from wiretape_server.mcp.state import ServerState
from wiretape_server.mcp.waiting import wait_or_stop

OWN_START = 30.0
"""Seconds a job may take beyond its app's own limit."""


async def started(ctx: Context[ServerState], live: LiveJob, app: AppSpec | None) -> Ready:
    """The job's `Ready`; a job that fails first is forgotten and its error raised."""
    jobs = ctx.request_context.lifespan_context.jobs
    limit = OWN_START + (app.ready_timeout if app else 0.0)
    await wait_or_stop(jobs, live, lambda job: job.ready is not None, limit, ctx.report_progress)
    if live.ready is not None and not live.ended:
        return live.ready
    if not live.ended:
        await live.stop()
        jobs.forget(live)
        raise WiretapeError(f"{live.kind} {live.name!r} was not ready after {limit:.0f} s", "look at its log and retry")
    jobs.forget(live)
    live.outcome()
    raise WiretapeError(f"{live.kind} {live.name!r} ended at once", "the app may have exited: look at its log")
