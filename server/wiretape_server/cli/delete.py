"""`wiretape delete`."""

from __future__ import annotations

import asyncio

import click

from wiretape_server.cli.command import Command, json_option, open_workspace
from wiretape_server.cli.terminal import out, out_json


@click.command("delete", cls=Command, short_help="Delete a snapshot", example="wiretape delete checkout")
@click.argument("snapshots", nargs=-1, required=True, metavar="SNAPSHOT...")
@json_option
def command(snapshots: tuple[str, ...], as_json: bool) -> None:
    """Delete snapshots. Nothing is deleted when one of them does not exist."""
    from wiretape_capture.snapshot.listing import delete_snapshot, find_snapshot
    from wiretape_capture.snapshot.text_cache import TextCache

    ws = open_workspace()
    folder, cache = ws.snapshots_dir, TextCache(ws.cache_dir)
    names = [find_snapshot(folder, name).stem for name in snapshots]
    for name in dict.fromkeys(names):
        asyncio.run(delete_snapshot(folder, name, cache))
        if not as_json:
            out(f"deleted {name}")
    if as_json:
        out_json({"deleted": list(dict.fromkeys(names))})
