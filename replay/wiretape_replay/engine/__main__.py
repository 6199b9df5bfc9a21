"""The replay job: `python -m wiretape_replay.engine`."""

from __future__ import annotations

import sys

from wiretape_capture.jobs.child import run_job
from wiretape_replay.engine.replay import replay
from wiretape_replay.engine.spec import ReplaySpec

if __name__ == "__main__":
    sys.exit(run_job("replay", ReplaySpec, replay))
