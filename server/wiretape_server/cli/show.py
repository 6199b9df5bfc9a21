"""`wiretape show`."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from wiretape_server.cli.app_flags import STORE, add
from wiretape_server.cli.command import Command, Whole, json_option, open_workspace
from wiretape_server.cli.terminal import ms, out, out_json, out_table, plural, say

if TYPE_CHECKING:
    from pathlib import Path

    from wiretape_capture.snapshot.exchange import Exchange
    from wiretape_capture.snapshot.search import Query

DEFAULT_LIMIT = 200
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@click.command(
    "show",
    cls=Command,
    short_help="Show exchanges of a snapshot",
    example="wiretape show checkout --direction outbound --status 5xx\nwiretape show checkout 3",
)
@click.argument("snapshot", required=False)
@click.argument("sequence", required=False, type=Whole(1, 2**63 - 1), metavar="[SEQ]")
@click.option("--direction", type=click.Choice(["inbound", "outbound"]), help="Only this direction")
@click.option("--service", metavar="TEXT", help="Service holds this (* matches all)")
@click.option("--method", metavar="METHOD", help="Only this method or command")
@click.option("--path", metavar="TEXT", help="Path holds this (* matches all)")
@click.option("--status", metavar="CODE", help="Like 404, 5xx, 23505, WRONGTYPE or none")
@click.option("--text", metavar="TEXT", help="Found in target, headers or body")
@click.option("--since", metavar="WHEN", help="From this time on, or for the last 5m")
@click.option("--limit", type=Whole(1, 10**9), default=DEFAULT_LIMIT, show_default=True, help="At most so many")
@click.option("--bindings", is_flag=True, help="List values taken from earlier responses")
@click.option("--raw", is_flag=True, help="Write the bytes of one exchange")
@add((STORE,))
@json_option
def command(
    snapshot: str | None,
    sequence: int | None,
    direction: str | None,
    service: str | None,
    method: str | None,
    path: str | None,
    status: str | None,
    text: str | None,
    since: str | None,
    limit: int,
    bindings: bool,
    raw: bool,
    as_json: bool,
) -> None:
    """Show exchanges of a snapshot, or one exchange in full.

    Without SNAPSHOT the newest is meant; `wiretape show 3` is its exchange 3. All filters must hold.
    """
    from wiretape_capture.snapshot.exchange import Direction
    from wiretape_capture.snapshot.search import Query
    from wiretape_server.store.bringing import snapshot_file

    ws = open_workspace()
    if sequence is None and snapshot and snapshot.isdecimal() and not ws.snapshot_path(snapshot).exists():
        sequence, snapshot = int(snapshot), None
    if raw and sequence is None:
        raise click.UsageError("--raw writes one exchange: give its SEQ", click.get_current_context())
    tape = snapshot_file(ws, snapshot or ws.config.snapshot or None, None, say)
    if bindings:
        from wiretape_server.cli.binding_view import tell_snapshot

        tell_snapshot(tape, ws.config.routes, as_json=as_json)
        return
    if sequence is not None:
        _show_one(asyncio.run(_one(tape, sequence)), raw=raw, as_json=as_json)
        return
    query = Query(
        direction=Direction(direction) if direction else None,
        service=service,
        command=method,
        path=path,
        status=status,
        text=text,
        since_ns=since_ns(since, datetime.now(UTC)) if since else None,
        limit=limit + 1,
    )
    found = asyncio.run(_many(tape, query, ws.cache_dir))
    if as_json:
        out_json(found[:limit])
    else:
        _show_many(tape.stem, found, limit)


async def _one(tape: Path, sequence: int) -> Exchange:
    from wiretape_capture.snapshot.tape_reader import TapeReader

    async with await TapeReader.open(tape) as reader:
        return await reader.exchange(sequence)


async def _many(tape: Path, query: Query, cache: Path) -> list[Exchange]:
    from wiretape_capture.snapshot.tape_reader import TapeReader
    from wiretape_capture.snapshot.text_cache import TextCache

    async with await TapeReader.open(tape, cache=TextCache(cache, _indexing)) as reader:
        return await reader.exchanges(query, max_body=0)


async def _indexing(done: int, total: int) -> None:
    """The first text search in a large snapshot takes seconds."""
    if sys.stderr.isatty():
        click.echo(f"\rreading every text once, for this search and later ones: {100 * done // total} %",
                   err=True, nl=done == total)  # fmt: skip


def _show_one(exchange: Exchange, *, raw: bool, as_json: bool) -> None:
    from wiretape_server.cli.exchange_text import exchange_lines, raw_bytes

    if as_json:
        out_json(exchange)
    elif raw:
        sys.stdout.buffer.write(raw_bytes(exchange))
    else:
        for line in exchange_lines(exchange):
            out(line)


def _show_many(name: str, found: list[Exchange], limit: int) -> None:
    if not found:
        out(f"no exchange of {name} matches; wiretape show {name} lists all")
        return
    out_table(
        ("seq", "direction", "service", "command", "location", "status", "ms", "bytes"),
        [_row(exchange) for exchange in found[:limit]],
        flexible=("location", "service"),
        right=("seq", "ms", "bytes"),
    )
    if len(found) > limit:
        out(f"the first {plural(limit, 'exchange')} are shown; --limit shows more")


def _row(exchange: Exchange) -> tuple[str, ...]:
    size = str(exchange.response.body.size) if exchange.response else "-"
    return (
        str(exchange.sequence),
        exchange.direction.value,
        exchange.service,
        exchange.command,
        exchange.location,
        exchange.status or "none",
        ms(exchange.duration_us / 1000),
        size,
    )


def since_ns(text: str, now: datetime) -> int:
    """`5m`, `2h` before `now`, or an ISO time, as nanoseconds since the epoch; a time without zone is local."""
    amount, unit = text[:-1], text[-1:]
    if amount.isdecimal() and unit in _UNITS:
        moment = now - timedelta(**{_UNITS[unit]: int(amount)})
    else:
        try:
            moment = datetime.fromisoformat(text).astimezone()
        except ValueError:
            raise click.UsageError(f'"{text}" is not a time: write 5m, 2h or 2026-11-23T12:00',
                                   click.get_current_context()) from None  # fmt: skip
    return int(moment.timestamp() * 1_000_000_000)
