"""`wiretape init`."""

from __future__ import annotations

from pathlib import Path

import click

from wiretape_capture.errors import UsageError, WiretapeError
from wiretape_server.cli.command import Command, json_option
from wiretape_server.cli.terminal import out, out_json, out_table

READ_LIMIT = 256 * 1024
"""Bytes read of one project file."""


@click.command("init", cls=Command, short_help="Write a wiretape.toml for this project", example="wiretape init")
@click.option("--force", is_flag=True, help="Overwrite the wiretape.toml that is there")
@json_option
def command(force: bool, as_json: bool) -> None:
    """Write a wiretape.toml for this project.

    Reads what the project's own files say about its command, port and services, tells what it guessed, and writes
    every other key as a comment. Check the guess before you run it.
    """
    from wiretape_server.workspace.config import FILE_NAME
    from wiretape_server.workspace.guess import READ, guess
    from wiretape_server.workspace.template import guessed_lines, project_file
    from wiretape_server.workspace.workspace import Workspace

    root = Path.cwd()
    file = root / FILE_NAME
    if file.exists() and not force:
        raise UsageError(f"there is a {FILE_NAME} already", "edit it, or overwrite it with --force")
    found = guess({name: text for name in READ if (text := _read(root / name)) is not None})
    try:
        file.write_text(project_file(found), encoding="utf-8")
    except OSError as error:
        raise WiretapeError(f"{file} cannot be written ({error.strerror})", "check the directory's owner") from None
    Workspace(root).create()
    guessed = list(guessed_lines(found))
    if as_json:
        out_json({"file": str(file), "guessed": {key: {"value": value, "from": source}
                                                 for key, value, source in guessed}})  # fmt: skip
        return
    out(f"wrote {FILE_NAME}")
    if guessed:
        out_table(("guessed", "value", "from"), guessed, flexible="value")
    for key in ("app.command", "app.port"):
        if key not in {each for each, _, _ in guessed}:
            out(f"not found: {key}; set it in {FILE_NAME}")
    out("next: wiretape record" if found.command else "next: wiretape record -- CMD")


def _read(path: Path) -> str | None:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(READ_LIMIT)
    except OSError:
        return None
