"""One exchange of which the tee told, and its heads as ours. Pure.

Heads that came before are not taken apart again.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from wiretape_capture.protocols.http import header
from wiretape_capture.proxy.body_tap import BodyTap
from wiretape_capture.proxy.listening import Listening
from wiretape_capture.proxy.order import Ticket
from wiretape_capture.proxy.translate import REQUEST_IDS, SESSION_HEADER, named_authority, trace
from wiretape_capture.snapshot.exchange import Body, Headers, Request, Response
from wiretape_capture.tee.records import Begin
from wiretape_capture.tee.route import KNOWN_HEAD, split

MARKS = frozenset({SESSION_HEADER, "traceparent", *REQUEST_IDS})


@dataclass(slots=True)
class Copied:
    """One exchange in progress."""

    number: int
    ticket: Ticket
    listening: Listening
    connection: str
    begin: Begin
    begun: int
    """Monotonic nanoseconds at which the request was sent on."""
    ended: int = 0
    request_done: bool = False
    response_done: bool = False
    request_tap: BodyTap | None = None
    response_tap: BodyTap | None = None
    response_whole: bytes = b""
    """The body of a response that came at once."""
    response_head: bytes = b""
    request_trailers: bytes = b""
    response_trailers: bytes = b""
    error: str = ""

    @property
    def small(self) -> bool:
        """Whether both bodies are in memory."""
        return all(tap is None or tap.small for tap in (self.request_tap, self.response_tap))


def fields(head: bytes) -> Headers:
    """The fields of a head byte by byte, in order, duplicates kept."""
    return _known_fields(head) if len(head) <= KNOWN_HEAD else _fields(head)


@lru_cache(512)
def _known_fields(head: bytes) -> Headers:
    return _fields(head)


def _fields(head: bytes) -> Headers:
    return _pairs(head.decode("latin-1").split("\r\n")[1:-2])


def trailer_fields(lines: bytes) -> Headers:
    """The same of trailer lines."""
    return _pairs([line.removesuffix("\r") for line in lines.decode("latin-1").split("\n") if line])


def _pairs(lines: list[str]) -> Headers:
    pairs: list[tuple[str, str]] = []
    for line in lines:
        if line[:1] in (" ", "\t") and pairs:  # obsolete line folding (RFC 9112 §5.2)
            pairs[-1] = (pairs[-1][0], f"{pairs[-1][1]}\r\n {line.strip(' \t')}")
            continue
        name, _, value = line.partition(":")
        pairs.append((name, value.strip(" \t")))
    return tuple(pairs)


def request_of(copied: Copied, headers: Headers, body: Body) -> Request:
    """The request as the service got it."""
    line = copied.begin.head[: copied.begin.head.index(b"\r\n")].decode("latin-1")
    method, target, version = line.split(" ")
    return Request(
        method=method, target=target, version=version, headers=headers, body=body,
        trailers=trailer_fields(copied.request_trailers) if copied.request_trailers else (),
    )  # fmt: skip


def response_of(copied: Copied, body: Body) -> Response:
    """The response as the service sent it."""
    line = copied.response_head[: copied.response_head.index(b"\r\n")].decode("latin-1")
    version, _, rest = line.partition(" ")
    status, _, reason = rest.partition(" ")
    return Response(
        status=int(status), reason=reason, version=version, headers=fields(copied.response_head), body=body,
        trailers=trailer_fields(copied.response_trailers) if copied.response_trailers else (),
    )  # fmt: skip


def marks_of(headers: Headers) -> tuple[str, str]:
    """Session and trace that a request names."""
    if MARKS.isdisjoint([name.lower() for name, _ in headers]):
        return "", ""
    return header(headers, SESSION_HEADER) or "", trace(headers)


def service_of(begin: Begin, headers: Headers) -> str:
    """The service by the name that the app used."""
    place = split(begin.authority, 0)
    return begin.authority if place is None else named_authority(*place, headers)
