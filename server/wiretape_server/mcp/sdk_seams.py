"""The places where the SDK has no public door: kept in one file so that a test can tell when they move."""

from __future__ import annotations

import functools
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import mcp.server.mcpserver.server as sdk_server
from mcp.server import MCPServer
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import NotificationOptions, Server
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.tools import Tool
from mcp.types import (
    EmptyResult,
    ListResourcesResult,
    PaginatedRequestParams,
    SubscribeRequestParams,
    UnsubscribeRequestParams,
)
from mcp.types.version import MODERN_PROTOCOL_VERSIONS

if TYPE_CHECKING:
    from mcp.server.connection import Connection


@contextmanager
def plain_logging() -> Iterator[None]:
    """Keep a new server from setting up rich logging, which costs start-up time and writes boxes to stderr."""
    original = vars(sdk_server)["configure_logging"]
    vars(sdk_server)["configure_logging"] = lambda _: logging.basicConfig(level="WARNING", format="%(message)s")
    try:
        yield
    finally:
        vars(sdk_server)["configure_logging"] = original


def lowlevel(server: MCPServer[Any]) -> Server[Any]:
    """The server that runs on bare streams."""
    return server._lowlevel_server


def registered_tool(server: MCPServer[Any], name: str) -> Tool | None:
    """A registered tool with its argument model."""
    return server._tool_manager.get_tool(name)


def registered_names(server: MCPServer[Any]) -> list[str]:
    """Names of all tools, in their order."""
    return [tool.name for tool in server._tool_manager.list_tools()]


def list_resources_with(
    server: MCPServer[Any],
    listing: Callable[[Any, PaginatedRequestParams | None], Awaitable[ListResourcesResult]],
) -> None:
    """Answer resources/list from `listing` instead of from what was registered."""
    lowlevel(server).add_request_handler("resources/list", PaginatedRequestParams, listing)


def subscribe_with(
    server: MCPServer[Any],
    subscribe: Callable[[ServerRequestContext[Any, Any], SubscribeRequestParams], Awaitable[EmptyResult]],
    unsubscribe: Callable[[ServerRequestContext[Any, Any], UnsubscribeRequestParams], Awaitable[EmptyResult]],
) -> None:
    """Take subscriptions of the 2025 protocol, and tell its clients that they may come."""
    low = lowlevel(server)
    low.add_request_handler("resources/subscribe", SubscribeRequestParams, subscribe)
    low.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, unsubscribe)
    plain = low.create_initialization_options
    vars(low)["create_initialization_options"] = functools.partial(plain, NotificationOptions(resources_changed=True))


def connection_of(ctx: ServerRequestContext[Any, Any]) -> Connection:
    """The connection that a request came on."""
    return ctx.session._connection


def is_modern(ctx: ServerRequestContext[Any, Any]) -> bool:
    """Whether a request speaks the protocol without handshake, whose clients are told on streams they ask for."""
    return ctx.session.protocol_version in MODERN_PROTOCOL_VERSIONS


def client_name(ctx: Context[Any]) -> str:
    """Name and version of the client as it gave them, in either era of the protocol."""
    params = ctx.session.client_params
    told = f"{params.client_info.name} {params.client_info.version}" if params else ""
    return " ".join(told.split())[:80] or "an unnamed client"


def tidy_schemas(tool: Tool) -> None:
    """Drop what pydantic adds for nobody, `title` of every property and model, and say that no argument is missing."""
    tool.parameters = _untitled(tool.parameters) | {"additionalProperties": False}
    if tool.fn_metadata.output_schema is not None:
        tool.fn_metadata.output_schema = _untitled(tool.fn_metadata.output_schema)


def _untitled(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without `title` keywords; a property that is named title stays."""

    def visit(node: Any, *, names: bool) -> Any:
        if isinstance(node, list):
            return [visit(item, names=False) for item in node]
        if not isinstance(node, dict):
            return node
        return {key: visit(value, names=not names and key in ("properties", "$defs"))
                for key, value in node.items() if names or key != "title"}  # fmt: skip

    result: dict[str, Any] = visit(schema, names=False)
    return result
