"""Writes agent_configs/ anew from the catalogue: `python -m wiretape_server.agents.ready` in the repository's root."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from wiretape_server.agents import links
from wiretape_server.agents.bundles import bundles
from wiretape_server.agents.catalogue import AGENTS, SERVER, Agent
from wiretape_server.agents.edits import Edit, JsonElement, JsonEntry, TomlTable, put_all
from wiretape_server.agents.plan import hook_edits, text_edit

FOLDER = "agent_configs"


def ready_files() -> dict[str, str]:
    """Path from the repository's root → text, of every file that is generated."""
    files = dict(bundles())
    for agent in AGENTS:
        for where, edits in _parts(agent):
            files[f"{FOLDER}/{agent.name}/{where}"] = put_all(edits, "")
    files[f"{FOLDER}/README.md"] = _readme()
    return files


def _parts(agent: Agent) -> Iterator[tuple[str, list[Edit]]]:
    if agent.server:
        where = agent.server.project[0] if agent.server.project else f"home/{agent.server.user[0]}"
        path, value = (agent.server.section, SERVER), agent.server.entry(links.WORDS)
        edit = TomlTable(path, value) if where.endswith(".toml") else JsonEntry(path, value, agent.server.around)
        yield where, [edit]
    for text in agent.texts:
        # A nested AGENTS.md would be read by agents that work on this repository: it lies in one place only.
        if text.path != "AGENTS.md" or agent.server is None:
            yield text.path, [text_edit(text)]
    if agent.hooks and (agent.server is None or agent.hooks.project != agent.server.project[0]):
        yield agent.hooks.project, list(hook_edits(agent.hooks, "project"))


def _readme() -> str:
    rows = []
    for agent in AGENTS:
        for where, edits in _parts(agent):
            at_home = where.removeprefix("home/")
            goes = f"`{where}` in the project" if at_home == where else f"`~/{at_home}`"
            kind = {JsonElement: "hooks", JsonEntry: "server", TomlTable: "server"}.get(type(edits[0]), "instructions")
            rows.append(f"| {agent.title} | [{where}]({agent.name}/{where}) | {goes} | {kind} |")
    home = [f"| {agent.title} | `~/{agent.server.user[0]}` |" for agent in AGENTS if agent.server]
    return README.format(rows="\n".join(rows), home="\n".join(home), cursor=links.cursor(), web=links.cursor_web(),
                         vscode=links.vscode())  # fmt: skip


README = """\
# Agent configs

Ready files that connect a coding agent to wiretape. Made by `python -m wiretape_server.agents.ready` from the same
source as `wiretape install`, which is the easier way: it finds your agents and edits the files that you have, comments
and other entries kept. See [docs/agents.md](../docs/agents.md). Tests load every file here and start what it names.

All of them expect `wiretape` on PATH, for instance after `uv tool install wiretape`; from a clone: `uv tool install .`.
Prefer this to `uvx`, whose first start resolves and compiles packages and can outlast an agent's patience.

## What goes where

| agent | file | where it goes | what it is |
|---|---|---|---|
{rows}

Agents that read AGENTS.md (Codex, opencode, Copilot CLI, Windsurf, Zed, Junie and others) take their instructions from
[agents-md/AGENTS.md](agents-md/AGENTS.md): a marked section to add to yours. Gemini CLI's hooks come with its
extension, or with `wiretape install gemini-cli --hooks`.

The same server entry for all of your projects goes into your home:

| agent | file |
|---|---|
{home}

## Whole bundles

| what | folder | use |
|---|---|---|
| Claude Code plugin: server, skill, commands, hooks | [claude-code/plugin](claude-code/plugin/README.md) | \
`/plugin marketplace add OWNER/REPO`, `/plugin install wiretape@wiretape`; Copilot CLI takes it with `--plugin-dir` |
| Gemini CLI extension: server, context, skill, hooks | \
[gemini-cli/extension](gemini-cli/extension/gemini-extension.json) | \
`gemini extensions install PATH` |
| Copilot coding agent | [copilot-coding-agent](copilot-coding-agent/mcp.json) | paste `mcp.json` into the \
repository's Settings > Copilot > MCP servers; commit the workflow |
| MCP registry | [registry/server.json](registry/server.json) | `mcp-publisher publish` |
| MCPB bundle for desktop clients | [mcpb/manifest.json](mcpb/manifest.json) | `mcpb pack agent_configs/mcpb` |

## One click

- Cursor: `{cursor}` or [over the web]({web})
- VS Code: [install]({vscode})
"""


def main() -> None:
    """Write all files, relative to the working directory."""
    for name, content in ready_files().items():
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
