"""What the files in agent_configs/ name starts a server that finds the project it was started in."""

from __future__ import annotations

import json
import os
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from wiretape_server.workspace.workspace import Workspace

CONFIGS = Path(__file__).parents[3] / "agent_configs"
SECTIONS = ("mcpServers", "servers", "mcp", "context_servers", "mcp_servers")


def entries() -> dict[str, dict[str, Any]]:
    """The server of every file that has one, by the file's name."""
    found = {}
    for path in sorted([*CONFIGS.rglob("*.json"), *CONFIGS.rglob("*.toml")]):
        text = path.read_text()
        data = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
        for section in SECTIONS:
            if section in data:
                assert list(data[section]) == ["wiretape"]
                found[path.relative_to(CONFIGS).as_posix()] = data[section]["wiretape"]
    return found


def words(entry: dict[str, Any]) -> list[str]:
    command = entry["command"]
    return command if isinstance(command, list) else [command, *entry["args"]]


def test_every_agent_starts_the_same_command_by_its_name() -> None:
    assert len(entries()) >= 13, "ten agents, plugin, extension, Copilot's coding agent"
    assert {tuple(words(entry)) for entry in entries().values()} == {("wiretape", "mcp")}


def bundled() -> list[str]:
    """What the MCPB bundle runs inside of its own environment."""
    args = json.loads((CONFIGS / "mcpb/manifest.json").read_text())["server"]["mcp_config"]["args"]
    start = args.index("${__dirname}/src/server.py")
    return [sys.executable, *(word.replace("${__dirname}", str(CONFIGS / "mcpb")) for word in args[start:])]


@pytest.mark.parametrize("form", ["by name", "bundled"])
async def test_the_command_that_files_name_serves_the_project(form: str, project: Workspace, tmp_path: Path) -> None:
    scripts = Path(sys.executable).parent
    command, *args = [str(scripts / "wiretape"), "mcp"] if form == "by name" else bundled()
    args = [word.replace("${user_config.project}", str(project.root)) for word in args]
    cwd = project.root if form == "by name" else tmp_path
    server = StdioServerParameters(command=command, args=args, cwd=cwd, env=dict(os.environ))
    async with Client(server) as client:
        result = await client.call_tool("list_snapshots", {})

    assert not result.is_error
    assert {row["name"] for row in (result.structured_content or {})["snapshots"]} == {"first", "second"}
