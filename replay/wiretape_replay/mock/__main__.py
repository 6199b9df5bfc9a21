"""`python -m wiretape_replay.mock`: the mock as a job."""

from __future__ import annotations

import sys

from wiretape_capture.jobs.child import run_job
from wiretape_replay.mock.serve import serve_mock
from wiretape_replay.mock.spec import MockSpec

if __name__ == "__main__":
    sys.exit(run_job("mock", MockSpec, serve_mock))
