"""The load job: `python -m wiretape_replay.load`."""

from __future__ import annotations

import asyncio
import sys

from wiretape_capture.jobs.child import run_job
from wiretape_capture.jobs.events import Emit
from wiretape_capture.launch.port_lock import port_held
from wiretape_replay.load.load import load
from wiretape_replay.load.spec import LoadSpec
from wiretape_replay.verdict.model import Run


async def load_alone(spec: LoadSpec, emit: Emit, stop: asyncio.Event) -> Run:
    """Load while no other job of the project has its app on the same port."""
    async with port_held(spec.replay.app, emit, stop):
        return await load(spec, emit, stop)


if __name__ == "__main__":
    sys.exit(run_job("load", LoadSpec, load_alone))
