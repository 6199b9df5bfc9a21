"""`wiretape noise accept`."""

from __future__ import annotations

import asyncio
import getpass

import click

from wiretape_server.cli.command import Command, json_option, open_workspace
from wiretape_server.cli.terminal import near, out, out_json, say


@click.command(
    "accept",
    cls=Command,
    short_help="Make a rule of a finding that is no fault",
    example='wiretape noise accept F-1a2b3c4d --reason "sorted by load, which varies"',
)
@click.argument("finding")
@click.option("--reason", required=True, metavar="TEXT", help="Why it is no fault")
@click.option("--run", metavar="RUN", help="Run it was found in (default: newest)")
@click.option("--by", metavar="NAME", help="Who accepts it (default: your user)")
@json_option
def command(finding: str, reason: str, run: str | None, by: str | None, as_json: bool) -> None:
    """Make a rule of a finding that is no fault.

    Values there are no longer compared, their shape is. Another status, type, format or a lost field is no noise and is
    refused: if that change is meant, record a new snapshot.
    """
    from wiretape_server.store.bringing import run_file
    from wiretape_server.workspace.accepting import accept
    from wiretape_server.workspace.noise_file import FILE_NAME

    ws = open_workspace()
    path = run_file(ws, run, say)
    rule = asyncio.run(accept(ws, path, finding, reason=reason, by=by or getpass.getuser()))
    if as_json:
        out_json(rule)
    else:
        out(f"accepted as {rule.id} in {near(ws.root / FILE_NAME)}: {rule.route} {rule.pointer} ({rule.kind})")
        out(f"take it back with: wiretape noise undo {rule.id}")
