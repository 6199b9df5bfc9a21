"""The agents' own programs read what we write. Opt-in: they are large, and not installed by this project.

Install them anywhere outside of the repository and name the folder:

    npm i --prefix DIR node@24 @anthropic-ai/claude-code @anthropic-ai/mcpb @github/copilot @google/gemini-cli \
        @openai/codex opencode-ai
    WIRETAPE_AGENT_CLIS=DIR uv run pytest tests/agent_configs
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "agent_configs"
CLIS = os.environ.get("WIRETAPE_AGENT_CLIS", "")
SECONDS = 180

type Client = Callable[..., str]

pytestmark = pytest.mark.timeout(600)


def program(name: str) -> Path:
    path = Path(CLIS) / "node_modules/.bin" / name
    if not CLIS or not path.exists():
        pytest.skip(f"{name} is not there: set WIRETAPE_AGENT_CLIS to the folder that npm installed it into")
    return path


@pytest.fixture
def client(tmp_path: Path) -> Client:
    """Run an agent's program in a project and a home of the test's own; gives what it printed."""
    project, home = tmp_path / "project", tmp_path / "home"
    project.mkdir()
    home.mkdir()
    subprocess.run(["git", "init", "-q", project], check=True)

    def call(*words: str) -> str:
        path = f"{Path(CLIS) / 'node_modules/.bin'}:{Path(sys.executable).parent}:/usr/bin:/bin"
        environment = {"HOME": str(home), "PATH": path, "TERM": "dumb", "NO_COLOR": "1"}
        first = str(Path(sys.executable).parent / "wiretape") if words[0] == "wiretape" else str(program(words[0]))
        ran = subprocess.run(
            [first, *words[1:]], cwd=project, env=environment, stdin=subprocess.DEVNULL, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stdout
        return ran.stdout

    return call


def test_claude_code_takes_the_plugin_and_the_marketplace(client: Client) -> None:
    assert "Validation passed" in client(
        "claude", "plugin", "validate", str(CONFIGS / "claude-code/plugin"), "--strict"
    )
    assert "Validation passed" in client("claude", "plugin", "validate", str(ROOT))


def test_claude_code_installs_the_plugin_from_the_repository(client: Client) -> None:
    program("claude")
    client("claude", "plugin", "marketplace", "add", str(ROOT))
    client("claude", "plugin", "install", "wiretape@wiretape")
    assert "wiretape@wiretape" in client("claude", "plugin", "list")


def test_claude_code_lists_the_server(client: Client) -> None:
    program("claude")
    client("wiretape", "install", "claude-code", "--hooks")
    assert "wiretape: wiretape mcp" in client("claude", "mcp", "list")


def test_codex_lists_the_server(client: Client) -> None:
    program("codex")
    client("wiretape", "install", "codex", "--hooks")
    listed = json.loads(client("codex", "mcp", "list", "--json").partition("[")[2].join(["[", ""]))
    assert [
        (each["name"], each["enabled"], each["transport"]["command"], each["transport"]["args"]) for each in listed
    ] == [("wiretape", True, "wiretape", ["mcp"])]


def test_codex_lists_the_server_of_a_trusted_project(client: Client, tmp_path: Path) -> None:
    program("codex")
    (tmp_path / "home/.codex").mkdir()
    trust = f'[projects."{tmp_path / "project"}"]\ntrust_level = "trusted"\n'
    (tmp_path / "home/.codex/config.toml").write_text(trust)
    client("wiretape", "install", "codex", "--hooks")
    assert (tmp_path / "home/.codex/config.toml").read_text() == trust
    assert "wiretape" in client("codex", "mcp", "list")


def test_opencode_connects_to_the_server(client: Client) -> None:
    program("opencode")
    client("wiretape", "install", "opencode")
    assert "wiretape" in client("opencode", "mcp", "list")


def test_gemini_lists_the_server_and_takes_the_extension(client: Client) -> None:
    program("gemini")
    client("wiretape", "install", "gemini-cli", "--hooks")
    assert "wiretape: wiretape mcp (stdio)" in client("gemini", "mcp", "list")
    extension = str(CONFIGS / "gemini-cli/extension")
    assert "successfully validated" in client("gemini", "extensions", "validate", extension)


@pytest.mark.parametrize("scope", ["project", "user"])
def test_copilot_lists_the_server(client: Client, tmp_path: Path, scope: str) -> None:
    program("copilot")
    (tmp_path / "home/.copilot").mkdir()
    (tmp_path / "home/.copilot/config.json").write_text(json.dumps({"trusted_folders": [str(tmp_path / "project")]}))
    client("wiretape", "install", "copilot-cli", "--scope", scope)
    assert "wiretape (local)" in client("copilot", "mcp", "list")


def test_the_bundle_is_valid_and_packs(client: Client, tmp_path: Path) -> None:
    assert "passes" in client("mcpb", "validate", str(CONFIGS / "mcpb/manifest.json"))
    client("mcpb", "pack", str(CONFIGS / "mcpb"), str(tmp_path / "wiretape.mcpb"))
    assert (tmp_path / "wiretape.mcpb").stat().st_size > 500
