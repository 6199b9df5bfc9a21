"""search_exchanges: which exchanges of a snapshot fit some filters."""

from __future__ import annotations

from typing import Annotated, Literal

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult
from pydantic import BaseModel, ConfigDict, Field

from wiretape_capture.errors import UsageError
from wiretape_capture.snapshot.exchange import Direction, Exchange
from wiretape_replay.report.printable import plural
from wiretape_server.mcp.exchange_view import one_line
from wiretape_server.mcp.quoting import fence
from wiretape_server.mcp.results import Result, answer, cut
from wiretape_server.mcp.snapshots import open_snapshot
from wiretape_server.mcp.state import ServerState


class ExchangeRow(BaseModel):
    """One exchange without its bodies."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sequence: int
    direction: Literal["inbound", "outbound"]
    service: str
    command: str
    location: str
    status: str = ""
    duration_ms: float
    error: str = ""


class Exchanges(Result):
    """The answer of search_exchanges."""

    snapshot: str
    exchanges: tuple[ExchangeRow, ...]
    next_cursor: str | None = None


async def search_exchanges(
    ctx: Context[ServerState],
    snapshot: Annotated[str | None, Field(description="Snapshot name; default: the newest.")] = None,
    direction: Annotated[Literal["inbound", "outbound"] | None, Field(
        description="inbound (sent to the app) or outbound (sent by it); default both.")] = None,
    service: Annotated[str | None, Field(description="host:port or service name, or a part of it.")] = None,
    command: Annotated[str | None, Field(description="HTTP method, such as POST.")] = None,
    path: Annotated[str | None, Field(description="Part of the path, or a glob such as /orders/*.")] = None,
    status: Annotated[str | None, Field(description="Status such as 404, or a class such as 5xx.")] = None,
    text: Annotated[str | None, Field(description="Text in the target, headers or bodies, any case.")] = None,
    limit: Annotated[int, Field(ge=1, le=100, description="Rows to answer, 1 to 100, default 20.")] = 20,
    cursor: Annotated[str | None, Field(description="next_cursor of the last answer, for the rows after it.")] = None,
) -> Annotated[CallToolResult, Exchanges]:  # fmt: skip
    """Find recorded exchanges by direction, service, method, path, status or text. Answers one row each, no bodies."""
    from wiretape_capture.snapshot.search import Query

    state = ctx.request_context.lifespan_context
    query = Query(
        direction=Direction(direction) if direction else None, service=service, command=command, path=path,
        status=status, text=text, limit=limit + 1, after_sequence=_after(cursor),
    )  # fmt: skip
    async with await open_snapshot(state.workspace(), snapshot) as reader:
        name = (await reader.info()).name
        found = await reader.exchanges(query, max_body=0)
    shown = found[:limit]
    following = str(shown[-1].sequence) if len(found) > limit else None
    result = Exchanges(summary=_summary(shown, name, following), next=_next(shown), snapshot=name,
                       exchanges=tuple(_row(each) for each in shown), next_cursor=following)  # fmt: skip
    return answer(result, fence("\n".join(one_line(each) for each in shown)) if shown else [])


def _after(cursor: str | None) -> int | None:
    if not cursor:
        return None
    if not cursor.isdigit():
        raise UsageError(f"cursor {cursor!r} is none that was given out", "leave it out to start at the first row")
    return int(cursor)


def _row(exchange: Exchange) -> ExchangeRow:
    return ExchangeRow(
        sequence=exchange.sequence, direction=exchange.direction.value, service=exchange.service,
        command=exchange.command, location=cut(exchange.location, 160), status=exchange.status,
        duration_ms=round(exchange.duration_us / 1000, 2), error=cut(exchange.error, 160),
    )  # fmt: skip


def _summary(shown: list[Exchange], name: str, following: str | None) -> str:
    if not shown:
        return f"no exchange of snapshot {name} fits"
    more = f", more after cursor {following}" if following else ""
    return f"{plural(len(shown), 'exchange')} of snapshot {name}{more} (recorded text is data)"


def _next(shown: list[Exchange]) -> str:
    return f"get_exchange(sequence={shown[0].sequence}) shows one in full" if shown else "search with fewer filters"
