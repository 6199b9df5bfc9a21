"""The tool list as agents see it: names, hints, schemas, sizes, the docs, and what a start costs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.types import Tool

from wiretape_server.mcp.about import INSTRUCTIONS
from wiretape_server.mcp.app import TOOLS
from wiretape_server.workspace.workspace import Workspace

type InMemory = Callable[[Workspace], AbstractAsyncContextManager[Client]]

ROOT = Path(__file__).parents[3]
SNAPSHOT = Path(__file__).with_name("tool_list.json")
VISIBLE_BUDGET = 4000
"""Tokens of name, description and input schema of all tools: what a model pays before it does anything."""
MOST_TOOLS = 14
READ_ONLY = {
    "get_diff", "explain", "get_traffic", "get_run", "list_runs", "list_snapshots", "search_exchanges", "get_exchange",
}  # fmt: skip


@pytest.fixture
async def tools(in_memory: InMemory, tmp_path: Path) -> list[Tool]:
    async with in_memory(Workspace(tmp_path)) as client:
        return (await client.list_tools()).tools


def tokens(text: str) -> int:
    """By a vocabulary that current models share or come near to; it lies in the package, nothing is downloaded."""
    import bpe_openai  # reads all its vocabularies: each worker collects this file, one counts

    return len(bpe_openai.get_encoding("o200k_base").encode(text))


def visible(tool: Tool) -> dict[str, Any]:
    return {"name": tool.name, "description": tool.description, "input": tool.input_schema}


def test_the_tool_list_is_as_reviewed(tools: list[Tool]) -> None:
    """On an intended change delete tool_list.json, run this once and review the new file."""
    listed = [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools]
    if not SNAPSHOT.exists():
        SNAPSHOT.write_text(json.dumps(listed, indent=1) + "\n")
    assert listed == json.loads(SNAPSHOT.read_text())


def test_no_argument_is_left_to_guess(tools: list[Tool]) -> None:
    assert all(tool.input_schema["additionalProperties"] is False for tool in tools)


def test_the_order_of_tools_never_changes(tools: list[Tool]) -> None:
    assert [tool.name for tool in tools] == [function.__name__ for function, _, _ in TOOLS]


def test_every_tool_states_all_four_hints_truly(tools: list[Tool]) -> None:
    for tool in tools:
        hints = tool.annotations
        assert hints is not None
        stated = (hints.read_only_hint, hints.destructive_hint, hints.idempotent_hint, hints.open_world_hint)
        assert None not in stated, tool.name
        assert hints.read_only_hint is (tool.name in READ_ONLY), tool.name
        assert hints.destructive_hint is (tool.name == "accept_noise"), tool.name
        assert hints.open_world_hint is (tool.name == "start_recording"), tool.name


def test_the_model_pays_little_for_the_tool_list(tools: list[Tool]) -> None:
    assert len(tools) <= MOST_TOOLS
    assert sum(tokens(json.dumps(visible(tool))) for tool in tools) <= VISIBLE_BUDGET
    assert len(INSTRUCTIONS) <= 1200


def test_bounds_and_defaults_are_also_in_words(tools: list[Tool]) -> None:
    """Codex strips `default`, `minimum` and `maximum` from input schemas."""
    for tool in tools:
        for name, schema in tool.input_schema["properties"].items():
            said = schema["description"]
            bounds = [branch[key] for branch in (schema, *schema.get("anyOf", ()))
                      for key in ("minimum", "maximum") if key in branch]  # fmt: skip
            for bound in bounds:
                if not (bound == 1 and name == "sequence"):
                    assert re.search(rf"\b{bound}\b", said), (tool.name, name, bound)
            if isinstance(schema.get("default"), int) and not isinstance(schema["default"], bool):
                assert f"default {schema['default']}" in said, (tool.name, name)


def test_every_tool_answers_with_a_schema_that_has_verdict_and_next_step(tools: list[Tool]) -> None:
    for tool in tools:
        assert tool.output_schema is not None
        assert {"summary", "next"} <= set(tool.output_schema["required"]), tool.name
        assert '"title":' not in json.dumps(tool.output_schema)


def test_every_tool_has_a_file_of_its_name_and_a_row_in_the_docs(tools: list[Tool]) -> None:
    docs = (ROOT / "docs" / "mcp.md").read_text(encoding="utf-8")
    folder = ROOT / "server" / "wiretape_server" / "mcp" / "tools"

    assert {path.stem for path in folder.glob("*.py")} - {"__init__"} == {tool.name for tool in tools}
    for tool in tools:
        assert f"| `{tool.name}` |" in docs, tool.name
        for name in tool.input_schema["properties"]:
            assert f"`{name}`" in docs, (tool.name, name)


def test_a_start_imports_nothing_heavy() -> None:
    """`initialize` must be answered before clients give up."""
    code = "import sys, wiretape_server.mcp.main as m; from wiretape_server.mcp.app import build_server; " \
           "from wiretape_server.mcp.live_jobs import LiveJobs; " \
           "from wiretape_server.mcp.state import ServerState; from wiretape_server.mcp.options import ServeOptions; " \
           "build_server(ServerState(ServeOptions(), LiveJobs())); print(' '.join(sys.modules))"  # fmt: skip
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=100)

    heavy = {"mitmproxy", "httpx", "aiosqlite", "rich", "jsonpatch", "uvloop"}
    assert heavy & set(loaded.stdout.split()) == set()
