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
from mcp.types import CallToolResult, TextContent
from pydantic import ValidationError

from wiretape_server.mcp.sdk_seams import registered_tool

INJECTED_BY_CLIENTS = frozenset({"wait_for_previous"})
"""Gemini CLI adds it to every tool and forwards it to the server."""


def argument_check(server: MCPServer[Any]) -> ServerMiddleware[Any]:
    """Middleware that answers a call with bad arguments before its tool runs."""

    async def check(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        if ctx.method == "tools/call" and ctx.params:
            tool = registered_tool(server, str(ctx.params.get("name")))
            arguments = ctx.params.get("arguments") or {}
            problem = objection(tool, arguments) if tool and isinstance(arguments, dict) else ""
            if problem:
                return CallToolResult(is_error=True, content=[TextContent(type="text", text=problem)])
        return await call_next(ctx)

    return check


def objection(tool: Tool, arguments: dict[str, Any]) -> str:
    """What is wrong with the arguments, in one sentence each; empty when nothing is."""
    known = list(tool.parameters.get("properties", {}))
    unknown = [name for name in arguments if name not in known and name not in INJECTED_BY_CLIENTS]
    if unknown:
        return "\n".join(f"{tool.name} has no argument {name!r}; {_suggestion(name, known)}" for name in unknown)
    try:
        tool.fn_metadata.validate_arguments(arguments)
    except ValidationError as error:
        found = (_complaint(item["loc"], item["msg"], item["input"]) for item in error.errors(include_url=False))
        return "\n".join(f"{tool.name}: {each}" for each in found)
    return ""


def _suggestion(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    listed = f"its arguments are {', '.join(known)}" if known else "call it without arguments"
    return f"did you mean {near[0]!r}? {listed}" if near else listed


def _complaint(location: tuple[int | str, ...], message: str, value: object) -> str:
    where = ".".join(str(part) for part in location)
    shown = "" if message == "Field required" else f", not {str(value)[:80]!r}"
    return f"{where}: {message[:1].lower()}{message[1:]}{shown}; correct it and call again"
