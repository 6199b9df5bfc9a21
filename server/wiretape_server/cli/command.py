"""What every command of wiretape shares: an example in its help, settings that name their key, `-- CMD`, `--json`."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from wiretape_server.workspace.workspace import Workspace

type Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

_SETTINGS = "wiretape.settings"
FAIL_IF = "replay.fail_if"


class Command(click.Command):
    """A command with a pasteable example; `takes_app` lets it end in `-- CMD...`."""

    def __init__(self, *args: Any, example: str, takes_app: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.example = example
        self.takes_app = takes_app

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Cut `-- CMD...` off first: click would take its first word for the snapshot."""
        if self.takes_app and "--" in args:
            cut = args.index("--")
            args, app = args[:cut], args[cut + 1 :]
            if not app:
                raise click.UsageError("no command after --", ctx)
            # A command typed here runs here, wherever the workspace's root is.
            _settings(ctx).update({"app.command": tuple(app), "app.start": True, "app.cwd": str(Path.cwd())})
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            if self.takes_app and "extra argument" in error.message:
                raise click.UsageError(f"{error.message}: an app's command comes after --", ctx) from None
            raise

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        return named_help(super().get_help_option(ctx))

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return super().collect_usage_pieces(ctx) + (["[-- CMD...]"] if self.takes_app else [])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_epilog(ctx, formatter)
        formatter.write_paragraph()
        formatter.write("Example:\n")
        formatter.write("".join(f"  {line}\n" for line in self.example.splitlines()))


class Whole(click.ParamType[int]):
    """A whole number of a range, without click's notation for ranges in the help."""

    name = "number"

    def __init__(self, least: int, most: int) -> None:
        self._least, self._most = least, most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number, or click's own error with both ends named."""
        text = str(value)
        if not text.isdecimal() or not self._least <= int(text) <= self._most:
            self.fail(f'"{text}" is not a whole number from {self._least} to {self._most}', param, ctx)
        return int(text)


PORT = Whole(0, 65535)
"""0 stands for any free port."""


class Setting(click.Option):
    """A flag that stands for a key of wiretape.toml and wins over it. Commands see it in their workspace only."""

    def __init__(self, *args: Any, key: str, convert: Callable[[Any], Any] | None = None, adds: bool = False,
                 **kwargs: Any) -> None:  # fmt: skip
        super().__init__(*args, expose_value=False, callback=self._keep, **kwargs)
        self.key = key
        self.chooses = kwargs.get("flag_value") is not None
        """Whether it is one of several flags for the values of one key."""
        self._convert = convert
        self._adds = adds
        """Whether its values join those of another flag for the same key."""

    def _keep(self, ctx: click.Context, _option: click.Parameter, value: Any) -> None:
        if value in (None, ()):
            return
        settings = _settings(ctx)
        if self.chooses and settings.get(self.key, value) != value:
            raise click.UsageError(f"--{settings[self.key]} and {self.opts[0]} exclude each other", ctx)
        given = self._convert(value) if self._convert else value
        settings[self.key] = (*settings.get(self.key, ()), *given) if self._adds else given


def setting(key: str, *flags: str, **kwargs: Any) -> Decorator:
    """A flag for `key`."""
    # A name of its own, for two flags of one command may share their last word with another's.
    name = key.replace(".", "_") + (f"_{kwargs['flag_value']}" if "flag_value" in kwargs else "")
    name += flags[0].replace("-", "_") if kwargs.get("adds") else ""
    return click.option(*flags, name, cls=Setting, key=key, default=None, **kwargs)


class SnapshotArgument(click.Argument):
    """The optional SNAPSHOT of a command: the key `snapshot`."""

    def __init__(self, declarations: Sequence[str], **_attributes: Any) -> None:
        super().__init__(declarations, required=False, metavar="[SNAPSHOT]", expose_value=False, callback=self._keep)

    @staticmethod
    def _keep(ctx: click.Context, _argument: click.Parameter, value: str | None) -> None:
        if value is not None:
            _settings(ctx)["snapshot"] = value


def named_help(option: click.Option | None) -> click.Option | None:
    """The help option, its purpose in the form of all others."""
    if option is not None:
        option.help = "Show this help"
    return option


def snapshot_argument(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the optional SNAPSHOT."""
    return click.argument("snapshot", cls=SnapshotArgument)(function)


def json_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document")(function)


def settings_given() -> dict[str, Any]:
    """What flags and arguments of the running command set, by key."""
    return dict(_settings(click.get_current_context()))


def open_workspace() -> Workspace:
    """The workspace around the working directory, with this command's flags put over its file."""
    from wiretape_server.workspace.workspace import Workspace

    ws = Workspace.find(Path.cwd())
    given = settings_given()
    if evals := given.get(FAIL_IF):
        from wiretape_replay.verdict.judge import joined

        given[FAIL_IF] = joined(evals)
    return ws.with_settings(given) if given else ws


def pairs(values: tuple[str, ...]) -> dict[str, str]:
    """`NAME=VALUE` flags as a table."""
    for value in values:
        if "=" not in value or value.startswith("="):
            raise click.UsageError(f'"{value}" has no name: write NAME=VALUE', click.get_current_context())
    return dict(value.split("=", 1) for value in values)


def here(path: str) -> str:
    """A path typed on the command line is relative to the working directory, not to the workspace."""
    return os.path.abspath(path)  # noqa: PTH100 - a symlink stays as typed


def _settings(ctx: click.Context) -> dict[str, Any]:
    settings: dict[str, Any] = ctx.meta.setdefault(_SETTINGS, {})
    return settings
