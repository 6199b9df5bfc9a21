"""`wiretape init`."""

from __future__ import annotations

import asyncio
import errno
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wiretape_capture.errors import UsageError, WiretapeError
from wiretape_server.cli.command import Command, json_option
from wiretape_server.cli.terminal import out, out_json, out_table

if TYPE_CHECKING:
    from wiretape_server.workspace.guess import Guess

type Newest = tuple[str, bool] | None
"""A snapshot's name and whether it has inbound exchanges."""

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
    from wiretape_server.workspace.noise_file import FILE_NAME as NOISE_FILE
    from wiretape_server.workspace.template import guessed_lines, project_file
    from wiretape_server.workspace.workspace import Workspace

    root = Path.cwd()
    file = root / FILE_NAME
    if file.exists() and not force:
        raise UsageError(f"there is a {FILE_NAME} already", "edit it, or overwrite it with --force")
    found = guess({name: text for name in READ if (text := _read(root / name)) is not None})
    newest, found = asyncio.run(_recorded(Workspace(root).snapshots_dir, found))
    _write(file, project_file(found))
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
    learned = (root / NOISE_FILE).exists()
    out(f"next: {_next(newest, known=bool(found.command), learned=learned)}")


def _next(newest: Newest, *, known: bool, learned: bool) -> str:
    """The step that the newest snapshot allows."""
    if newest is None:
        return "wiretape record" if known else "wiretape record -- CMD"
    name, inbound = newest
    command = "" if known else " -- CMD"
    if inbound:
        if learned:
            return f"wiretape verify{command}"
        return f"wiretape noise learn{command}, while the code is unchanged; then, after a change, wiretape verify"
    return f"wiretape mock{command}, for snapshot {name} holds outbound calls only and there is nothing to replay"


def _write(file: Path, text: str) -> None:
    """All of the file or nothing of it."""
    part = file.with_name(f"{file.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(file)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        hint = "free some space and try again" if error.errno == errno.ENOSPC else "check the directory's owner"
        raise WiretapeError(f"{file} cannot be written ({error.strerror})", hint) from None


async def _recorded(snapshots_dir: Path, found: Guess) -> tuple[Newest, Guess]:
    """The newest snapshot that can be replayed, else the newest, and what it says of the app."""
    from wiretape_capture.errors import SnapshotUnreadable
    from wiretape_capture.snapshot.exchange import Direction
    from wiretape_capture.snapshot.listing import find_snapshot, snapshot_names
    from wiretape_capture.snapshot.search import Query
    from wiretape_capture.snapshot.tape_reader import TapeReader
    from wiretape_server.workspace.guess import recorded

    if not snapshot_names(snapshots_dir):
        return None, found
    tape = find_snapshot(snapshots_dir, holding=Direction.INBOUND)
    try:
        async with await TapeReader.open(tape) as reader:
            info = await reader.info()
            inbound = await reader.exchanges(Query(direction=Direction.INBOUND, limit=1), max_body=0)
    except SnapshotUnreadable:
        return None, found
    port = inbound[0].service.rpartition(":")[2] if inbound else ""
    said = recorded(found, tape.stem, info.app_command, int(port) if port.isdecimal() else None)
    return ((tape.stem, bool(inbound)) if info.exchanges else None), said


def _read(path: Path) -> str | None:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(READ_LIMIT)
    except OSError:
        return None
