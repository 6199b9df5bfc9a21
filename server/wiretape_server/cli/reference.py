"""Prints docs/cli.md, made from the commands themselves: `python -m wiretape_server.cli.reference`."""

from __future__ import annotations

import click

from wiretape_server.cli.catalogue import SECTIONS, purposes, wiretape
from wiretape_server.cli.command import Setting
from wiretape_server.cli.command_group import CommandGroup

WIDTH = 80

INTRODUCTION = """\
# Command line

Made by `python -m wiretape_server.cli.reference > docs/cli.md`; a test fails when it is out of date.

- **Results go to stdout**, everything else (progress, where to send requests, the app's output) to stderr. On a
  terminal tables are cut to its width; in a pipe or a file they are whole. `NO_COLOR` turns colours off.
- **`--json`** prints one JSON document on stdout: the same models as the MCP tools. An error is then
  `{"error": {"problem", "hint", "exit_code"}}`, with its sentence on stderr as always.
- **A flag wins over its key** in `wiretape.toml` ([configuration](configuration.md)). A flag that may be given more
  than once replaces the list of the file; `--env` and `--map` add to its table.
- **SNAPSHOT** is the newest unless it is given. **`-- CMD`** starts your app in the directory you are in.
- **Ctrl-C** asks a recording, a mock or a replay to finish: the snapshot is closed, the summary shown. A second
  Ctrl-C ends it at once; a recording then keeps all but its last second.

| exit code | meaning |
|---|---|
| 0 | pass; done |
| 1 | fail: an eval's condition was true; a call to a mock matched nothing; not as in `wiretape.lock` |
| 2 | wrong usage: an unknown name, flag or key |
| 3 | the environment failed: the app was not ready or ended with an error, a port is taken, a target refused |
| 4 | inconclusive: nothing was sent or compared, so nothing is known |
| 130 | ended at once by a second Ctrl-C |
"""


def page() -> str:
    """The whole page as Markdown."""
    known = purposes()
    parts = [INTRODUCTION, "```text\n" + _help(wiretape, "wiretape") + "```\n"]
    for title, section in SECTIONS.items():
        names = [name for name in section if name in known]
        if names:
            parts.append(f"## {title}\n")
            parts += [_command_section(name) for name in names]
    return "\n".join(parts)


def _command_section(name: str) -> str:
    command = wiretape.get_command(click.Context(wiretape), name)
    assert command is not None
    if isinstance(command, CommandGroup):
        members = (_section(member, f"{name} {inner}") for inner, member in command.commands.items())
        return "\n".join([_section(command, name), *members])
    return _section(command, name)


def _section(command: click.Command, name: str) -> str:
    text = f"### wiretape {name}\n\n```text\n{_help(command, f'wiretape {name}')}```\n"
    return text + _keys(command)


def _keys(command: click.Command) -> str:
    keys = {option.key: min(option.opts, key=len) for option in command.params if isinstance(option, Setting)}
    if not keys:
        return ""
    listed = ", ".join(f"`{key}`" for key in keys)
    return f"\nKeys of `wiretape.toml` that these flags win over: {listed}.\n"


def _help(command: click.Command, path: str) -> str:
    context = click.Context(command, info_name=path, terminal_width=WIDTH, **wiretape.context_settings)
    return context.get_help().rstrip() + "\n"


if __name__ == "__main__":
    click.echo(page(), nl=False)
