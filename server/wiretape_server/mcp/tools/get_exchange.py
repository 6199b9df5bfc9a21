"""get_exchange: one recorded exchange in full, and what came instead in a run."""

from __future__ import annotations

from typing import Annotated

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult
from pydantic import Field

from wiretape_capture.errors import UsageError
from wiretape_capture.snapshot.exchange import Direction, Exchange, Response
from wiretape_server.mcp.exchange_view import RequestView, ResponseView, request_view, response_view, view_lines
from wiretape_server.mcp.paging import MOST_DIGITS
from wiretape_server.mcp.quoting import DATA_NOTE
from wiretape_server.mcp.results import Result, answer, cut
from wiretape_server.mcp.runs import open_run
from wiretape_server.mcp.snapshots import open_snapshot
from wiretape_server.mcp.state import ServerState

BODY_LIMIT = 16 * 1024 * 1024
"""Bytes of a body that are looked at; what is larger is told by its size and hash."""


class ExchangeResult(Result):
    """The answer of get_exchange."""

    snapshot: str
    sequence: int
    service: str
    duration_ms: float
    error: str = ""
    request: RequestView
    response: ResponseView | None = None
    live_response: ResponseView | None = None
    note: str


async def get_exchange(
    ctx: Context[ServerState],
    sequence: Annotated[int, Field(ge=1, description="Sequence number from search_exchanges or a finding.")],
    snapshot: Annotated[str | None, Field(description="Snapshot name; default: the run's, or the newest.")] = None,
    run: Annotated[str | None, Field(description="Run id: also show the response that came in that run.")] = None,
    max_chars: Annotated[int, Field(
        ge=100, le=50_000, description="Bytes of each body, 100 to 50000, default 1200.")] = 1200,
    offset: Annotated[int, Field(
        ge=0, le=100_000_000, description="Character of each body to begin at, 0 to 100000000, default 0.")] = 0,
) -> Annotated[CallToolResult, ExchangeResult]:  # fmt: skip
    """Show one recorded exchange: request, response, headers and bodies, credentials masked. With run, also the live \
response."""
    state = ctx.request_context.lifespan_context
    workspace = state.workspace()
    if len(str(sequence)) > MOST_DIGITS:
        raise UsageError("no snapshot has an exchange of that number", "search_exchanges lists them")
    live, recorded_in = await _live(state, run, sequence)
    async with await open_snapshot(workspace, snapshot or recorded_in) as reader:
        name = (await reader.info()).name
        exchange = await reader.exchange(sequence, max_body=BODY_LIMIT)
    mask = state.mask()
    request = request_view(exchange.request, mask, max_chars, offset)
    response = response_view(exchange.response, mask, max_chars, offset) if exchange.response else None
    live_view = response_view(live, mask, max_chars, offset) if live else None
    result = ExchangeResult(
        summary=f"exchange {sequence} of {name}, {exchange.direction}: recorded {exchange.status or 'no response'}"
                + (f", live {live.status if live else 'no response'} in run {run}" if run else ""),
        next=_next(exchange, request, response), snapshot=name, sequence=sequence, service=exchange.service,
        duration_ms=round(exchange.duration_us / 1000, 2), error=cut(exchange.error, 300), request=request,
        response=response, live_response=live_view, note=DATA_NOTE,
    )  # fmt: skip
    lines = [DATA_NOTE, *view_lines("request", request), *view_lines("response", response)]
    return answer(result, lines + (view_lines("live response", live_view) if run else []))


async def _live(state: ServerState, run: str | None, sequence: int) -> tuple[Response | None, str | None]:
    if not run:
        return None, None
    async with await open_run(state.workspace(), run) as reader:
        return await reader.live_response(sequence), (await reader.run()).snapshot


def _next(exchange: Exchange, request: RequestView, response: ResponseView | None) -> str:
    following = [view.body.next_offset for view in (request, response) if view and view.body.next_offset]
    if following:
        return f"call again with offset={min(following)} for the rest, or a larger max_chars"
    if exchange.direction is Direction.OUTBOUND:
        return "start_mock answers this call from the snapshot"
    return f"run_replay(only=[{exchange.sequence}]) replays just this exchange and what it needs"
