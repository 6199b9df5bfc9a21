"""What an app started elsewhere needs, and where one is that was started here, as text."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from wiretape_capture.launch.spec import AppSpec


def environment_lines(endpoints: Mapping[str, str], environment: Mapping[str, str]) -> list[str]:
    """Endpoints and `export` lines."""
    lines = [f"{role}: {url}" for role, url in endpoints.items()]
    if environment:
        lines.append("environment for an app that is started elsewhere:")
        lines += [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
    return lines


def app_url(app: AppSpec | None) -> str:
    """Where the app that was started listens itself."""
    return f"http://127.0.0.1:{app.port}" if app is not None and app.port is not None else ""


def app_log(root: Path, app: AppSpec | None) -> str:
    """The file with its output, relative to the project where it lies in it."""
    if app is None or app.log is None:
        return ""
    return str(app.log.relative_to(root) if app.log.is_relative_to(root) else app.log)


def app_lines(url: str, log: str) -> list[str]:
    """Both as text."""
    return [line for line in (url and f"the app itself: {url}", log and f"the app's output: {log}") if line]
