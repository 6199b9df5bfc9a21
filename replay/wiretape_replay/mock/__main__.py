"""`python -m wiretape_replay.mock`: the mock as a job."""

from __future__ import annotations

import asyncio
import sys

from wiretape_capture.jobs.child import run_job
from wiretape_capture.jobs.events import Emit
from wiretape_capture.launch.port_lock import port_held
from wiretape_replay.mock.serve import serve_mock
from wiretape_replay.mock.spec import MockResult, MockSpec


async def mock_alone(spec: MockSpec, emit: Emit, stop: asyncio.Event) -> MockResult:
    """Mock while no other job of the project has its app on the same port."""
    async with port_held(spec.app, emit, stop):
        return await serve_mock(spec, emit, stop)


if __name__ == "__main__":
    sys.exit(run_job("mock", MockSpec, mock_alone))
