"""mitmproxy's messages as ours: raw bytes in, `Request` and `Response` out. Pure; knows no connection and no clock."""

from __future__ import annotations

import re
from typing import Final

from mitmproxy import http
from mitmproxy.net.http import url

from wiretape_capture.protocols.http import header
from wiretape_capture.proxy.authority import authority, is_address
from wiretape_capture.snapshot.exchange import Body, Headers, Request, Response

PROXY_HEADERS: Final = ("proxy-connection", "proxy-authorization")
"""Sent because of the proxy, not by the app's intent (RFC 9110 §11.7.2, §7.6.1)."""
SESSION_HEADER: Final = "x-wiretape-session"
REQUEST_IDS: Final = ("x-request-id", "x-correlation-id", "x-b3-traceid")
TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")

CAUSES: Final = (
    ("upstream proxy", "the network's proxy refused the connection"),
    ("refused", "connection refused"),
    ("connect call failed", "connection refused"),
    ("reset", "connection reset"),
    ("timed out", "timed out"),
    ("name or service not known", "unknown host"),
    ("name resolution", "unknown host"),
    ("no address associated", "unknown host"),
    ("unreachable", "network unreachable"),
    ("client disconnected", "client disconnected"),
    ("server closed connection", "connection closed before the response ended"),
    ("peer closed connection", "connection closed before the response ended"),
)
"""What an error message contains, and the words for it; the first that fits wins."""


def pairs(fields: http.Headers | None) -> Headers:
    """Header or trailer fields byte by byte, in order, duplicates kept."""
    if fields is None:
        return ()
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in fields.fields)


def request_headers(request: http.Request) -> Headers:
    """A request's fields; HTTP/2's `:authority` stands in front as `host` (RFC 9113 §8.3.1)."""
    fields = pairs(request.headers)
    authority = request.data.authority.decode("latin-1")
    if request.is_http2 and authority and header(fields, "host") is None:
        return (("host", authority), *fields)
    return fields


def recorded_request(request: http.Request, headers: Headers, body: Body) -> Request:
    """The request as the app sent it; `headers` were copied before mitmproxy changed any."""
    return Request(
        method=request.data.method.decode("latin-1"),
        target=request.data.path.decode("latin-1"),
        version=version(request.data.http_version),
        headers=headers,
        body=body,
        trailers=pairs(request.trailers),
    )


def recorded_response(response: http.Response, body: Body) -> Response:
    """The response as the service sent it."""
    return Response(
        status=response.data.status_code,
        reason=response.data.reason.decode("latin-1"),
        version=version(response.data.http_version),
        headers=pairs(response.headers),
        body=body,
        trailers=pairs(response.trailers),
    )


def version(raw: bytes) -> str:
    """`HTTP/2.0` is mitmproxy's name for what RFC 9113 calls HTTP/2."""
    return "HTTP/2" if raw == b"HTTP/2.0" else raw.decode("latin-1")


def named_authority(host: str, port: int, headers: Headers) -> str:
    """A service by the name the app used: SOCKS clients often resolve it themselves and ask for an address."""
    said = header(headers, "host")
    if said is None or not is_address(host):
        return authority(host, port)
    try:
        name, said_port = url.parse_authority(said, check=True)
    except ValueError:
        return authority(host, port)
    return authority(name, port) if said_port in (None, port) else authority(host, port)


def trace(headers: Headers) -> str:
    """The W3C trace id (https://www.w3.org/TR/trace-context/), else the request id, else nothing."""
    parent = TRACEPARENT.fullmatch((header(headers, "traceparent") or "").strip())
    if parent is not None:
        return parent[1]
    return next((value for name in REQUEST_IDS if (value := header(headers, name))), "")


def cause(message: str) -> str:
    """Why an exchange is incomplete, in words that do not change with the event loop or the library."""
    lowered = message.lower()
    return next((words for part, words in CAUSES if part in lowered), lowered[:200])
