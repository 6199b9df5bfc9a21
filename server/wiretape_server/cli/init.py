"""`wiretape init`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wiretape_capture.errors import UsageError, WiretapeError
from wiretape_server.cli.command import Command, json_option
from wiretape_server.cli.terminal import out, out_json, out_table

if TYPE_CHECKING:
    from wiretape_server.workspace.guess import Guess

READ_LIMIT = 256 * 1024
"""Bytes read of one project file."""


@click.command("init", cls=Command, short_help="Write a wiretape.toml for this project", example="wiretape init")
@click.option("--force", is_flag=True, help="Overwrite what is there")
@json_option
def command(force: bool, as_json: bool) -> None:
    """Write a wiretape.toml for this project.

    Reads what the newest snapshot and the project's files say about its command, port and services, tells what it
    guessed, and writes every other key as a comment. Check the guess before you run it.
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
    found = asyncio.run(_recorded(Workspace(root).snapshots_dir, found))
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
        out_table(("guessed", "value", "from"), guessed, flexible=("value", "from"))
    for key in ("app.command", "app.port"):
        if key not in {each for each, _, _ in guessed}:
            out(f"not found: {key}; set it in {FILE_NAME}")
    out("next: wiretape record" if found.command else "next: wiretape record -- CMD")


async def _recorded(snapshots_dir: Path, found: Guess) -> Guess:
    """What the newest snapshot says, where there is one that can be read."""
    from wiretape_capture.errors import SnapshotUnreadable
    from wiretape_capture.snapshot.exchange import Direction
    from wiretape_capture.snapshot.listing import find_snapshot, snapshot_names
    from wiretape_capture.snapshot.search import Query
    from wiretape_capture.snapshot.tape_reader import TapeReader
    from wiretape_server.workspace.guess import recorded

    if not snapshot_names(snapshots_dir):
        return found
    try:
        async with await TapeReader.open(find_snapshot(snapshots_dir)) as reader:
            info = await reader.info()
            inbound = await reader.exchanges(Query(direction=Direction.INBOUND, limit=1), max_body=0)
    except SnapshotUnreadable:
        return found
    port = inbound[0].service.rpartition(":")[2] if inbound else ""
    return recorded(found, info.name, info.app_command, int(port) if port.isdecimal() else None)


def _read(path: Path) -> str | None:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(READ_LIMIT)
    except OSError:
        return None
