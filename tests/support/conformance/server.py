"""wiretape's own server with the conformance suite's fixtures beside its tools: `python -m conformance.server`.

Everything between the wire and a tool is the product's: server, middleware, ASGI app and its checks.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.types import (
    CallToolResult,
    EmptyResult,
    SetLevelRequestParams,
    SubscribeRequestParams,
    UnsubscribeRequestParams,
)

from conformance.contents import SCHEMA_2020_12, add_contents, said
from conformance.rounds import add_rounds
from wiretape_server.mcp.app import build_server
from wiretape_server.mcp.live_jobs import LiveJobs
from wiretape_server.mcp.options import ServeOptions
from wiretape_server.mcp.sdk_seams import lowlevel, registered_tool
from wiretape_server.mcp.state import ServerState
from wiretape_server.mcp.web import serve_web


def add_fixtures(server: MCPServer[Any]) -> None:
    """Register all that the suite calls by name."""
    add_contents(server)
    add_rounds(server)
    _state_schemas(server)
    _add_list_changes(server)
    _add_old_requests(server)


def _state_schemas(server: MCPServer[Any]) -> None:
    """Schemas that no Python signature can state."""
    schema_tool, header_tool = (registered_tool(server, name)
                                for name in ("json_schema_2020_12_tool", "test_x_mcp_header"))  # fmt: skip
    assert schema_tool is not None
    assert header_tool is not None
    schema_tool.parameters = SCHEMA_2020_12
    header_tool.parameters["properties"]["region"]["x-mcp-header"] = "Region"


def _add_list_changes(server: MCPServer[Any]) -> None:
    @server.tool()
    async def test_trigger_tool_change(ctx: Context[Any]) -> CallToolResult:
        """Conformance fixture: trigger tool change."""
        await ctx.notify_tools_changed()
        return said("told")

    @server.tool()
    async def test_trigger_prompt_change(ctx: Context[Any]) -> CallToolResult:
        """Conformance fixture: trigger prompt change."""
        await ctx.notify_prompts_changed()
        return said("told")


def _add_old_requests(server: MCPServer[Any]) -> None:
    """Requests of the 2025 protocol that wiretape itself has no use for."""
    low = lowlevel(server)

    async def taken(_: Any, __: object) -> EmptyResult:
        return EmptyResult()

    low.add_request_handler("logging/setLevel", SetLevelRequestParams, taken)
    if low.get_request_handler("resources/subscribe") is None:
        low.add_request_handler("resources/subscribe", SubscribeRequestParams, taken)
        low.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, taken)


async def main() -> None:
    """Serve Streamable HTTP on a free port, as `wiretape mcp --http --port 0` does."""
    options = ServeOptions(transport="http", port=0, directory=Path.cwd())
    async with LiveJobs() as jobs:
        state = ServerState(options, jobs)
        server = build_server(state)
        add_fixtures(server)
        await serve_web(server, state)


if __name__ == "__main__":
    anyio.run(main)
