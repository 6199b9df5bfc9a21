"""Every file in agent_configs/ starts a server that finds the project it was started in."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from wiretape_server.workspace.workspace import Workspace

ROOT = Path(__file__).parents[3]
FILES = sorted(path for path in (ROOT / "agent_configs").rglob("*.json"))
PLACEHOLDER = "/absolute/path/to/wiretape"


def entry(path: Path) -> dict[str, Any]:
    """The one server of a config, whatever its agent calls the section."""
    data = json.loads(path.read_text(encoding="utf-8"))
    section = next(data[key] for key in ("mcpServers", "servers", "mcp") if key in data)
    assert list(section) == ["wiretape"]
    found: dict[str, Any] = section["wiretape"]
    return found


def uv_runs(folder: Path) -> bool:
    """A version manager's shim may be there for other folders only."""
    found = shutil.which("uv")
    return found is not None and subprocess.run([found, "--version"], cwd=folder, check=False).returncode == 0


def words(config: dict[str, Any]) -> list[str]:
    command = config["command"]
    return command if isinstance(command, list) else [command, *config["args"]]


def test_every_agent_has_both_forms() -> None:
    agents = {path.relative_to(ROOT / "agent_configs").parts[0] for path in FILES}

    assert agents == {"claude-code", "cursor", "vscode", "copilot-cli", "opencode"}
    for agent in agents:
        assert (ROOT / "agent_configs" / agent / "README.md").is_file()
        forms = [words(entry(path)) for path in FILES if agent in path.parts]
        assert sorted(form[0] for form in forms) == ["uv", "wiretape"]


COMMANDS = sorted({tuple(words(entry(path))) for path in FILES})


@pytest.mark.parametrize("named", COMMANDS, ids=" ".join)
async def test_the_command_that_files_name_serves_the_project(named: tuple[str, ...], project: Workspace) -> None:
    command, *args = [word.replace(PLACEHOLDER, str(ROOT)) for word in named]
    if command == "uv" and not uv_runs(project.root):
        pytest.skip("uv does not run here")
    scripts = Path(sys.executable).parent
    # The environment of this test run is the one to use: uv must neither change it nor ask an index.
    env = {**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}", "UV_NO_SYNC": "1", "UV_OFFLINE": "1",
           "UV_PROJECT_ENVIRONMENT": str(scripts.parent)}  # fmt: skip
    found = shutil.which(command, path=env["PATH"])
    assert found is not None
    async with Client(StdioServerParameters(command=found, args=args, cwd=project.root, env=env)) as client:
        result = await client.call_tool("list_snapshots", {})

    assert not result.is_error
    assert {row["name"] for row in (result.structured_content or {})["snapshots"]} == {"first", "second"}
