"""`wiretape snapshots`."""

from __future__ import annotations

import asyncio

import click

from wiretape_server.cli.app_flags import STORE, add
from wiretape_server.cli.command import Command, json_option, open_workspace
from wiretape_server.cli.terminal import moment, out, out_json, out_table, say, size


@click.command("snapshots", cls=Command, short_help="List snapshots", example="wiretape snapshots")
@click.option("--remote", is_flag=True, help="List what the store has")
@add((STORE,))
@json_option
def command(remote: bool, as_json: bool) -> None:
    """List snapshots, the newest first."""
    from wiretape_capture.snapshot.listing import list_snapshots

    ws = open_workspace()
    if remote:
        from wiretape_server.cli.stored import list_stored_snapshots

        list_stored_snapshots(ws, as_json=as_json)
        return
    listing = asyncio.run(list_snapshots(ws.snapshots_dir))
    if as_json:
        out_json(listing)
        return
    if listing.snapshots:
        out_table(
            ("name", "recorded", "inbound", "outbound", "size", "services"),
            [(info.name, moment(info.created_ns), str(info.inbound), str(info.outbound), size(info.size_bytes),
              ", ".join(info.services) + ("" if info.closed else " (not closed)")) for info in listing.snapshots],
            flexible=("services", "name"), right=("inbound", "outbound", "size"),
        )  # fmt: skip
    elif not listing.broken:
        out("no snapshots yet; record one with: wiretape record -- CMD")
    for broken in listing.broken:
        say(f"{broken.name}: {broken.problem}; {broken.hint}")
