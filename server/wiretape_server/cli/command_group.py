"""A command that is a family of commands, such as `wiretape noise`."""

from __future__ import annotations

import click

from wiretape_server.cli.command import Command, named_help


class CommandGroup(Command, click.Group):
    """Shows its members as the catalogue shows its commands."""

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        return named_help(click.Group.get_help_option(self, ctx))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        width = max(len(name) for name in self.commands)
        rows = [f"  {name:<{width}}  {command.short_help}\n" for name, command in self.commands.items()]
        formatter.write("\nCommands:\n" + "".join(rows))

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self.commands)
