"""Waiting for a job inside one call: progress at least every few seconds, a limit, and what cancelling means."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from wiretape_capture.jobs.events import Progress
from wiretape_server.mcp.live_jobs import LiveJob, LiveJobs

HEARTBEAT = 5.0
"""Seconds. opencode gives up on a silent call after 60 s, Copilot CLI after 180 s; progress keeps both waiting."""
QUIET = 0.25
"""Seconds between two notifications at least."""
TICK = 0.001
"""MCP wants every progress value above the last; a heartbeat without news adds this much."""

type Report = Callable[[float, float | None, str | None], Awaitable[None]]


@dataclass
class Meter:
    """Turns a job's progress into MCP's: strictly increasing, with the count as text."""

    value: float = 0.0

    def step(self, progress: Progress | None, elapsed: float, doing: str = "") -> tuple[float, float | None, str]:
        """Value, total and message of the next notification; `doing` until there is progress."""
        done = float(progress.done) if progress else 0.0
        self.value = max(self.value + TICK, done)
        if progress is None:
            return self.value, None, f"{doing or 'starting'}, {elapsed:.0f} s"
        count = f"{progress.done}/{progress.total}" if progress.total else str(progress.done)
        total = float(progress.total) if progress.total and progress.total >= self.value else None
        detail = f": {progress.message}" if progress.message else ""
        return self.value, total, f"{count} {progress.unit}{detail}"


async def wait_for(live: LiveJob, until: Callable[[LiveJob], bool], seconds: float, report: Report) -> bool:
    """Wait until the job ended or `until` holds, for at most `seconds`; whether it came to that."""
    meter, started = Meter(), time.monotonic()
    left = seconds
    while not (live.ended or until(live)) and left > 0:
        try:
            async with asyncio.timeout(min(HEARTBEAT, left)):
                await live.moved()
                await asyncio.sleep(0 if live.ended or until(live) else QUIET)
        except TimeoutError:
            pass
        elapsed = time.monotonic() - started
        left = seconds - elapsed
        await report(*meter.step(live.progress, elapsed, live.doing))
    return live.ended or until(live)


async def wait_or_stop(jobs: LiveJobs, live: LiveJob, until: Callable[[LiveJob], bool],
                       seconds: float, report: Report) -> bool:  # fmt: skip
    """`wait_for`, and when the client cancels while nobody else waits, stop the job."""
    live.waiting += 1
    try:
        return await wait_for(live, until, seconds, report)
    except asyncio.CancelledError:
        if live.waiting == 1 and not live.ended:
            jobs.stop_soon(live)
        raise
    finally:
        live.waiting -= 1
