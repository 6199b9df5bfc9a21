"""`wiretape install`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wiretape_capture.errors import UsageError
from wiretape_server.cli.command import Command, json_option
from wiretape_server.cli.terminal import near, out, out_json, out_table, say
from wiretape_server.workspace.names import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wiretape_server.agents.catalogue import Agent, Scope
    from wiretape_server.agents.plan import FilePlan, Options

SAID = {
    "same": "already set up", "kept": "changed by you: left as it is",
    "refused": "left alone",
}  # fmt: skip
WOULD = {"created": "would create", "changed": "would change", "deleted": "would delete"}


@click.command(
    "install",
    cls=Command,
    short_help="Set wiretape up in your coding agents",
    example="wiretape install\nwiretape install claude-code cursor --hooks\nwiretape install --remove",
)
@click.argument("agents", nargs=-1, metavar="[AGENT]...")
@click.option("--list", "listing", is_flag=True, help="Show agents and whether they are set up")
@click.option("--all", "everywhere", is_flag=True, help="Every agent, used here or not")
@click.option("--scope", type=click.Choice(["project", "user"]), help="In the project only, or the home only")
@click.option("--hooks", is_flag=True, help="Verify changed code before it stops")
@click.option("--no-rules", is_flag=True, help="Leave out instructions and skill")
@click.option("--dry-run", is_flag=True, help="Show what would change as a diff")
@click.option("--remove", "removing", is_flag=True, help="Take out what was installed")
@click.option("--force", is_flag=True, help="Replace entries that you changed")
@json_option
def command(agents: tuple[str, ...], listing: bool, everywhere: bool, scope: Scope | None, hooks: bool, no_rules: bool,
            dry_run: bool, removing: bool, force: bool, as_json: bool) -> None:  # fmt: skip
    """Set wiretape up in your coding agents.

    Without AGENT, in those that this project or your home has traces of. Writes the MCP server into each agent's own
    file, in the project where the agent reads one there, with instructions beside it. Comments, order and all other
    entries stay; what a file was before is kept in FILE.bak; a second run changes nothing. AGENT is one of claude-code,
    cursor, vscode, copilot-cli, opencode, codex, gemini-cli, windsurf, zed, jetbrains, agents-md.
    """
    from wiretape_server.agents.detect import project_root
    from wiretape_server.agents.plan import Options, carry_out, planned

    home = Path.home()
    options = Options(project_root(Path.cwd(), home), home, scope, not no_rules, hooks, force)
    if listing:
        _list(options, as_json=as_json)
        return
    chosen = _chosen(agents, options, everywhere=everywhere, removing=removing)
    plans = planned(chosen, options, removing=removing)
    plans = [plan for plan in plans if plan.doing != "absent"]
    if not dry_run:
        for plan in plans:
            carry_out(plan)
    _show(plans, chosen, options, dry_run=dry_run, removing=removing, as_json=as_json)
    if any(plan.doing == "refused" for plan in plans):
        click.get_current_context().exit(3)


def _chosen(names: Sequence[str], options: Options, *, everywhere: bool, removing: bool) -> list[Agent]:
    from wiretape_server.agents.catalogue import AGENTS, BY_NAME
    from wiretape_server.agents.detect import found

    if names:
        meant = {_named(name, BY_NAME) for name in names}
        return [agent for agent in AGENTS if agent.name in meant]
    if everywhere or removing:
        return list(AGENTS)
    detected = [agent for agent in AGENTS if found(agent, options.project, options.home)]
    if not detected:
        hint = f"name one, such as `wiretape install claude-code`; there are {', '.join(BY_NAME)}"
        raise UsageError("no coding agent was found in this project or your home", hint)
    return detected


def _named(name: str, known: Iterable[str]) -> str:
    """The agent of that name, or the only one whose name begins like it."""
    begun = [each for each in known if each.startswith(name.lower())] if name else []
    if name in begun or len(begun) == 1:
        return name if name in begun else begun[0]
    close = nearest(name, known)
    there_are = f"there are {', '.join(known)}"
    raise UsageError(f'no agent "{name}"', f"did you mean {close}? {there_are}" if close else there_are)


def _list(options: Options, *, as_json: bool) -> None:
    from wiretape_server.agents.catalogue import AGENTS
    from wiretape_server.agents.detect import found
    from wiretape_server.agents.plan import state_of

    rows = []
    for agent in AGENTS:
        state, file = state_of(agent, options)
        rows.append({"agent": agent.name, "title": agent.title, "found": found(agent, options.project, options.home),
                     "file": str(file) if file else "", "wiretape": state})  # fmt: skip
    if as_json:
        out_json({"project": str(options.project), "agents": rows})
        return
    out_table(("agent", "found by", "file", "wiretape"),
              [(row["agent"], row["found"] or "-", _short(Path(row["file"]), options) if row["file"] else "-",
                row["wiretape"]) for row in rows], flexible=("file", "found by"))  # fmt: skip


def _show(plans: Sequence[FilePlan], chosen: Sequence[Agent], options: Options, *, dry_run: bool, removing: bool,
          as_json: bool) -> None:  # fmt: skip
    from wiretape_server.agents.command import path_note

    note = None if removing else path_note()
    if as_json:
        out_json({"project": str(options.project), "dry_run": dry_run, "files": [_row(plan) for plan in plans],
                  "then": {} if removing else _then(chosen, plans), "note": note})  # fmt: skip
        return
    for plan in plans:
        name = _short(plan.path, options)
        said = SAID.get(plan.doing) or (WOULD[plan.doing] if dry_run else plan.doing)
        out(f"{name}: {said}" + (f" ({plan.why})" if plan.doing == "refused" else "") + f"  [{', '.join(plan.agents)}]")
        if plan.doing == "kept":
            out("\n".join(f"    {line}" for line in plan.why.splitlines()))
            say(f"{name}: --force {'takes it out' if removing else 'replaces it'} all the same")
        if dry_run and plan.diff:
            out(plan.diff.rstrip("\n"))
    if not plans:
        out("wiretape is not set up there")
    if note:
        say(f"note: {note}")
    if not removing and not dry_run:
        for title, what in _then(chosen, plans).items():
            out(f"{title}: {what}")


def _then(chosen: Sequence[Agent], plans: Sequence[FilePlan]) -> dict[str, str]:
    fresh = {name for plan in plans if plan.doing in ("created", "changed") for name in plan.agents}
    return {agent.title: agent.then for agent in chosen if agent.then and agent.name in fresh}


def _row(plan: FilePlan) -> dict[str, Any]:
    return {"file": str(plan.path), "agents": plan.agents, "status": plan.doing, "why": plan.why, "diff": plan.diff}


def _short(path: Path, options: Options) -> str:
    """A path as it would be typed here, or from the home."""
    if not path.is_relative_to(options.project) and path.is_relative_to(options.home):
        return f"~/{path.relative_to(options.home)}"
    return near(path)
