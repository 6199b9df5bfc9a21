"""Refuses tool arguments that mean nothing here, in words an agent can act on.

The SDK ignores unknown arguments, so that a misspelt filter would pass unnoticed, and answers invalid ones with
pydantic's own text.
"""

from __future__ import annotations

import difflib
from typing import Any

from mcp.server import MCPServer
from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext
from mcp.server.mcpserver.tools import Tool
from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS, CallToolResult, TextContent
from pydantic import ValidationError

from wiretape_server.mcp.results import said
from wiretape_server.mcp.sdk_seams import registered_names, registered_tool

INJECTED_BY_CLIENTS = frozenset({"wait_for_previous"})
"""Gemini CLI adds it to every tool and forwards it to the server."""


def argument_check(server: MCPServer[Any]) -> ServerMiddleware[Any]:
    """Middleware that answers a call with bad arguments before its tool runs."""

    async def check(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        if ctx.method == "tools/call" and ctx.params:
            name = str(ctx.params.get("name"))
            tool = registered_tool(server, name)
            if tool is None:
                raise MCPError(INVALID_PARAMS, said(f"there is no tool {name[:60]!r}; {_tools_near(name, server)}"))
            arguments = ctx.params.get("arguments") or {}
            problem = objection(tool, _without_nulls(tool, arguments)) if isinstance(arguments, dict) else ""
            if problem:
                return CallToolResult(is_error=True, content=[TextContent(type="text", text=said(problem))])
        return await call_next(ctx)

    return check


def _without_nulls(tool: Tool, arguments: dict[str, Any]) -> dict[str, Any]:
    """The call's own arguments, without those that say in JSON that they are not given."""
    required = tool.parameters.get("required", ())
    for name in [name for name, value in arguments.items() if value is None and name not in required]:
        del arguments[name]
    return arguments


def _tools_near(name: str, server: MCPServer[Any]) -> str:
    known = registered_names(server)
    near = difflib.get_close_matches(name[:60], known, 1)
    return f"did you mean {near[0]}?" if near else f"the tools are {', '.join(known)}"


def objection(tool: Tool, arguments: dict[str, Any]) -> str:
    """What is wrong with the arguments, in one sentence each; empty when nothing is."""
    known = list(tool.parameters.get("properties", {}))
    unknown = [name for name in arguments if name not in known and name not in INJECTED_BY_CLIENTS]
    if unknown:
        return "\n".join(f"{tool.name} has no argument {name[:60]!r}; {_suggestion(name[:60], known)}"
                         for name in unknown[:3])  # fmt: skip
    try:
        tool.fn_metadata.validate_arguments(arguments)
    except ValidationError as error:
        found = (_complaint(item["loc"], item["msg"], item["input"]) for item in error.errors(include_url=False))
        return "\n".join(f"{tool.name}: {each}" for each in list(found)[:3])
    return ""


def _suggestion(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    listed = f"its arguments are {', '.join(known)}" if known else "call it without arguments"
    return f"did you mean {near[0]!r}? {listed}" if near else listed


def _complaint(location: tuple[int | str, ...], message: str, value: object) -> str:
    where = ".".join(str(part) for part in location)
    shown = "" if message == "Field required" else f", not {str(value)[:80]!r}"
    return f"{where}: {message[:1].lower()}{message[1:]}{shown}; correct it and call again"
