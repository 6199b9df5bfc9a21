"""The MCP server object: its instructions, its tools in a fixed order, its resources and its argument check."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from mcp.server import CacheHint, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations

from wiretape_capture.errors import WiretapeError
from wiretape_server.mcp.about import INSTRUCTIONS, NAME, TITLE, version
from wiretape_server.mcp.annotations import READ, RECORD, START, STOP, WAIVE
from wiretape_server.mcp.announcements import Announcements
from wiretape_server.mcp.arguments import argument_check
from wiretape_server.mcp.completions import add_completions
from wiretape_server.mcp.prompts import add_prompts
from wiretape_server.mcp.resources import add_resources
from wiretape_server.mcp.results import said
from wiretape_server.mcp.sdk_seams import plain_logging, registered_tool, tidy_schemas
from wiretape_server.mcp.state import ServerState
from wiretape_server.mcp.tools.accept_noise import accept_noise
from wiretape_server.mcp.tools.explain import explain
from wiretape_server.mcp.tools.get_diff import get_diff
from wiretape_server.mcp.tools.get_exchange import get_exchange
from wiretape_server.mcp.tools.get_run import get_run
from wiretape_server.mcp.tools.get_traffic import get_traffic
from wiretape_server.mcp.tools.list_runs import list_runs
from wiretape_server.mcp.tools.list_snapshots import list_snapshots
from wiretape_server.mcp.tools.run_replay import run_replay
from wiretape_server.mcp.tools.search_exchanges import search_exchanges
from wiretape_server.mcp.tools.start_mock import start_mock
from wiretape_server.mcp.tools.start_recording import start_recording
from wiretape_server.mcp.tools.stop_mock import stop_mock
from wiretape_server.mcp.tools.stop_recording import stop_recording
from wiretape_server.mcp.wording import in_tools

type ToolFunction = Callable[..., Awaitable[Any]]

TOOLS: tuple[tuple[ToolFunction, str, ToolAnnotations], ...] = (
    (run_replay, "Replay and judge", START),
    (get_diff, "Show findings", READ),
    (explain, "Explain a finding or a miss", READ),
    (get_traffic, "Show a route's traffic", READ),
    (get_run, "Get a run", READ),
    (list_runs, "List runs", READ),
    (list_snapshots, "List snapshots", READ),
    (search_exchanges, "Search exchanges", READ),
    (get_exchange, "Get an exchange", READ),
    (start_recording, "Start recording", RECORD),
    (stop_recording, "Stop recording", STOP),
    (start_mock, "Start mocks", START),
    (stop_mock, "Stop mocks", STOP),
    (accept_noise, "Accept noise", WAIVE),
)


def build_server(state: ServerState) -> MCPServer[ServerState]:
    """The server over `state`, for any transport."""

    @asynccontextmanager
    async def lifespan(_: MCPServer[ServerState]) -> AsyncIterator[ServerState]:
        yield state  # owned by the process: HTTP enters a lifespan once, SSE once a connection

    announcements = Announcements()
    with plain_logging():
        server = MCPServer(
            NAME, title=TITLE, version=version(), instructions=INSTRUCTIONS,
            lifespan=lifespan, cache_hints={"tools/list": CacheHint(ttl_ms=300_000, scope="public")},
            subscriptions=announcements.bus,
        )  # fmt: skip
    for function, title, hints in TOOLS:
        server.add_tool(_told(function), title=title, annotations=hints)
        tool = registered_tool(server, function.__name__)
        assert tool is not None
        tidy_schemas(tool)
    add_resources(server, state)
    add_prompts(server)
    add_completions(server, state)
    announcements.serve(server)
    state.jobs.on_end.append(announcements.ended)
    server.middleware.append(argument_check(server))
    return server


def _told(function: ToolFunction) -> ToolFunction:
    """The tool with its errors for users turned into the one kind whose text the SDK lets through."""

    @functools.wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return await function(*args, **kwargs)
        except WiretapeError as error:
            raise ToolError(said(in_tools(error))) from error

    return call
