"""One recorded exchange as an agent sees it: credentials masked, bodies decoded and cut, everything quoted."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from wiretape_capture.snapshot.exchange import Exchange, Headers, Request, Response
from wiretape_server.mcp.masking import Mask
from wiretape_server.mcp.quoting import BodyText, body_lines, body_text, fence, visible
from wiretape_server.mcp.results import cut

MOST_HEADERS = 30
HEADER_LIMIT = 160


class _View(BaseModel):
    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")


class RequestView(_View):
    """A request."""

    line: str
    headers: tuple[str, ...]
    headers_cut: int = 0
    body: BodyText


class ResponseView(_View):
    """A response."""

    line: str
    headers: tuple[str, ...]
    headers_cut: int = 0
    body: BodyText


def request_view(request: Request, mask: Mask, limit: int, offset: int = 0) -> RequestView:
    """A request for an answer."""
    lines, left = _headers(request.headers, mask)
    line = cut(f"{request.method} {mask.queries(request.target)} {request.version}", 600)
    return RequestView(line=visible(line), headers=lines,
                       headers_cut=left, body=body_text(request.headers, request.body, limit, offset))  # fmt: skip


def response_view(response: Response, mask: Mask, limit: int, offset: int = 0) -> ResponseView:
    """A response for an answer."""
    lines, left = _headers(response.headers, mask)
    line = f"{response.version} {response.status} {response.reason}".rstrip()
    return ResponseView(line=visible(cut(line, 200)), headers=lines, headers_cut=left,
                        body=body_text(response.headers, response.body, limit, offset))  # fmt: skip


def view_lines(title: str, view: RequestView | ResponseView | None) -> list[str]:
    """One side of the exchange in a text answer."""
    if view is None:
        return [f"{title}: none came"]
    left = [f"(+{view.headers_cut} headers)"] if view.headers_cut else []
    return [f"{title}:", *fence("\n".join([view.line, *view.headers])), *left, *body_lines(view.body)]


def one_line(exchange: Exchange, mask: Mask) -> str:
    """`12 inbound 127.0.0.1:8000 GET /orders -> 200`."""
    where = cut(mask.queries(exchange.location), 160)
    return (f"{exchange.sequence} {exchange.direction} {exchange.service} {exchange.command} {where}"
            f" -> {exchange.status or exchange.error or 'no response'}")  # fmt: skip


def _headers(headers: Headers, mask: Mask) -> tuple[tuple[str, ...], int]:
    shown = mask.headers(headers[:MOST_HEADERS])
    lines = tuple(visible(f"{name}: {cut(value, HEADER_LIMIT)}") for name, value in shown)
    return lines, max(0, len(headers) - MOST_HEADERS)
