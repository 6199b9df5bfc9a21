"""A request as the bytes of one HTTP/1.1 message. Pure; what was recorded over HTTP/2 is sent as HTTP/1.1 too."""

from __future__ import annotations

from wiretape_capture.protocols.http import header
from wiretape_capture.snapshot.exchange import Request
from wiretape_replay.engine.wire import raw_headers, raw_target


def wire_bytes(request: Request, prefix: str, netloc: str) -> bytes:
    """The whole message; `prefix` is the path of the base URL, `netloc` the target's own Host."""
    lines = [b"%b %b HTTP/1.1" % (request.method.encode("latin-1"), raw_target(prefix, request))]
    lines += [b"%b: %b" % pair for pair in raw_headers(request, netloc)]
    body = request.body.data or b""
    if header(request.headers, "transfer-encoding") is not None:
        body = (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + b"0\r\n\r\n"
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
