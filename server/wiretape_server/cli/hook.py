"""`wiretape hook`."""

from __future__ import annotations

import click

from wiretape_server.cli.command import Command
from wiretape_server.hook.answers import CLIENTS


@click.command(
    "hook",
    cls=Command,
    short_help="Answer an agent's hook: verify changed code",
    example="wiretape hook --client claude < event.json",
)
@click.option("--client", type=click.Choice(CLIENTS), default=CLIENTS[0], show_default=True, help="Whose hook it is")
def command(client: str) -> None:
    """Answer an agent's hook: verify changed code.

    Agents call it; `wiretape install --hooks` writes it into their settings. Reads the event as JSON on stdin and
    answers on stdout. Before an agent stops, code that changed since the last verdict is verified, and a red verdict
    sends the agent back to work with the reason, at most three times a turn and never twice for the same code. Without
    a wiretape.toml or a snapshot it says nothing; a verdict that cannot be reached is told and holds nobody up.
    """
    from wiretape_server.hook.main import main

    click.get_current_context().exit(main(client))
