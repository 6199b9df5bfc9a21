"""`wiretape mcp`: run the MCP server on one transport and leave nothing running behind it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tomllib
from pathlib import Path

import anyio

from wiretape_server.mcp.app import build_server
from wiretape_server.mcp.commands import place_of
from wiretape_server.mcp.live_jobs import LiveJobs
from wiretape_server.mcp.options import ServeOptions
from wiretape_server.mcp.state import ServerState
from wiretape_server.mcp.stdio import serve_stdio
from wiretape_server.mcp.web import serve_web
from wiretape_server.workspace.names import DATA_DIR, PROJECT_FILE


def serve(options: ServeOptions) -> int:
    """Serve until the client goes away or a signal comes; returns the exit code."""
    return anyio.run(_serve, options)


async def _serve(options: ServeOptions) -> int:
    async with LiveJobs() as jobs:
        state = ServerState(options, jobs, _places(options.directory))
        signals = asyncio.create_task(_end_on_signal(jobs))
        try:
            if options.transport == "stdio":
                await serve_stdio(build_server(state))
            else:
                await serve_web(build_server(state), state)
        finally:
            signals.cancel()
    return 0


def _places(folder: Path) -> frozenset[str]:
    """Where wiretape.toml has replays sent now; the tools say what is wrong with one that cannot be read.

    Read without the workspace, whose import takes longer than an agent waits for the first answer.
    """
    folder = folder.resolve()
    marks = (each / name for each in (folder, *folder.parents) for name in (PROJECT_FILE, DATA_DIR))
    nearest = next((mark for mark in marks if mark.exists()), folder / PROJECT_FILE)
    try:
        replay = tomllib.loads(nearest.read_text(encoding="utf-8")).get("replay")
    except (OSError, ValueError):
        return frozenset()
    named = [replay.get(key) for key in ("target", "baseline")] if isinstance(replay, dict) else []
    return frozenset(place_of(url) for url in named if isinstance(url, str) and "://" in url)


async def _end_on_signal(jobs: LiveJobs) -> None:
    """The SDK's stdin thread cannot be cancelled, so after the jobs have ended the process leaves at once."""
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        async for number in signals:
            with anyio.CancelScope(shield=True):
                await jobs.stop_all()
            sys.stderr.flush()
            os._exit(128 + number)
