"""`wiretape rename`."""

from __future__ import annotations

import asyncio

import click

from wiretape_server.cli.command import Command, json_option, open_workspace
from wiretape_server.cli.terminal import out, out_json


@click.command("rename", cls=Command, short_help="Rename a snapshot", example="wiretape rename checkout checkout-v1")
@click.argument("snapshot")
@click.argument("new_name")
@json_option
def command(snapshot: str, new_name: str, as_json: bool) -> None:
    """Rename a snapshot; its exchanges stay as they are."""
    from wiretape_capture.snapshot.listing import rename_snapshot

    path = asyncio.run(rename_snapshot(open_workspace().snapshots_dir, snapshot, new_name))
    if as_json:
        out_json({"name": path.stem, "tape": str(path)})
    else:
        out(f"renamed {snapshot} to {path.stem}")
