"""Which commands and targets an agent may ask for: what wiretape.toml and the server's starter allow, no more."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from wiretape_capture.errors import UsageError
from wiretape_server.mcp.options import ServeOptions
from wiretape_server.mcp.state import ServerState
from wiretape_server.mcp.web import is_loopback

if TYPE_CHECKING:
    from wiretape_server.workspace.workspace import Workspace


def check_command(options: ServeOptions, command: list[str] | None) -> None:
    """Refuse a command from a tool argument unless the server was started to take them."""
    if command and not options.allow_commands:
        raise UsageError("this server starts only the app of wiretape.toml",
                         "set app.command there, or have it started with: wiretape mcp --allow-commands")  # fmt: skip
    if command is not None and not command:
        raise UsageError("command is empty", 'give a list of words, such as ["python", "app.py"]')


def check_target(state: ServerState, workspace: Workspace, target: str) -> None:
    """Refuse to replay at a host that nobody but the agent named, in a call or in wiretape.toml since the start."""
    try:
        parts = urlsplit(target)
        host = "" if parts.port == 0 else parts.hostname or ""
        netloc = parts.netloc.rpartition("@")[2].lower()
    except ValueError:
        host, netloc = "", ""
    if parts_bad(target, host):
        raise UsageError(f"target {target!r} is not an http or https URL", "write it as http://127.0.0.1:8000")
    allowed = {each.lower() for each in state.options.allow_targets} | state.places_at_start
    if not (is_loopback(host) or host.lower() in allowed or netloc in allowed):
        if netloc in map(place_of, targets_of(workspace)):
            raise UsageError(
                f"wiretape.toml names {host} only since this server started",
                f"have a person check it and start the server again, or with --allow-target {host}",
            )  # fmt: skip
        raise UsageError(
            f"target host {host} is not this machine, and replayed writes would reach it",
            f"replay at 127.0.0.1, or have a person start the server with: wiretape mcp --allow-target {host}",
        )


def targets_of(workspace: Workspace) -> list[str]:
    """The URLs that replays are sent to by wiretape.toml: the app, and unchanged code that runs elsewhere."""
    replay = workspace.config.replay
    return [url for url in (replay.target, replay.baseline) if "://" in url]


def place_of(url: str) -> str:
    """Host and port of a URL; empty for none."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2].lower()
    except ValueError:
        return ""


def parts_bad(target: str, host: str) -> bool:
    """Whether the target cannot be sent to at all."""
    return not host or not target.lower().startswith(("http://", "https://"))
