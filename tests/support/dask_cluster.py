"""A small dask cluster on loopback: a scheduler and worker processes, without a dashboard."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workbench import wait_until


@contextmanager
def scheduler(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A scheduler without workers, for tests that end it."""
    log = folder / "scheduler.log"
    words = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port),
             "--no-dashboard"]  # fmt: skip
    with log.open("wb") as file:
        process = subprocess.Popen(words, stdout=file, stderr=file, cwd=folder)
    try:
        wait_until(lambda: process.poll() is not None or b"Scheduler at" in log.read_bytes(), "a scheduler")
        yield process
    finally:
        process.kill()
        process.wait(20)


@contextmanager
def workers_of(scheduler: str, folder: Path, **variables: str) -> Iterator[None]:
    """One more worker of a scheduler, in a process of its own with other variables."""
    log = folder / "worker.log"
    words = [sys.executable, "-m", "distributed.cli.dask_worker", scheduler.replace("dask://", "tcp://"),
             "--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1",
             "--local-directory", str(folder)]  # fmt: skip
    with log.open("wb") as file:
        process = subprocess.Popen(words, stdout=file, stderr=file, env={**os.environ, **variables}, cwd=folder)
    try:
        wait_until(lambda: process.poll() is not None or b"Registered to" in log.read_bytes(), "a worker registered")
        assert process.poll() is None, log.read_text()
        yield
    finally:
        process.terminate()
        process.wait(20)
