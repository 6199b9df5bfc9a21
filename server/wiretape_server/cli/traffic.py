"""`wiretape traffic`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from wiretape_capture.errors import UsageError
from wiretape_server.cli.app_flags import ROUTE
from wiretape_server.cli.command import Command, json_option, open_workspace
from wiretape_server.cli.terminal import out, out_json, out_table, plural, say

if TYPE_CHECKING:
    from wiretape_replay.traffic.view import Field, RouteRow, RouteTraffic, Times


@click.command(
    "traffic",
    cls=Command,
    short_help="Show what a route was really asked and answered",
    example='wiretape traffic\nwiretape traffic "GET /orders/{id}"\nwiretape traffic create_order --snapshot checkout',
)
@click.argument("route", required=False)
@click.option("--snapshot", metavar="NAME", help="Snapshot to look at (default: newest)")
@ROUTE
@json_option
def command(route: str | None, snapshot: str | None, as_json: bool) -> None:
    """Show what a route was really asked and answered: usual requests, edge cases, values, calls, times.

    ROUTE is a route, a path or the name of a handler. Without it all routes are listed. The numbers are those that
    `wiretape show SNAPSHOT NUMBER` takes.
    """
    from wiretape_capture.snapshot.exchange import Direction
    from wiretape_replay.mock.load import aliases
    from wiretape_replay.traffic.find import fitting, nearest
    from wiretape_replay.traffic.read import read_route, read_routes
    from wiretape_server.store.bringing import snapshot_file
    from wiretape_server.workspace.specs import service_maps

    ws = open_workspace()
    tape = snapshot_file(ws, snapshot or ws.config.snapshot or None, Direction.INBOUND, say)
    routes = asyncio.run(read_routes(tape, ws.config.routes))
    names = fitting(route, routes.names, routes.table) if route else routes.names
    if route and not names:
        near = nearest(route, routes.names)
        raise UsageError(f'no recorded request is for "{route}"',
                         f"did you mean {near}?" if near else "wiretape traffic lists all routes")  # fmt: skip
    if route and len(names) == 1:
        found = asyncio.run(read_route(tape, routes, names[0], aliases(service_maps(ws))))
        if as_json:
            out_json(found)
        else:
            _tell(found)
        return
    rows = routes.rows(names)
    if as_json:
        out_json(rows)
    else:
        _list(rows)


def _list(rows: list[RouteRow]) -> None:
    if not rows:
        out("no inbound requests were recorded")
        return
    out_table(
        ("route", "requests", "statuses", "p50 ms", "p95 ms", "example"),
        [(row.route, str(row.requests), _counts(row.statuses), *_times(row.times), str(row.example)) for row in rows],
        flexible=("route", "statuses"),
    )


def _tell(found: RouteTraffic) -> None:
    times = f", p50 {found.times.p50:.1f} ms, p95 {found.times.p95:.1f} ms of {found.times.n}" if found.times else ""
    out(f"{found.route}: {plural(found.requests, 'request')} ({_counts(found.statuses)}){times}")
    if found.samples:
        out_table(("look at", "request", "because"),
                  [(str(one.sequence), one.line, "; ".join(one.why)) for one in found.samples],
                  flexible=("because", "request"))  # fmt: skip
    if found.calls:
        out_table(("calls", "number", "by requests", "statuses", "p50 ms", "p95 ms"),
                  [(one.call, str(one.calls), str(one.requests), _counts(one.statuses), *_times(one.times))
                   for one in found.calls], flexible=("calls",))  # fmt: skip
    if found.fields:
        out_table(("place", "types", "seen", "values"),
                  [(one.place, _counts(one.types), f"{one.present} of {one.of}", _values(one)) for one in found.fields],
                  flexible=("values", "place"))  # fmt: skip


def _values(field: Field) -> str:
    parts = [_counts(field.values), ", ".join(field.formats), " / ".join(field.numbers)]
    if field.length and not field.values:
        parts.append(f"{' to '.join(dict.fromkeys(field.length))} characters")
    if field.items:
        parts.append(f"{' to '.join(dict.fromkeys(field.items))} elements")
    return "; ".join(filter(None, parts))


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} x{count}" if count > 1 else name for name, count in counts.items())


def _times(times: Times | None) -> tuple[str, str]:
    return (f"{times.p50:.1f}", f"{times.p95:.1f}") if times else ("", "")
