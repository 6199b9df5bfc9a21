"""What is published as a whole rather than edited into a file: plugin, extension, bundle, registry entry, CI setup."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

from wiretape_server.agents.catalogue import BY_NAME, SERVER, HookFile
from wiretape_server.agents.hooks import element
from wiretape_server.agents.jsonc import document
from wiretape_server.agents.links import WORDS
from wiretape_server.agents.texts import text

PUBLISHED_AS = "io.github.wiretape/wiretape"
"""The name in the MCP registry; README.md holds it too, which is how the registry knows the package for ours."""
ABOUT = "Record an app's real traffic, mock its dependencies from it, and replay it against changed code: a verdict."
COMMANDS = ("verify", "record", "explain")


def bundles() -> Iterator[tuple[str, str]]:
    """Path from the repository's root, and text, of each file."""
    yield ".claude-plugin/marketplace.json", document(_marketplace())
    yield from _below("agent_configs/claude-code/plugin", _claude_plugin())
    yield from _below("agent_configs/gemini-cli/extension", _gemini_extension())
    yield from _below("agent_configs/copilot-coding-agent", _copilot_coding_agent())
    yield "agent_configs/registry/server.json", document(_registry())
    yield from _below("agent_configs/mcpb", _mcpb())


def _below(folder: str, files: dict[str, str]) -> Iterator[tuple[str, str]]:
    return ((f"{folder}/{name}", content) for name, content in files.items())


def _marketplace() -> dict[str, Any]:
    return {
        "name": SERVER,
        "owner": {"name": SERVER},
        "description": ABOUT,
        "plugins": [{"name": SERVER, "source": "./agent_configs/claude-code/plugin", "description": ABOUT}],
    }


def _claude_plugin() -> dict[str, str]:
    manifest = {
        "name": SERVER, "version": version("wiretape"), "description": ABOUT, "author": {"name": SERVER},
        "license": "Apache-2.0", "keywords": ["testing", "record-replay", "mock", "regression", "mcp"],
    }  # fmt: skip
    files = {
        ".claude-plugin/plugin.json": document(manifest),
        ".mcp.json": document({"mcpServers": {SERVER: _entry("claude-code")}}),
        "hooks/hooks.json": document(_hooks("claude-code")),
        "skills/wiretape/SKILL.md": text("skill"),
        "README.md": text("plugin-readme"),
    }
    return files | {f"commands/{name}.md": text(f"command-{name}") for name in COMMANDS}


def _gemini_extension() -> dict[str, str]:
    manifest = {
        "name": SERVER, "version": version("wiretape"), "description": ABOUT,
        "mcpServers": {SERVER: {key: value for key, value in _entry("gemini-cli").items() if key != "trust"}},
        "contextFileName": "GEMINI.md",
    }  # fmt: skip
    return {
        "gemini-extension.json": document(manifest),
        "GEMINI.md": text("section"),
        "hooks/hooks.json": document(_hooks("gemini-cli")),
        "skills/wiretape/SKILL.md": text("skill"),
    }


def _copilot_coding_agent() -> dict[str, str]:
    return {
        "mcp.json": document({"mcpServers": {SERVER: _entry("copilot-cli")}}),
        ".github/workflows/copilot-setup-steps.yml": SETUP_STEPS,
    }


def _registry() -> dict[str, Any]:
    package = {
        "registryType": "pypi", "identifier": "wiretape", "version": version("wiretape"), "runtimeHint": "uvx",
        "transport": {"type": "stdio"}, "packageArguments": [{"type": "positional", "value": "mcp"}],
    }  # fmt: skip
    return {
        "$schema": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
        "name": PUBLISHED_AS,
        "title": "wiretape",
        "description": "Record real traffic, mock dependencies from it, replay it against changed code.",
        "version": version("wiretape"),
        "packages": [package],
    }


def _mcpb() -> dict[str, str]:
    """Desktop clients start servers in no project, so they ask for one."""
    start = ["run", "--project", "${__dirname}", "${__dirname}/src/server.py", "--directory", "${user_config.project}"]
    manifest = {
        "manifest_version": "0.4", "name": SERVER, "display_name": "wiretape", "version": version("wiretape"),
        "description": ABOUT, "author": {"name": SERVER}, "license": "Apache-2.0",
        "keywords": ["testing", "record-replay", "mock"],
        "server": {"type": "uv", "entry_point": "src/server.py", "mcp_config": {"command": "uv", "args": start}},
        "user_config": {"project": {
            "type": "directory", "title": "Project", "required": True,
            "description": "The folder of the app that is recorded and verified, with its wiretape.toml",
        }},
        "tools_generated": True,
        "compatibility": {"platforms": ["linux"], "runtimes": {"python": ">=3.13"}},
    }  # fmt: skip
    return {
        "manifest.json": document(manifest),
        "pyproject.toml": PYPROJECT.format(version=version("wiretape")),
        "src/server.py": SERVER_PY,
    }


def _entry(agent: str) -> dict[str, Any]:
    server = BY_NAME[agent].server
    assert server is not None
    return server.entry(WORDS)


def _hooks(agent: str) -> dict[str, Any]:
    hooks = BY_NAME[agent].hooks
    assert isinstance(hooks, HookFile)
    assert hooks.edited is not None
    return {"hooks": {event: [element(hooks, event, "project")] for event in (hooks.stop, hooks.edited[0])}}


SETUP_STEPS = """\
# Prepares the machine of Copilot's coding agent. It must lie in .github/workflows of the default branch.
# The agent has no recordings but those in git: take /snapshots/ out of .wiretape/.gitignore to share them.
name: Copilot setup steps

on:
  workflow_dispatch:
  push:
    paths: [.github/workflows/copilot-setup-steps.yml]

jobs:
  # The name is fixed: the agent runs the job of this name and no other.
  copilot-setup-steps:
    runs-on: ubuntu-latest
    permissions:
      contents: read
    steps:
      - uses: actions/checkout@v5
      - uses: actions/setup-python@v6
        with:
          python-version: "3.13"
      - run: pipx install --python python3.13 wiretape
      - run: wiretape --version
"""

PYPROJECT = """\
[project]
name = "wiretape-bundle"
version = "{version}"
requires-python = ">=3.13"
dependencies = ["wiretape=={version}"]
"""

SERVER_PY = '''\
"""Starts wiretape's MCP server inside of the bundle's own environment."""

from wiretape_server.mcp.__main__ import main

if __name__ == "__main__":
    raise SystemExit(main())
'''
