"""`wiretape export`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wiretape_capture.errors import UsageError, WiretapeError
from wiretape_capture.snapshot.private import private
from wiretape_server.cli.command import Command, json_option, open_workspace
from wiretape_server.cli.terminal import near, out, out_json, plural, say

if TYPE_CHECKING:
    from wiretape_replay.scripts.script import Script

LOAD_TOOLS = ("k6", "locust", "vegeta")
DEFAULT_TARGET = "http://127.0.0.1:8000"


@click.command(
    "export",
    cls=Command,
    short_help="Export a snapshot to HAR, text or a load tool",
    example="wiretape export checkout --har checkout.har\n"
    "wiretape export checkout --format k6\n"
    "wiretape export checkout --format locust --output load.py",
)
@click.argument("snapshot", required=False)
@click.option("--har", metavar="FILE", type=click.Path(path_type=Path), help="Write a HAR 1.2 file")
@click.option("--folder", metavar="DIR", type=click.Path(path_type=Path), help="Write readable text files")
@click.option("--format", "tool", type=click.Choice(LOAD_TOOLS), help="Write a script for a load tool")
@click.option("--output", metavar="FILE", help="File of the script, - for stdout")
@click.option("--target", metavar="URL", help="Base URL in a script of vegeta")
@json_option
def command(snapshot: str | None, har: Path | None, folder: Path | None, tool: str | None, output: str | None,
            target: str | None, as_json: bool) -> None:  # fmt: skip
    """Export a snapshot to HAR, a folder of text, or a script for k6, Locust or vegeta.

    HAR and folder hold all that the snapshot holds, so that `wiretape import` gives it back. A script holds the
    inbound requests: sessions in order with their think times, and values followed from answers into requests.
    """
    from wiretape_server.store.bringing import snapshot_file

    if sum(each is not None for each in (har, folder, tool)) != 1:
        raise click.UsageError("give one of --har FILE, --folder DIR or --format TOOL", click.get_current_context())
    if tool is None and (output or target):
        raise click.UsageError("--output and --target go with --format", click.get_current_context())
    ws = open_workspace()
    tape = snapshot_file(ws, snapshot or ws.config.snapshot or None, None, say)
    if tool is not None:
        if tool == "vegeta" and not target and not ws.config.replay.target:
            say(f"the targets are at {DEFAULT_TARGET}: name your app's with --target URL")
        _script(tape, tool, output, target or ws.config.replay.target or DEFAULT_TARGET, ws.config.routes,
                as_json=as_json)  # fmt: skip
        return
    asyncio.run(_export(tape, har, folder))
    where = har or folder
    if as_json:
        out_json({"snapshot": tape.stem, "har" if har else "folder": str(where)})
    else:
        out(f"exported {tape.stem} to {where}")


async def _export(tape: Path, har: Path | None, folder: Path | None) -> None:
    from wiretape_capture.snapshot.folder import export_folder
    from wiretape_capture.snapshot.har import export_har
    from wiretape_capture.snapshot.tape_reader import TapeReader

    async with await TapeReader.open(tape) as reader:
        if har is not None:
            await export_har(reader, har)
        if folder is not None:
            await export_folder(reader, folder)


def _script(tape: Path, tool: str, output: str | None, target: str, routes: tuple[str, ...], *, as_json: bool) -> None:
    from wiretape_replay.scripts.formats import FORMATS
    from wiretape_replay.scripts.read import read_script

    form = FORMATS[tool]
    script = asyncio.run(read_script(tape, routes, follow=form.follows))
    if not script.requests:
        raise UsageError(f"snapshot {tape.stem} has no inbound requests to send",
                         "record with --app-port and send the app requests")  # fmt: skip
    file = output or f"{tape.stem}{form.ending}"
    text = form.write(script, Path(file).name, target.rstrip("/"))
    if file == "-":
        sys.stdout.buffer.write(text.encode())
        return
    _write(Path(file), text)
    _told(script, tool, file, as_json=as_json)


def _write(path: Path, text: str) -> None:
    try:
        with open(path, "w", encoding="utf-8", opener=private) as file:
            file.write(text)
    except OSError as error:
        raise WiretapeError(f"{path}: {(error.strerror or str(error)).lower()}", "name a file that can be written")\
            from None  # fmt: skip


def _told(script: Script, tool: str, file: str, *, as_json: bool) -> None:
    counts = {"requests": script.requests, "sessions": len(script.sessions),
              "bindings_as_recorded": script.as_recorded, "left_out": script.left_out}  # fmt: skip
    if as_json:
        out_json({"snapshot": script.snapshot, "format": tool, "file": file, **counts})
        return
    out(f"wrote {plural(script.requests, 'request')} of {plural(len(script.sessions), 'session')} "
        f"to {near(Path(file))}")  # fmt: skip
    if script.as_recorded:
        say(f"{plural(script.as_recorded, 'value')} that a {tool} script cannot follow are sent as recorded")
    if script.left_out:
        say(f"{plural(script.left_out, 'exchange')} left out: not HTTP, or a body above 1 MB")
