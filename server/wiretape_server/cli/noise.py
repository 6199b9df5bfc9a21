"""`wiretape noise`: the learned rules of a project, each with its evidence."""

from __future__ import annotations

import click

from wiretape_server.cli import noise_accept, noise_explain, noise_learn
from wiretape_server.cli.command import Command, json_option, open_workspace
from wiretape_server.cli.command_group import CommandGroup
from wiretape_server.cli.terminal import near, out, out_json, out_table

NEVER_LEARNED = "no noise was learned or accepted yet; begin with: wiretape noise learn"


@click.command("list", cls=Command, short_help="List learned and accepted noise", example="wiretape noise list")
@json_option
def list_command(as_json: bool) -> None:
    """List the rules of wiretape-noise.toml with their evidence."""
    from wiretape_server.workspace.noise_file import FILE_NAME, read_rules

    path = open_workspace().root / FILE_NAME
    rules = read_rules(path)
    if as_json:
        out_json(rules)
        return
    if not rules:
        found = "nothing varied when it was learned, and nothing was accepted" if path.exists() else NEVER_LEARNED
        out(found)
        return
    out_table(
        ("rule", "kind", "route", "pointer", "evidence"),
        [(rule.id, rule.kind, rule.route, rule.pointer, rule.said) for rule in rules],
        flexible=("evidence", "pointer", "route"),
    )


@click.command("undo", cls=Command, short_help="Take a rule back", example="wiretape noise undo N-1a2b3c4d")
@click.argument("rule")
@json_option
def undo_command(rule: str, as_json: bool) -> None:
    """Take a rule back: what it says is a finding again. The beginning of its id is enough."""
    from wiretape_server.workspace.accepting import undo
    from wiretape_server.workspace.noise_file import FILE_NAME

    ws = open_workspace()
    taken = undo(ws, rule)
    if as_json:
        out_json(taken)
    else:
        out(f"took {taken.id} out of {near(ws.root / FILE_NAME)}: {taken.route} {taken.pointer} ({taken.kind})")


@click.group(
    "noise",
    cls=CommandGroup,
    short_help="Learn, explain and accept what varies by itself",
    example='wiretape noise learn\nwiretape noise explain "GET /orders/{id}" /served_by',
)
def command() -> None:
    """Learn, explain and accept what varies by itself.

    Rules live in wiretape-noise.toml beside wiretape.toml, made to be reviewed and committed. Every replay applies
    them.
    """


for _member in (noise_learn.command, list_command, noise_explain.command, noise_accept.command, undo_command):
    command.add_command(_member)
