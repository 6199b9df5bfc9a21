"""The words that start wiretape for an agent. Files of a project never hold a path of this machine."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from wiretape_server.agents.catalogue import Scope, Words


def on_path(environ: Mapping[str, str] = os.environ) -> str | None:
    """Where `wiretape` is found on PATH."""
    return shutil.which("wiretape", path=environ.get("PATH"))


def server_words(scope: Scope) -> Words:
    """What starts the MCP server."""
    return (*_start(scope), "mcp")


def hook_command(scope: Scope, client: str) -> str:
    """The shell line of a hook."""
    return shlex.join((*_start(scope), "hook", "--client", client))


def _start(scope: Scope) -> Words:
    """Without `wiretape` on PATH the user's own files name this installation."""
    if scope == "project" or on_path():
        return ("wiretape",)
    script = Path(sys.executable).parent / "wiretape"
    return (str(script),) if script.is_file() else (sys.executable, "-P", "-m", "wiretape_server")


def path_note(environ: Mapping[str, str] = os.environ) -> str | None:
    """What to do where agents would not find `wiretape`."""
    found = on_path(environ)
    if found is None:
        return "wiretape is not on PATH, so agents cannot start it: install it with `uv tool install wiretape` or pipx"
    if sys.prefix != sys.base_prefix and found.startswith(sys.prefix + os.sep) and "VIRTUAL_ENV" in environ:
        return (
            f"wiretape is on PATH only while {sys.prefix} is active: install it with `uv tool install wiretape` or pipx"
        )
    return None
