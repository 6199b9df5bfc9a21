"""Whether anybody still uses a server on a port, and the end of what its clients left running when nobody does.

Over HTTP no client owns a job: any of them may stop it, and the protocol does not say when one is gone. So the bound is
on all of them together: a while without a request and without an open stream.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from wiretape_server.mcp.live_jobs import LiveJob, LiveJobs

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

CHECKS = 4
"""So often within the limit it is looked whether it is over."""


class Presence:
    """Counts the requests under way; a stream of events is one as long as its client listens."""

    def __init__(self, app: ASGIApp, clock: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._clock = clock
        self._under_way = 0
        self._last = clock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and remember when it ended."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self._under_way += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._under_way -= 1
            self._last = self._clock()

    @property
    def idle_seconds(self) -> float:
        """For how long there has been no client; 0 while one waits or listens."""
        return 0.0 if self._under_way else self._clock() - self._last


async def end_unattended(jobs: LiveJobs, presence: Presence, limit: float) -> None:
    """End recordings and mocks once no client has been there for `limit` seconds; runs end by themselves."""
    while True:
        await asyncio.sleep(limit / CHECKS)
        left = [live for live in (*jobs.of("recording"), *jobs.of("mock")) if not live.ended]
        if left and presence.idle_seconds >= limit:
            _tell(left, limit)
            await asyncio.gather(*(live.stop() for live in left))


def _tell(left: list[LiveJob], limit: float) -> None:
    names = ", ".join(f"{live.kind} {live.name}" for live in left)
    sys.stderr.write(f"wiretape mcp: no client for {limit / 60:g} min, ending {names}\n")
    sys.stderr.flush()
