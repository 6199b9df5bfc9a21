"""An exchange as a person reads it: heads as sent, bodies decoded and pretty, control characters made visible. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from wiretape_capture.protocols.http import decode_content, is_json, is_text, media_type
from wiretape_capture.snapshot.exchange import Body, Exchange, Headers, Request, Response
from wiretape_server.cli.table import visible

BODY_LIMIT = 64 * 1024
"""Characters of one body that are shown; `--raw` writes all of them."""


def exchange_lines(exchange: Exchange) -> Iterator[str]:
    """The whole exchange: what it was, the request, the response, messages of a stream."""
    yield (f"# exchange {exchange.sequence}: {exchange.direction} {exchange.protocol}, {visible(exchange.service)}, "
           f"{exchange.duration_us / 1000:.1f} ms")  # fmt: skip
    if exchange.error:
        yield f"# incomplete: {visible(exchange.error)}"
    yield ""
    yield from request_lines(exchange.request)
    yield ""
    if exchange.response is None:
        yield "# no response"
    else:
        yield from response_lines(exchange.response)
    for message in exchange.stream:
        arrow = "->" if message.from_client else "<-"
        yield ""
        yield f"# {arrow} {message.kind} after {message.offset_us / 1000:.1f} ms"
        yield from body_lines((), message.body, "text/plain" if message.kind == "text" else "")


def request_lines(request: Request) -> Iterator[str]:
    """Request line, headers, body, trailers."""
    yield visible(f"{request.method} {request.target} {request.version}")
    yield from _header_lines(request.headers)
    yield from body_lines(request.headers, request.body, media_type(request.headers))
    yield from _header_lines(request.trailers)


def response_lines(response: Response) -> Iterator[str]:
    """Status line, headers, body, trailers."""
    yield visible(f"{response.version} {response.status} {response.reason}".rstrip())
    yield from _header_lines(response.headers)
    yield from body_lines(response.headers, response.body, media_type(response.headers))
    yield from _header_lines(response.trailers)


def body_lines(headers: Headers, body: Body, media: str) -> Iterator[str]:
    """The body as text where it is text, otherwise one line that says what it is."""
    if body.size == 0 and body.complete:
        return
    yield ""
    text = _text(headers, body, media)
    if text is None:
        yield f"# {body.size} bytes of {media or 'unknown type'}, sha256 {body.sha256[:16]} (--raw writes them)"
    else:
        shown = text[:BODY_LIMIT]
        yield from (visible(line.replace("\t", "    ")) for line in shown.splitlines())
        if len(text) > BODY_LIMIT:
            yield f"# {len(text) - BODY_LIMIT} more characters (--raw writes all)"
    if not body.complete:
        yield "# the peer went away before the body ended"


def raw_bytes(exchange: Exchange) -> bytes:
    """Request and response as they crossed the wire, transfer framing removed."""
    request, response = exchange.request, exchange.response
    head = f"{request.method} {request.target} {request.version}"
    wire = _message(head, request.headers, request.body, request.trailers)
    if response is not None:
        head = f"{response.version} {response.status} {response.reason}".rstrip()
        wire += b"\r\n" + _message(head, response.headers, response.body, response.trailers)
    return wire + b"".join(message.body.data or b"" for message in exchange.stream)


def _message(first: str, headers: Headers, body: Body, trailers: Headers) -> bytes:
    head = "".join(f"{line}\r\n" for line in (first, *_header_lines(headers, raw=True)))
    tail = "".join(f"{line}\r\n" for line in _header_lines(trailers, raw=True))
    return head.encode("latin-1") + b"\r\n" + (body.data or b"") + b"\r\n" + tail.encode("latin-1")


def _header_lines(headers: Headers, *, raw: bool = False) -> Iterator[str]:
    for name, value in headers:
        line = f"{name}: {value}"
        yield line if raw else visible(line)


def _text(headers: Headers, body: Body, media: str) -> str | None:
    """Decoded text, JSON indented; None where the body is not text."""
    if body.data is None:
        return None
    try:
        data = decode_content(headers, body.data)
    except ValueError:
        return None
    if media and not is_text(media) and not is_json(media):
        return None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1") if is_text(media) else None
    return _indented(text) if is_json(media) else text


_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[^\s\[\]{},:"]+|[\[\]{},:]')


def _indented(text: str) -> str:
    """JSON laid out with two spaces a level, every token as it was sent; other text stays as it is."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return text
    laid_out, depth, previous = "", 0, ""
    for token in _TOKEN.findall(text):
        if token in "]}":
            depth -= 1
            laid_out += "" if previous in ("[", "{") else "\n" + "  " * depth
        elif previous in ("[", "{", ","):
            laid_out += "\n" + "  " * depth
        laid_out += ": " if token == ":" else token
        depth += token in ("[", "{")
        previous = token
    return laid_out
