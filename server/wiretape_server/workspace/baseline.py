"""Unchanged code as the configuration names it: a running instance, a command, or the app's own in another checkout."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from wiretape_capture.errors import UsageError
from wiretape_capture.launch.free_port import free_port
from wiretape_capture.launch.spec import AppSpec
from wiretape_replay.engine.spec import BaselineSpec
from wiretape_replay.mock.spec import MockSpec
from wiretape_server.workspace.workspace import Workspace

PORT_MARK = "{port}"
GIT_SECONDS = 5


def is_url(baseline: str) -> bool:
    """Whether `replay.baseline` names a running instance; anything else is the id of an earlier run."""
    return baseline.startswith(("http://", "https://"))


def checked_url(url: str) -> str:
    """A URL that can be sent to, without a slash at its end."""
    if not re.fullmatch(r"https?://[^/\s]+(/\S*)?", url):
        raise UsageError(f'"{url}" is not an http or https URL', "write it as http://127.0.0.1:8000")
    try:
        port = urlsplit(url).port
    except ValueError:
        port = 0
    if port == 0:
        raise UsageError(f'"{url}" has no port from 1 to 65535', "write it as http://127.0.0.1:8000")
    return url.rstrip("/")


def baseline_spec(ws: Workspace, app: AppSpec | None, mock: MockSpec | None) -> BaselineSpec | None:
    """The baseline that keys and flags ask for; None without any. `mock` answers its calls as it does the app's."""
    replay = ws.config.replay
    started = bool(replay.baseline_command or replay.baseline_cwd)
    if is_url(replay.baseline):
        if started:
            raise UsageError("there are two baselines, a URL and a command", "give one of them")
        return BaselineSpec(target=checked_url(replay.baseline), runs=replay.baseline_runs)
    if not started:
        return None
    command = replay.baseline_command or (app.command if app else ())
    if not command:
        raise UsageError("there is no command that starts the baseline", "give --baseline-command CMD")
    port = _port(replay.baseline_port, command, app)
    cwd = ws.root / (replay.baseline_cwd or ws.config.app.cwd)
    if not cwd.is_dir():
        raise UsageError(f"there is no directory {cwd} for the baseline", "correct --baseline-cwd")
    own = AppSpec(
        command=tuple(word.replace(PORT_MARK, str(port)) for word in command), cwd=cwd, env=ws.config.app.env,
        port=port, ready=ws.config.app.ready, ready_timeout=ws.config.app.ready_timeout, log=app.log if app else None,
    )  # fmt: skip
    return BaselineSpec(app=own, mock=mock, runs=replay.baseline_runs, commit=commit_of(cwd))


def _port(wanted: int | None, command: tuple[str, ...], app: AppSpec | None) -> int:
    if wanted:
        return wanted
    if any(PORT_MARK in word for word in command):
        return free_port()
    if app is not None and app.port is not None:
        return app.port  # its replays and the app's take turns
    raise UsageError(f"the port of the baseline {shlex.join(command)!r} is not known",
                     "give --baseline-port, or write {port} into the command")  # fmt: skip


def commit_of(folder: Path) -> str:
    """The version of the code there as git says it, with `-dirty` for changes; empty without git."""
    words = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--exclude", "*"]
    try:
        said = subprocess.run(words, capture_output=True, text=True, timeout=GIT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return said.stdout.strip() if said.returncode == 0 else ""
