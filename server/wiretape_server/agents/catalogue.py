"""The coding agents that wiretape can be installed into: their files, the form of their entries, how to notice them.

This is the one source of both `wiretape install` and the files in agent_configs/.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

type Words = tuple[str, ...]
type Scope = Literal["project", "user"]
type Entry = Callable[[Words], dict[str, Any]]

SERVER = "wiretape"
CALL_MS = 600_000
"""The longest that a single call may take where an agent lets us say so: runs report progress, but not all heed it."""


@dataclass(frozen=True)
class ServerFile:
    """Where an agent keeps its MCP servers, and what an entry looks like."""

    section: str
    """The key of the object (or table) that holds the servers by name."""
    entry: Entry
    project: tuple[str, ...] = ()
    """Paths in a project, the usual one first; none where the agent reads no project file."""
    user: tuple[str, ...] = ()
    """Paths in the home."""
    around: Mapping[str, Any] = field(default_factory=dict)
    """What else a new file begins with."""


@dataclass(frozen=True)
class HookFile:
    """Where an agent keeps its hooks: event → the element that is added to its list."""

    project: str
    user: str
    client: str
    """What `wiretape hook --client` is told."""
    stop: str
    edited: tuple[str, str] | None
    """The event after an edit, and the tools it is for."""
    around: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Text:
    """Instructions in a project: a file of our own, or a section in a file that others write too."""

    name: str
    """Of the text in texts.py."""
    path: str
    section: bool
    user: str = ""
    """The same in the home, for instructions that cost nothing where they are not needed."""


@dataclass(frozen=True)
class Agent:
    """One coding agent."""

    name: str
    title: str
    server: ServerFile | None
    marks: tuple[str, ...]
    """Paths in a project that tell of it."""
    home_marks: tuple[str, ...] = ()
    binaries: tuple[str, ...] = ()
    texts: tuple[Text, ...] = ()
    hooks: HookFile | None = None
    then: str = ""
    """What the user still has to do in the agent."""
    trusts_projects: bool = False
    """Reads a project's file only after the project was trusted in the user's own file."""


def _plain(words: Words) -> dict[str, Any]:
    return {"command": words[0], "args": list(words[1:]), "env": {}}


def _claude(words: Words) -> dict[str, Any]:
    return {"type": "stdio", **_plain(words), "timeout": CALL_MS}


def _copilot(words: Words) -> dict[str, Any]:
    return {"type": "local", **_plain(words), "tools": ["*"]}


def _vscode(words: Words) -> dict[str, Any]:
    return {"type": "stdio", "command": words[0], "args": list(words[1:]), "cwd": "${workspaceFolder}"}


def _opencode(words: Words) -> dict[str, Any]:
    return {"type": "local", "command": list(words), "enabled": True, "environment": {}, "timeout": 60_000}


def _codex(words: Words) -> dict[str, Any]:
    return {"command": words[0], "args": list(words[1:]), "startup_timeout_sec": 30, "tool_timeout_sec": 600}


def _gemini(words: Words) -> dict[str, Any]:
    return {**_plain(words), "timeout": CALL_MS, "trust": False}


AGENTS_MD = Text("section", "AGENTS.md", section=True)

AGENTS = (
    Agent(
        "claude-code", "Claude Code",
        ServerFile("mcpServers", _claude, project=(".mcp.json",), user=(".claude.json",)),
        marks=(".mcp.json", ".claude", "CLAUDE.md"), home_marks=(".claude", ".claude.json"), binaries=("claude",),
        texts=(Text("skill", ".claude/skills/wiretape/SKILL.md", section=False,
                    user=".claude/skills/wiretape/SKILL.md"),),
        hooks=HookFile(".claude/settings.json", ".claude/settings.json", "claude", "Stop",
                       ("PostToolUse", "Edit|MultiEdit|Write|NotebookEdit")),
        then="start it in the project and approve the server wiretape once",
    ),
    Agent(
        "cursor", "Cursor",
        ServerFile("mcpServers", _plain, project=(".cursor/mcp.json",), user=(".cursor/mcp.json",)),
        marks=(".cursor", ".cursorrules"), home_marks=(".cursor",), binaries=("cursor", "cursor-agent"),
        texts=(Text("cursor-rule", ".cursor/rules/wiretape.mdc", section=False),),
        hooks=HookFile(".cursor/hooks.json", ".cursor/hooks.json", "cursor", "stop", None, around={"version": 1}),
        then="switch the server on in Settings > MCP",
    ),
    Agent(
        "vscode", "VS Code with Copilot",
        ServerFile("servers", _vscode, project=(".vscode/mcp.json",), user=(".config/Code/User/mcp.json",)),
        marks=(".vscode", ".github/copilot-instructions.md"), home_marks=(".config/Code",), binaries=("code",),
        texts=(Text("section", ".github/copilot-instructions.md", section=True),),
        then="start the server from the lens above its entry in mcp.json",
    ),
    Agent(
        "copilot-cli", "GitHub Copilot CLI",
        ServerFile("mcpServers", _copilot, project=(".github/mcp.json",), user=(".copilot/mcp-config.json",)),
        marks=(".github/mcp.json", ".github/hooks", ".github/agents"), home_marks=(".copilot",), binaries=("copilot",),
        texts=(AGENTS_MD,),
        then="trust the folder when Copilot asks; it reads no project file before",
    ),
    Agent(
        "opencode", "opencode",
        ServerFile("mcp", _opencode, project=("opencode.json", "opencode.jsonc", ".opencode/opencode.json"),
                   user=(".config/opencode/opencode.json", ".config/opencode/opencode.jsonc"),
                   around={"$schema": "https://opencode.ai/config.json"}),
        marks=("opencode.json", "opencode.jsonc", ".opencode"), home_marks=(".config/opencode",),
        binaries=("opencode",), texts=(AGENTS_MD,),
    ),
    Agent(
        "codex", "Codex",
        ServerFile("mcp_servers", _codex, project=(".codex/config.toml",), user=(".codex/config.toml",)),
        marks=(".codex",), home_marks=(".codex",), binaries=("codex",), texts=(AGENTS_MD,),
        hooks=HookFile(".codex/hooks.json", ".codex/hooks.json", "codex", "Stop",
                       ("PostToolUse", "apply_patch|Edit|Write")),
        then="trust the project when Codex asks; it reads no project file before", trusts_projects=True,
    ),
    Agent(
        "gemini-cli", "Gemini CLI",
        ServerFile("mcpServers", _gemini, project=(".gemini/settings.json",), user=(".gemini/settings.json",)),
        marks=(".gemini", "GEMINI.md"), home_marks=(".gemini",), binaries=("gemini",),
        texts=(Text("section", "GEMINI.md", section=True),),
        hooks=HookFile(".gemini/settings.json", ".gemini/settings.json", "gemini", "AfterAgent",
                       ("AfterTool", "write_file|replace")),
        then="trust the folder when Gemini asks; servers are off in untrusted folders",
    ),
    Agent(
        "windsurf", "Windsurf",
        ServerFile("mcpServers", _plain, user=(".codeium/windsurf/mcp_config.json",)),
        marks=(".windsurf", ".windsurfrules"), home_marks=(".codeium/windsurf",), binaries=("windsurf",),
        texts=(AGENTS_MD,), then="refresh the servers in the Cascade panel",
    ),
    Agent(
        "zed", "Zed",
        ServerFile("context_servers", _plain, project=(".zed/settings.json",), user=(".config/zed/settings.json",)),
        marks=(".zed",), home_marks=(".config/zed",), binaries=("zed", "zeditor"), texts=(AGENTS_MD,),
    ),
    Agent(
        "jetbrains", "JetBrains Junie",
        ServerFile("mcpServers", _plain, project=(".junie/mcp/mcp.json",), user=(".junie/mcp/mcp.json",)),
        marks=(".junie",), home_marks=(".junie",), binaries=("junie",), texts=(AGENTS_MD,),
        then="for AI Assistant paste the same entry into Settings > Tools > AI Assistant > MCP",
    ),
    Agent("agents-md", "any agent that reads AGENTS.md", None, marks=("AGENTS.md",), texts=(AGENTS_MD,)),
)  # fmt: skip

BY_NAME = {agent.name: agent for agent in AGENTS}
