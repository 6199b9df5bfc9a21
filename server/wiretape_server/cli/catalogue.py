"""Every command by name and purpose, its module imported only when it is run, so that help and version start fast."""

from __future__ import annotations

import importlib
import importlib.util

import click

from wiretape_server.cli.command import Command, named_help, setting
from wiretape_server.workspace.names import nearest

SECTIONS: dict[str, dict[str, str]] = {
    "Record, mock, replay": {
        "init": "Write a wiretape.toml for this project",
        "record": "Record an app's traffic into a snapshot",
        "mock": "Answer an app's outbound calls from a snapshot",
        "replay": "Send a snapshot's requests to an app and compare",
        "verify": "Check the app of wiretape.toml against a snapshot",
        "load": "Send many clones of recorded sessions to an app",
        "demo": "Show the whole loop on a small real shop",
    },
    "Look at results": {
        "runs": "List runs with their verdicts",
        "diff": "Show what a run found different",
        "explain": "Explain a finding, or what a mock could not answer",
        "traffic": "Show what a route was really asked and answered",
        "sql": "Rank the SQL statements of a snapshot or a run",
        "contract": "Show what recordings say an app promises",
        "noise": "Learn, explain and accept what varies by itself",
        "lock": "Write down what verdicts rest on, for review",
    },
    "Look after snapshots": {
        "snapshots": "List snapshots",
        "show": "Show exchanges of a snapshot",
        "rename": "Rename a snapshot",
        "delete": "Delete a snapshot",
        "push": "Put snapshots and runs into the shared store",
        "pull": "Get snapshots and runs from the shared store",
        "export": "Export a snapshot to HAR, text or a load tool",
        "import": "Import a HAR file or an exported folder",
    },
    "Set up": {
        "install": "Set wiretape up in your coding agents",
        "ca": "Show the certificate authority and how to trust it",
        "mcp": "Serve coding agents over MCP",
        "hook": "Answer an agent's hook: verify changed code",
    },
}

_NAME_WIDTH = max(len(name) for section in SECTIONS.values() for name in section)


STORE = setting("store", "--store", envvar="WIRETAPE_STORE", metavar="URL", help="Where snapshots and runs are shared")


def module_of(name: str) -> str:
    """The module that holds command `name` as its attribute `command`."""
    return f"wiretape_server.cli.{'import_' if name == 'import' else name}"


def purposes() -> dict[str, str]:
    """Each command that this installation has, with its purpose."""
    return {
        name: purpose
        for section in SECTIONS.values()
        for name, purpose in section.items()
        if importlib.util.find_spec(module_of(name))
    }


class Catalogue(click.Group):
    """The `wiretape` command: commands are found in SECTIONS and imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(purposes())

    def get_command(self, ctx: click.Context, cmd_name: str) -> Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in purposes():
            return None
        command: Command = importlib.import_module(module_of(cmd_name)).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            close = nearest(args[0], purposes())
            raise click.UsageError(f'no command "{args[0]}"' + (f", did you mean {close}?" if close else ""), ctx)
        return super().resolve_command(ctx, args)

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        return named_help(super().get_help_option(ctx))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        known = purposes()
        for title, section in SECTIONS.items():
            rows = [f"  {name:<{_NAME_WIDTH}}  {purpose}\n" for name, purpose in section.items() if name in known]
            if rows:
                formatter.write("\n" + title + ":\n" + "".join(rows))


def _version(ctx: click.Context, _option: click.Parameter, value: bool) -> None:
    if value:
        from importlib.metadata import version

        click.echo(f"wiretape {version('wiretape')}")
        ctx.exit()


@click.group(
    cls=Catalogue,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with `wiretape record`, or see the whole loop with `wiretape demo`.",
)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version")
@STORE
@click.pass_context
def wiretape(ctx: click.Context) -> None:
    """Record real traffic, mock its dependencies, replay it against changed code."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
