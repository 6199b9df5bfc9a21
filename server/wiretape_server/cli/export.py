"""`wiretape export`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from wiretape_server.cli.command import Command, json_option, open_workspace
from wiretape_server.cli.terminal import out, out_json


@click.command(
    "export",
    cls=Command,
    short_help="Export a snapshot to HAR or a folder of text",
    example="wiretape export checkout --har checkout.har",
)
@click.argument("snapshot", required=False)
@click.option("--har", metavar="FILE", type=click.Path(path_type=Path), help="Write a HAR 1.2 file")
@click.option("--folder", metavar="DIR", type=click.Path(path_type=Path), help="Write readable text files")
@json_option
def command(snapshot: str | None, har: Path | None, folder: Path | None, as_json: bool) -> None:
    """Export a snapshot to HAR or a folder of text.

    Both hold all that the snapshot holds, so that `wiretape import` gives it back.
    """
    from wiretape_capture.snapshot.listing import find_snapshot

    if (har is None) == (folder is None):
        raise click.UsageError("give either --har FILE or --folder DIR", click.get_current_context())
    ws = open_workspace()
    tape = find_snapshot(ws.snapshots_dir, snapshot or ws.config.snapshot or None)
    asyncio.run(_export(tape, har, folder))
    target = har or folder
    if as_json:
        out_json({"snapshot": tape.stem, "har" if har else "folder": str(target)})
    else:
        out(f"exported {tape.stem} to {target}")


async def _export(tape: Path, har: Path | None, folder: Path | None) -> None:
    from wiretape_capture.snapshot.folder import export_folder
    from wiretape_capture.snapshot.har import export_har
    from wiretape_capture.snapshot.tape_reader import TapeReader

    async with await TapeReader.open(tape) as reader:
        if har is not None:
            await export_har(reader, har)
        if folder is not None:
            await export_folder(reader, folder)
