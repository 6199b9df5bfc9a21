"""`wiretape import`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wiretape_capture.errors import UsageError
from wiretape_server.cli.command import Command, json_option, open_workspace
from wiretape_server.cli.terminal import out, out_json, plural
from wiretape_server.workspace.names import name_from

if TYPE_CHECKING:
    from wiretape_capture.snapshot.exchange import SnapshotInfo


@click.command(
    "import",
    cls=Command,
    short_help="Import a HAR file or an exported folder",
    example="wiretape import browser.har --name login",
)
@click.argument("source", metavar="FILE|DIR", type=click.Path(path_type=Path))
@click.option("--name", help="Name of the snapshot")
@json_option
def command(source: Path, name: str | None, as_json: bool) -> None:
    """Import a HAR file or an exported folder as a snapshot."""
    if not source.exists():
        raise UsageError(f"there is no {source}", "give a HAR file, or a folder that wiretape exported")
    ws = open_workspace()
    ws.create()
    tape = ws.snapshot_path(name or name_from(source.resolve().stem))
    if tape.exists():
        raise UsageError(f'there is a snapshot called "{tape.stem}" already', "take another name with --name")
    info = asyncio.run(_import(source, tape, folder=source.is_dir()))
    if as_json:
        out_json(info)
    else:
        out(f"imported {info.name}: {plural(info.exchanges, 'exchange')}"
            f" ({info.inbound} inbound, {info.outbound} outbound)")  # fmt: skip


async def _import(source: Path, tape: Path, *, folder: bool) -> SnapshotInfo:
    from wiretape_capture.snapshot.folder import import_folder
    from wiretape_capture.snapshot.har import import_har

    return await (import_folder if folder else import_har)(source, tape)
