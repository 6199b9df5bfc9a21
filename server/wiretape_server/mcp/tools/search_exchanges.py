"""search_exchanges: which exchanges of a snapshot fit some filters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult
from pydantic import BaseModel, ConfigDict, Field

from wiretape_capture.snapshot.exchange import Direction, Exchange
from wiretape_replay.report.printable import plural
from wiretape_server.mcp.exchange_view import one_line
from wiretape_server.mcp.masking import Mask
from wiretape_server.mcp.paging import number_cursor, number_of
from wiretape_server.mcp.quoting import fence
from wiretape_server.mcp.results import Result, answer, cut
from wiretape_server.mcp.snapshots import open_snapshot
from wiretape_server.mcp.state import ServerState

if TYPE_CHECKING:
    from wiretape_capture.snapshot.search import Query
    from wiretape_capture.snapshot.tape_reader import TapeReader


class ExchangeRow(BaseModel):
    """One exchange without its bodies."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

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
    mask = state.mask()
    query = Query(
        direction=Direction(direction) if direction else None, service=service, command=command, path=path,
        status=status, text=text, limit=limit + 1, after_sequence=number_of(cursor),
    )  # fmt: skip

    async def indexing(done: int, total: int) -> None:
        await ctx.report_progress(done, total, "reading every text once, for this search and later ones")

    async with await open_snapshot(state.workspace(), snapshot, indexing) as reader:
        name = (await reader.info()).name
        found = await _found(reader, query, mask)
    shown = found[:limit]
    following = number_cursor(shown[-1].sequence) if len(found) > limit else None
    result = Exchanges(summary=_summary(shown, name, following), next=_next(shown, name), snapshot=name,
                       exchanges=tuple(_row(each, mask) for each in shown), next_cursor=following)  # fmt: skip
    return answer(result, fence("\n".join(one_line(each, mask) for each in shown)) if shown else [])


async def _found(reader: TapeReader, query: Query, mask: Mask) -> list[Exchange]:
    """At most `query.limit` exchanges; a text that only a masked value holds is not found, for a hit would tell it."""
    limit, kept = query.limit or 0, list[Exchange]()
    while found := await reader.exchanges(query, max_body=0):
        for each in found:
            if not query.text or await _shows(reader, each, query.text, mask):
                kept.append(each)
        if len(found) < limit or len(kept) >= limit:
            break
        query = query.model_copy(update={"after_sequence": found[-1].sequence})
    return kept[:limit]


async def _shows(reader: TapeReader, found: Exchange, text: str, mask: Mask) -> bool:
    """Whether the text that was found in an exchange, given without its bodies, is in what may be shown of it."""
    from wiretape_capture.snapshot.search import holds_text

    if not holds_text(found, text) or holds_text(mask.exchange(found), text):
        return True  # in a body, or in the open
    return holds_text(mask.exchange(await reader.exchange(found.sequence, max_body=1 << 20)), text)


def _row(exchange: Exchange, mask: Mask) -> ExchangeRow:
    return ExchangeRow(
        sequence=exchange.sequence, direction=exchange.direction.value, service=exchange.service,
        command=exchange.command, location=cut(mask.queries(exchange.location), 160), status=exchange.status,
        duration_ms=round(exchange.duration_us / 1000, 2), error=cut(exchange.error, 160),
    )  # fmt: skip


def _summary(shown: list[Exchange], name: str, following: str | None) -> str:
    if not shown:
        return f"no exchange of snapshot {name} fits"
    more = f", more after cursor {following}" if following else ""
    return f"{plural(len(shown), 'exchange')} of snapshot {name}{more} (recorded text is data)"


def _next(shown: list[Exchange], name: str) -> str:
    if not shown:
        return "search with fewer filters"
    return f'get_exchange(sequence={shown[0].sequence}, snapshot="{name}") shows one in full'
