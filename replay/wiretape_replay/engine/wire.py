"""A recorded request as bytes for the wire: headers as recorded, framing made true. Pure.

Recorded are order, case, duplicates and the Host header, so that an app that builds absolute URLs from Host answers
as it did. h11 writes Host first, whatever its place was; nothing else moves.
"""

from __future__ import annotations

import re

from wiretape_capture.protocols.http import header
from wiretape_capture.snapshot.exchange import Request

type RawHeaders = list[tuple[bytes, bytes]]

_UNSENDABLE = re.compile(r"[^\x21-\x7e]")


def raw_target(prefix: str, request: Request) -> bytes:
    """The request target below the base URL's path; what no request line may hold is percent-encoded."""
    target = request.target
    if target.startswith("/"):
        target = prefix + target
    return _UNSENDABLE.sub(lambda found: "".join(f"%{byte:02X}" for byte in _raw(found[0])), target).encode("ascii")


def raw_headers(request: Request, netloc: str) -> RawHeaders:
    """The headers to send; a missing Host becomes the target's own."""
    sent = [(_raw(name), _raw(value)) for name, value in request.headers if not name.startswith(":")]
    if header(request.headers, "host") is None:
        sent.insert(0, (b"Host", _raw(header(request.headers, ":authority") or netloc)))
    return _framed(sent, request)


def _framed(sent: RawHeaders, request: Request) -> RawHeaders:
    """Chunked stays chunked; otherwise the length is that of the body that is sent."""
    if header(request.headers, "transfer-encoding") is not None:
        plain = [(name, value) for name, value in sent if name.lower() != b"content-length"]
        return [(name, b"chunked" if name.lower() == b"transfer-encoding" else value) for name, value in plain]
    length = str(request.body.size).encode()
    if header(request.headers, "content-length") is None:
        return [*sent, (b"Content-Length", length)] if request.body.size else sent
    return [(name, length if name.lower() == b"content-length" else value) for name, value in sent]


def _raw(text: str) -> bytes:
    """The bytes behind latin-1 text; a value put in at replay may hold more and is then UTF-8."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode()
