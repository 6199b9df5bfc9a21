"""The replay job: `python -m wiretape_replay.engine`."""

from __future__ import annotations

import asyncio
import sys

from wiretape_capture.jobs.child import run_job
from wiretape_capture.jobs.events import Emit
from wiretape_capture.launch.port_lock import port_held
from wiretape_replay.engine.replay import replay
from wiretape_replay.engine.spec import ReplaySpec
from wiretape_replay.verdict.model import Run


async def replay_alone(spec: ReplaySpec, emit: Emit, stop: asyncio.Event) -> Run:
    """Replay while no other job of the project has its app on the same port."""
    async with port_held(spec.app, emit, stop):
        return await replay(spec, emit, stop)


if __name__ == "__main__":
    sys.exit(run_job("replay", ReplaySpec, replay_alone))
