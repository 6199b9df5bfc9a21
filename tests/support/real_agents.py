"""The real command lines of coding agents: how each is started without an account, and how its model edits a file."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from scripted_model import Call, Turn
from small_project import APP, BROKEN, GOOD, SmallProject

ASKED = "Mend the app"

type Sees = Literal["fields", "text", "both"]


@dataclass(frozen=True)
class Agent:
    """One agent."""

    name: str
    """As `wiretape install` knows it."""
    package: str
    script: str
    """Below node_modules; what starts with no shebang of node is a program of its own."""
    words: tuple[str, ...]
    edit: Callable[[Turn, SmallProject], Call]
    environment: Callable[[str], Mapping[str, str]]
    """By the model's URL."""
    prepare: Callable[[Path, Path, str], None] = lambda *_: None
    """Writes what the agent needs to know of its model: home, project and the model's URL."""
    sees: Sees = "fields"
    """Which half of a tool result its model is shown."""
    instructed: bool = True
    """Whether its model is shown the server's instructions."""
    hooks: bool = False
    """Whether a hook of ours can send it back to work."""


def _line(part: str) -> str:
    return next(line for line in APP.replace(GOOD, part).splitlines() if part in line)


def _has_read(turn: Turn) -> bool:
    return any("PRICES = {" in result for result in turn.results)


def _claude_edit(turn: Turn, project: SmallProject) -> Call:
    path = str(project.app)
    if not _has_read(turn):
        return Call("Read", {"file_path": path})
    return Call("Edit", {"file_path": path, "old_string": BROKEN, "new_string": GOOD})


def _codex_edit(_: Turn, __: SmallProject) -> Call:
    patch = f"*** Begin Patch\n*** Update File: app.py\n@@\n-{_line(BROKEN)}\n+{_line(GOOD)}\n*** End Patch"
    return Call("exec_command", {"cmd": f"apply_patch <<'EOF'\n{patch}\nEOF"})


def _opencode_edit(turn: Turn, project: SmallProject) -> Call:
    path = str(project.app)
    if not _has_read(turn):
        return Call("read", {"filePath": path})
    return Call("edit", {"filePath": path, "oldString": BROKEN, "newString": GOOD})


def _copilot_edit(_: Turn, project: SmallProject) -> Call:
    return Call("edit", {"path": str(project.app), "old_str": BROKEN, "new_str": GOOD})


def _gemini_edit(_: Turn, project: SmallProject) -> Call:
    return Call("replace", {"file_path": str(project.app), "instruction": "make the total a number again",
                            "old_string": BROKEN, "new_string": GOOD})  # fmt: skip


def _codex_home(home: Path, project: Path, url: str) -> None:
    (home / ".codex").mkdir()
    (home / ".codex" / "config.toml").write_text(f"""\
model = "gpt-5.1-codex"
model_provider = "local"

[model_providers.local]
name = "local"
base_url = "{url}/v1"
wire_api = "responses"
env_key = "LOCAL_KEY"

[projects."{project}"]
trust_level = "trusted"
""")


def _opencode_home(home: Path, _: Path, url: str) -> None:
    folder = home / ".config" / "opencode"
    folder.mkdir(parents=True)
    model = {"name": "scripted", "tool_call": True, "limit": {"context": 200_000, "output": 8000}}
    provider = {"npm": "@ai-sdk/openai-compatible", "name": "local", "models": {"scripted": model},
                "options": {"baseURL": f"{url}/v1", "apiKey": "none"}}  # fmt: skip
    (folder / "opencode.json").write_text(json.dumps({"provider": {"local": provider}, "model": "local/scripted"}))


def _gemini_home(home: Path, project: Path, _: str) -> None:
    (home / ".gemini").mkdir()
    (home / ".gemini" / "settings.json").write_text(
        json.dumps(
            {"security": {"auth": {"selectedType": "gemini-api-key"}}, "privacy": {"usageStatisticsEnabled": False}}
        )
    )
    (home / ".gemini" / "trustedFolders.json").write_text(json.dumps({str(project): "TRUST_FOLDER"}))  # fmt: skip


AGENTS = (
    Agent(
        "claude-code", "@anthropic-ai/claude-code@2.1.197", ".bin/claude",
        ("-p", ASKED, "--model", "claude-sonnet-4-5", "--permission-mode", "bypassPermissions",
         "--mcp-config", ".mcp.json"),
        _claude_edit,
        lambda url: {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": "none", "DISABLE_AUTOUPDATER": "1",
                     "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "IS_SANDBOX": "1"},
        hooks=True,
    ),
    Agent(
        "codex", "@openai/codex@0.171.0", ".bin/codex",
        ("exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox",
         "--dangerously-bypass-hook-trust", ASKED),
        _codex_edit, lambda _: {"LOCAL_KEY": "none"}, _codex_home, hooks=True,
    ),
    Agent(
        "opencode", "opencode-ai@1.18.33", ".bin/opencode", ("run", "--auto", "-m", "local/scripted", ASKED),
        _opencode_edit,
        lambda _: {"OPENCODE_DISABLE_AUTOUPDATE": "1", "OPENCODE_DISABLE_MODELS_FETCH": "1"},
        _opencode_home, sees="text",
    ),
    Agent(
        "copilot-cli", "@github/copilot@1.0.102", ".bin/copilot",
        ("-p", ASKED, "--allow-all", "--disable-builtin-mcps", "--trust-folder", "--model", "gpt-5"),
        _copilot_edit,
        lambda url: {"COPILOT_PROVIDER_BASE_URL": f"{url}/v1", "COPILOT_PROVIDER_TYPE": "openai",
                     "COPILOT_PROVIDER_API_KEY": "none", "COPILOT_MODEL": "gpt-5", "COPILOT_OFFLINE": "true"},
        sees="both", instructed=False,
    ),
    Agent(
        "gemini-cli", "@google/gemini-cli@0.61.0", ".bin/gemini",
        ("-p", ASKED, "--approval-mode", "yolo", "-m", "gemini-2.5-pro"),
        _gemini_edit, lambda url: {"GOOGLE_GEMINI_BASE_URL": url, "GEMINI_API_KEY": "none"}, _gemini_home,
        sees="text", hooks=True,
    ),
)  # fmt: skip
