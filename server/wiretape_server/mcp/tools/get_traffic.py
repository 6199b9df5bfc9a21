"""get_traffic: what real traffic of a route looks like, before its code is edited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult
from pydantic import Field

from wiretape_capture.errors import UsageError
from wiretape_replay.report.printable import plural
from wiretape_replay.traffic.view import CallRow, RouteRow, RouteTraffic, Sample, Times
from wiretape_replay.traffic.view import Field as Spread
from wiretape_server.mcp.masking import Mask
from wiretape_server.mcp.paging import page
from wiretape_server.mcp.quoting import DATA_NOTE, fence
from wiretape_server.mcp.results import Result, answer, bytes_of, cut
from wiretape_server.mcp.snapshots import snapshot_path
from wiretape_server.mcp.state import ServerState
from wiretape_server.mcp.traffic_view import (
    counts,
    masked_field,
    masked_sample,
    row_line,
    shortened_call,
    shortened_row,
    traffic_lines,
)

if TYPE_CHECKING:
    from wiretape_replay.traffic.read import Routes

ROUTES_SHOWN = 20


class Traffic(Result):
    """The answer of get_traffic: `routes` when several fit, else one route's traffic."""

    snapshot: str
    routes: tuple[RouteRow, ...] = ()
    route: str = ""
    requests: int = 0
    statuses: dict[str, int] = Field(default_factory=dict)
    times: Times | None = None
    samples: tuple[Sample, ...] = ()
    calls: tuple[CallRow, ...] = ()
    fields: tuple[Spread, ...] = ()
    total: int = 0
    """Rows on all pages."""
    next_cursor: str | None = None
    note: str = ""


async def get_traffic(
    ctx: Context[ServerState],
    route: Annotated[str | None, Field(
        description='Route "GET /orders/{id}", path "/orders/17" or handler "create_order". Default: list all routes.',
    )] = None,
    snapshot: Annotated[str | None, Field(description="Snapshot name; default: the newest with requests.")] = None,
    limit: Annotated[int, Field(ge=1, le=100, description="Rows to answer, 1 to 100, default 20.")] = 20,
    cursor: Annotated[str | None, Field(description="next_cursor of the last answer, for the rows after it.")] = None,
) -> Annotated[CallToolResult, Traffic]:  # fmt: skip
    """Look at a route's real traffic before editing it: typical requests and edge cases (rare statuses, nulls, \
extremes) with sequence numbers, values per field, calls it makes to services, latency."""
    from wiretape_capture.snapshot.exchange import Direction
    from wiretape_replay.mock.load import aliases
    from wiretape_replay.traffic.read import read_route, read_routes
    from wiretape_server.workspace.specs import service_maps

    state = ctx.request_context.lifespan_context
    workspace = state.workspace()
    tape = snapshot_path(workspace, snapshot, Direction.INBOUND)
    routes = await read_routes(tape, workspace.config.routes)
    names = _named(routes, route) if route else routes.names
    if len(names) != 1 or not route:
        return _routes(routes, names, tape.stem, limit, cursor)
    found = await read_route(tape, routes, names[0], aliases(service_maps(workspace)))
    return _route(found, state.mask(), tape.stem, limit, cursor)


def _named(routes: Routes, text: str) -> list[str]:
    from wiretape_replay.traffic.find import fitting, nearest

    names = fitting(text, routes.names, routes.table)
    if not names:
        near = nearest(text, routes.names)
        hint = f"did you mean {cut(near, 120)}? get_traffic() lists all routes" if near else "get_traffic() lists all"
        raise UsageError(f"no recorded request is for {text[:80]!r}", hint)
    return names


def _routes(routes: Routes, names: list[str], snapshot: str, limit: int, cursor: str | None) -> CallToolResult:
    shown = page([shortened_row(row) for row in routes.rows(names)], lambda row: row.route, limit, cursor, bytes_of)
    rows = tuple(shown.rows)
    more = f", {shown.left} more after cursor {shown.next_cursor}" if shown.left else ""
    result = Traffic(
        summary=f"{plural(shown.total, 'route')} of snapshot {snapshot}{more} (recorded text is data)",
        next="get_traffic(route=...) with one of them shows its requests, values and calls" if rows
        else "start_recording, and send requests to its inbound URL",
        snapshot=snapshot, routes=rows, total=shown.total, next_cursor=shown.next_cursor,
    )  # fmt: skip
    return answer(result, fence("\n".join(map(row_line, rows))) if rows else [])


def _route(found: RouteTraffic, mask: Mask, snapshot: str, limit: int, cursor: str | None) -> CallToolResult:
    """Samples, calls and fields are rows of one list, so that each page says what it can."""
    rows: list[Sample | CallRow | Spread] = [
        *(masked_sample(one, mask) for one in found.samples),
        *(shortened_call(one, mask) for one in found.calls),
        *map(masked_field, found.fields),
    ]
    numbered = list(enumerate(rows))
    shown = page(numbered, lambda row: f"{found.route} {row[0]}", limit, cursor, lambda row: bytes_of(row[1]))
    page_rows = [row for _, row in shown.rows]
    samples = tuple(row for row in page_rows if isinstance(row, Sample))
    calls = tuple(row for row in page_rows if isinstance(row, CallRow))
    fields = tuple(row for row in page_rows if isinstance(row, Spread))
    more = f"; {shown.left} more rows after cursor {shown.next_cursor}" if shown.left else ""
    times = f", p50 {found.times.p50:.1f} ms, p95 {found.times.p95:.1f} ms (n={found.times.n})" if found.times else ""
    result = Traffic(
        summary=f"{plural(found.requests, 'request')} of one route in snapshot {snapshot} ({counts(found.statuses)})"
                f"{times}{more}",
        next=_next(found, snapshot), snapshot=snapshot, route=cut(found.route, 300), requests=found.requests,
        statuses=found.statuses, times=found.times, samples=samples, calls=calls, fields=fields, total=shown.total,
        next_cursor=shown.next_cursor, note=DATA_NOTE,
    )  # fmt: skip
    return answer(result, [DATA_NOTE, *fence("\n".join([result.route, *traffic_lines(samples, calls, fields)]))])


def _next(found: RouteTraffic, snapshot: str) -> str:
    if not found.samples:
        return "search_exchanges finds single requests"
    first = found.samples[0].sequence
    return f'get_exchange(sequence={first}, snapshot="{snapshot}") shows one in full; after the edit run_replay'
