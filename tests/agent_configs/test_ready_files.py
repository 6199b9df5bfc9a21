"""agent_configs/ is what the catalogue says, its texts name only tools and commands that exist, and its links work."""

from __future__ import annotations

import base64
import json
import re
import tomllib
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import jsonschema
import pytest
import yaml
from click import Context

from wiretape_server.agents import links, texts
from wiretape_server.agents.bundles import PUBLISHED_AS
from wiretape_server.agents.catalogue import AGENTS, BY_NAME
from wiretape_server.agents.ready import FOLDER, ready_files
from wiretape_server.cli.catalogue import purposes, wiretape
from wiretape_server.cli.command_group import CommandGroup
from wiretape_server.mcp.about import INSTRUCTIONS
from wiretape_server.mcp.app import TOOLS

ROOT = Path(__file__).parents[2]
READY = ready_files()
TEXTS = sorted(path.name for path in (ROOT / "server/wiretape_server/agents/texts").glob("*.md"))
TOOL_NAMES = {function.__name__ for function, _, _ in TOOLS}
ARGUMENTS = {name for function, _, _ in TOOLS for name in function.__annotations__}
WORDS = {"fail_if", "wiretape", "mcp", "pass", "fail", "inconclusive", "running", "Edit", "Write", "Stop"}
"""Words in backquotes that are neither tools nor commands."""


def test_every_ready_file_is_up_to_date() -> None:
    there = {path.relative_to(ROOT).as_posix() for path in (ROOT / FOLDER).rglob("*") if path.is_file()}
    stale = [name for name, text in READY.items() if not (ROOT / name).is_file() or (ROOT / name).read_text() != text]

    assert not stale, "run `python -m wiretape_server.agents.ready` in the repository's root"
    assert there == {name for name in READY if name.startswith(FOLDER)}, "nothing else lies there"


@pytest.mark.parametrize("name", sorted(READY))
def test_every_ready_file_is_well_formed(name: str) -> None:
    if name.endswith(".json"):
        json.loads(READY[name])
    elif name.endswith(".toml"):
        tomllib.loads(READY[name])
    elif name.endswith(".yml"):
        assert "copilot-setup-steps" in yaml.safe_load(READY[name])["jobs"]
    elif name.endswith(".py"):
        compile(READY[name], name, "exec")
    if READY[name].startswith("---\n"):
        head = yaml.safe_load(READY[name].split("---\n")[1])
        assert head["description"]
        assert len(head["description"]) < 1024


@pytest.mark.parametrize("name", TEXTS)
def test_texts_name_only_what_exists(name: str) -> None:
    text = texts.text(name.removesuffix(".md"))
    for word in re.findall(r"`([a-z]+(?:_[a-z]+)+)`", text):
        assert word in TOOL_NAMES | ARGUMENTS | WORDS, f"{name} names the tool or argument {word}"
    for command in re.findall(r"`wiretape ([a-z]+)([^`]*)`", text):
        assert command[0] in purposes(), f"{name} names the command {command[0]}"
        flags = known_flags(command[0])
        assert set(re.findall(r"(?<!\S)--[a-z][a-z-]*", command[1].partition(" -- ")[0])) <= flags


def known_flags(name: str) -> set[str]:
    command = wiretape.get_command(Context(wiretape), name)
    assert command is not None
    members = list(command.commands.values()) if isinstance(command, CommandGroup) else [command]
    return {flag for member in members for option in member.params for flag in (*option.opts, *option.secondary_opts)}


def test_every_text_tells_the_whole_loop() -> None:
    for name in ("section", "skill"):
        text = texts.text(name)
        for needed in (
            "get_traffic",
            "run_replay",
            "get_diff",
            "explain",
            "wiretape verify",
            "wiretape traffic",
            "inconclusive",
        ):
            assert needed in text, f"{name} leaves out {needed}"
    assert "run_replay" in INSTRUCTIONS


def test_instructions_cost_little() -> None:
    assert len(texts.text("section")) < 1500, "it is read in every conversation"
    assert len(texts.text("skill")) < 4500


def test_links_hold_the_entries() -> None:
    config = parse_qs(urlparse(links.cursor()).query)["config"][0]
    assert json.loads(base64.b64decode(config)) == BY_NAME["cursor"].server.entry(links.WORDS)  # type: ignore[union-attr]
    assert parse_qs(urlparse(links.cursor_web()).query)["config"] == [config]
    config = parse_qs(urlparse(links.vscode()).query)["config"][0]
    assert json.loads(config) == BY_NAME["vscode"].server.entry(links.WORDS)  # type: ignore[union-attr]


def test_docs_name_every_agent_its_file_and_the_links() -> None:
    page = (ROOT / "docs/agents.md").read_text()
    for agent in AGENTS:
        assert f"`{agent.name}`" in page
        for path in (*(agent.server.project[:1] if agent.server else ()), *(text.path for text in agent.texts)):
            assert f"`{path}`" in page, f"docs/agents.md leaves out {path} of {agent.name}"
    for link in (links.cursor(), links.vscode()):
        assert link in page


def test_the_registry_knows_the_package_for_ours() -> None:
    assert f"<!-- mcp-name: {PUBLISHED_AS} -->" in (ROOT / "README.md").read_text()


REGISTRY = {
    "type": "object",
    "required": ["$schema", "name", "description", "version", "packages"],
    "properties": {
        "name": {"pattern": r"^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+$", "minLength": 3, "maxLength": 200},
        "description": {"minLength": 1, "maxLength": 100},
        "title": {"maxLength": 100},
        "version": {"maxLength": 255, "not": {"pattern": "[\\^~<>*]"}},
        "packages": {"items": {
            "required": ["registryType", "identifier", "version", "transport"],
            "properties": {
                "version": {"not": {"const": "latest"}}, "transport": {"properties": {"type": {"const": "stdio"}}},
            },
        }},
    },
}  # fmt: skip
"""What the registry's schema of 2025-12-11 asks of an entry such as ours; no package brings the schema itself."""


def test_the_registry_entry_keeps_to_its_limits() -> None:
    jsonschema.validate(json.loads(READY[f"{FOLDER}/registry/server.json"]), REGISTRY)
