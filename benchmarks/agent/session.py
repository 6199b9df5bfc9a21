"""One agent at a real MCP server over stdio: its calls, and what they cost in tokens."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcp import Client, StdioServerParameters
from mcp.types import TextContent

from benchmarks.tokens import tokens
from benchmarks.verdict.recording import environment


@dataclass(frozen=True, slots=True)
class Answer:
    """One tool result, both halves: some clients show a model only the text, some only the fields."""

    text: str
    fields: Mapping[str, Any]
    tokens: int
    """Of the call and of the larger half."""


@dataclass
class Session:
    """A connected agent."""

    client: Client
    answers: list[Answer] = field(default_factory=list)

    async def call(self, tool: str, arguments: Mapping[str, Any] | None = None) -> Answer:
        """Call a tool; an error ends the benchmark, since the policy makes only calls that were named to it."""
        result = await self.client.call_tool(tool, dict(arguments or {}), read_timeout_seconds=300)
        text = "\n".join(block.text for block in result.content if isinstance(block, TextContent))
        assert not result.is_error, f"{tool}: {text}"
        fields = result.structured_content or {}
        asked = tokens(json.dumps({"name": tool, "arguments": arguments or {}}))
        answer = Answer(text, fields, asked + max(tokens(text), tokens(_compact(fields))))
        self.answers.append(answer)
        return answer

    async def tool_list_tokens(self) -> int:
        """What the list of tools costs a model: names, descriptions and arguments."""
        listed = (await self.client.list_tools()).tools
        shown = ({"name": one.name, "description": one.description, "input_schema": one.input_schema} for one in listed)
        return sum(tokens(_compact(one)) for one in shown)


@asynccontextmanager
async def connected(folder: Path) -> AsyncIterator[Session]:
    """A server process in a project's folder, started cold."""
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "wiretape_server.mcp"], cwd=folder, env=dict(environment())
    )
    async with Client(server) as client:
        yield Session(client)


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
