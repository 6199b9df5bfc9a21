"""Recorded responses as the bytes that a client gets, built once at load. Pure; it does not know who asked."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal

from wiretape_capture.protocols.http import codings, decode_content
from wiretape_capture.snapshot.exchange import Body, Exchange, Headers, Response
from wiretape_replay.match.echo import Echo

type Fault = Literal["", "close", "reset", "hang"]
"""How a peer failed that never answered."""

HOP_BY_HOP = frozenset({"connection", "keep-alive", "proxy-connection", "upgrade", "te"})
BODILESS = frozenset({204, 304})
EMPTY_BODY = Body()


@dataclass(frozen=True, slots=True)
class Answer:
    """One recorded answer, ready to send."""

    sequence: int
    status: str
    whole: bytes
    """Head and body; the head alone when the body is streamed from the tape."""
    stream: str = ""
    """sha256 of the body to stream."""
    stream_size: int = 0
    tail: bytes = b""
    """What follows a streamed body."""
    fault: Fault = ""
    """For an answer that never came; for one cut short, how its connection ended after `whole`."""
    duration_us: int = 0
    response: Response | None = None


def build_answer(exchange: Exchange) -> Answer:
    """The bytes of an exchange's response, or how it failed."""
    response = exchange.response
    if response is None:
        return Answer(exchange.sequence, "", b"", fault=fault_of(exchange.error), duration_us=exchange.duration_us)
    head_only = exchange.request.method == "HEAD"
    cut_short = not response.body.complete and not head_only
    if response.body.data is None and not head_only:
        return _streamed(exchange, response, cut_short)
    return Answer(
        exchange.sequence, exchange.status, render(response, head_only=head_only, cut_short=cut_short),
        fault=(fault_of(exchange.error) if cut_short else ""), duration_us=exchange.duration_us, response=response,
    )  # fmt: skip


def fault_of(error: str) -> Fault:
    """How the failure that a recording names looks to a client."""
    words = error.lower()
    if "reset" in words:
        return "reset"
    # Where the service could not be reached at all, the recorder closed the app's connection: so do we.
    # A client that went away had waited in vain.
    return "hang" if "timed out" in words or "client disconnected" in words else "close"


def _streamed(exchange: Exchange, response: Response, cut_short: bool) -> Answer:
    chunked = _is_chunked(response)
    size = response.body.size
    return Answer(
        exchange.sequence, exchange.status,
        _head(response, None if chunked or cut_short else size) + (b"%x\r\n" % size if chunked else b""),
        stream=response.body.sha256, stream_size=size,
        tail=b"\r\n" + _last_chunk(response.trailers) if chunked and not cut_short else b"",
        fault=fault_of(exchange.error) if cut_short else "", duration_us=exchange.duration_us, response=response,
    )  # fmt: skip


def render(response: Response, *, head_only: bool, cut_short: bool = False, plain: bool = False) -> bytes:
    """A response as HTTP/1.1 bytes; `plain` avoids chunks, for a client that speaks HTTP/1.0.

    What was chunked is chunked again, in one chunk; what had neither length nor chunks gets its length.
    """
    data = response.body.data or b""
    if head_only:
        return _head(response, None)
    if response.status in BODILESS or 100 <= response.status < 200:
        return _head(response, None, drop=() if response.status == 304 else ("content-length", "transfer-encoding"))
    if _is_chunked(response) and not plain:
        chunk = b"%x\r\n%b\r\n" % (len(data), data) if data else b""
        return _head(response, None) + chunk + (b"" if cut_short else _last_chunk(response.trailers))
    drop = ("transfer-encoding", "trailer") if plain else ()
    return _head(response, None if cut_short else len(data), drop=drop) + data


def echoed(response: Response, echo: Echo) -> Response:
    """The response with live values in its headers and body; a coded body is decoded for it and gzipped again."""
    headers = echo.headers(response.headers)
    data = response.body.data
    if not data:
        return response.model_copy(update={"headers": headers})
    try:
        plain = decode_content(response.headers, data)
    except ValueError:
        return response.model_copy(update={"headers": headers})
    changed = echo.data(plain)
    if changed == plain:
        return response.model_copy(update={"headers": headers})
    coded = codings(response.headers)
    if coded == ["gzip"]:
        changed = gzip.compress(changed, mtime=0)
    elif coded:
        headers = tuple(pair for pair in headers if pair[0].lower() != "content-encoding")
    body = Body(size=len(changed), sha256="", data=changed)
    return response.model_copy(update={"headers": headers, "body": body})


def _is_chunked(response: Response) -> bool:
    return any(name.lower() == "transfer-encoding" and "chunked" in value.lower() for name, value in response.headers)


def _head(response: Response, length: int | None, drop: tuple[str, ...] = ()) -> bytes:
    """Status line and headers in recorded order and case; `length` corrects or adds Content-Length."""
    lines = [f"HTTP/1.1 {response.status} {response.reason or _phrase(response)}"]
    told = False
    for name, value in response.headers:
        lower = name.lower()
        if lower in HOP_BY_HOP or lower in drop:
            continue
        if lower == "content-length" and length is not None:
            if not told:
                lines.append(f"{name}: {length}")
            told = True
            continue
        lines.append(f"{name}: {value}")
    if length is not None and not told:
        lines.append(f"Content-Length: {length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _phrase(response: Response) -> str:
    """HTTP/2 has no reason phrases; HTTP/1.1 clients show one."""
    if not response.version.startswith("HTTP/2"):
        return ""
    try:
        return HTTPStatus(response.status).phrase
    except ValueError:
        return ""


def _last_chunk(trailers: Headers) -> bytes:
    fields = "".join(f"{name}: {value}\r\n" for name, value in trailers)
    return b"0\r\n" + fields.encode("latin-1") + b"\r\n"
