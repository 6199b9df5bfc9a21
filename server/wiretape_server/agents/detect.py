"""Which coding agents are used here: by their files in a project and in the home, and by their programs."""

from __future__ import annotations

import shutil
from pathlib import Path

from wiretape_server.agents.catalogue import Agent


def found(agent: Agent, project: Path, home: Path, path: str | None = None) -> str:
    """Why an agent is taken to be used, in a word for people; empty where nothing tells of it."""
    for mark in agent.marks:
        if (project / mark).exists():
            return mark
    for mark in agent.home_marks:
        if (home / mark).exists():
            return f"~/{mark}"
    for binary in agent.binaries:
        if shutil.which(binary, path=path):
            return f"{binary} on PATH"
    return ""


def project_root(start: Path, home: Path) -> Path:
    """The project around `start`: the nearest folder with a wiretape.toml, .wiretape or .git below the home."""
    start = start.resolve()
    for folder in (start, *start.parents):
        if folder == home.resolve() and folder != start:
            break
        if any((folder / mark).exists() for mark in ("wiretape.toml", ".wiretape", ".git")):
            return folder
    return start
