"""Drives the installed `wiretape` command as a user does: records, replays and mocks real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

BIN = Path(sys.executable).parent


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 90.0) -> None:
    """Poll a condition of another process; fails the test by name after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} within {seconds} s"
        signal.sigtimedwait([], 0.05)


def answers(url: str) -> bool:
    """Whether anything speaks HTTP at `url`."""
    try:
        httpx.get(url, timeout=2, trust_env=False)
    except httpx.HTTPError:
        return False
    return True


@dataclass
class Bench:
    """A workspace in a temporary folder and the commands run in it."""

    root: Path
    free_port: Callable[[], int]

    def wiretape(self, *words: str, code: int | None = 0, timeout: float = 90) -> dict[str, Any]:
        """Run one command with `--json` and give its document; the exit code must be `code`."""
        ran = subprocess.run(
            [BIN / "wiretape", *words], cwd=self.root, capture_output=True, text=True, timeout=timeout, check=False
        )
        assert code is None or ran.returncode == code, ran.stdout[-6000:] + ran.stderr[-4000:]
        document: dict[str, Any] = json.loads(ran.stdout)
        return document

    @contextmanager
    def recording(self, name: str, app_port: int, command: Sequence[str]) -> Iterator[str]:
        """Record an app; yields the base URL in front of it and ends with Ctrl-C."""
        listen = self.free_port()
        words = ["record", "--name", name, "--app-port", str(app_port), "--listen", str(listen), "--json", "--"]
        with (self.root / f"record-{name}.log").open("w") as log:
            recorder = subprocess.Popen([BIN / "wiretape", *words, *command], cwd=self.root, stdout=log, stderr=log)
            base = f"http://127.0.0.1:{listen}"
            try:
                wait_until(lambda: recorder.poll() is not None or answers(f"http://127.0.0.1:{app_port}"), "app ready")
                wait_until(lambda: recorder.poll() is not None or answers(base), "recorder ready")
                yield base
            finally:
                recorder.send_signal(signal.SIGINT)
                code = recorder.wait(30)
        assert code == 0, (self.root / f"record-{name}.log").read_text()[-4000:]

    @contextmanager
    def server(self, command: Sequence[str | Path], url: str) -> Iterator[None]:
        """A service outside wiretape, gone when the block ends."""
        with (self.root / "server.log").open("ab") as log:
            process = subprocess.Popen(command, cwd=self.root, stdout=log, stderr=log, start_new_session=True)
            try:
                wait_until(lambda: answers(url), f"{command[0]} ready")
                yield
            finally:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait(15)
