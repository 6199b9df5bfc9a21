"""One exchange of which the tee told, and its heads as ours. Pure.

Heads that came before are not taken apart again, nor are lines of other heads.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from wiretape_capture.protocols.http import header
from wiretape_capture.proxy.body_tap import BodyTap
from wiretape_capture.proxy.known import KNOWN_BYTES, Known
from wiretape_capture.proxy.listening import Listening
from wiretape_capture.proxy.order import Ticket
from wiretape_capture.proxy.translate import REQUEST_IDS, SESSION_HEADER, named_authority, trace
from wiretape_capture.snapshot.bodies import EMPTY
from wiretape_capture.snapshot.exchange import Body, Headers, Request, Response
from wiretape_capture.tee.records import Begin
from wiretape_capture.tee.route import split

MARKS = frozenset({SESSION_HEADER, "traceparent", *REQUEST_IDS})
KNOWN_LINES = 1024
KNOWN_SERVICES = 64


class Asked(NamedTuple):
    """What the beginning of an exchange says; exchanges that begin alike share one."""

    place: int
    """Index of the listener."""
    scheme: str
    service: str
    """The service by the name that the app used."""
    session: str
    trace: str
    request: Request
    """As the service got it, without its body and trailers."""


class Answered(NamedTuple):
    """The head of a response; responses whose heads are alike share one."""

    status: int
    reason: str
    version: str
    headers: Headers


class Copied:
    """One exchange in progress. What few exchanges have is said by the class, where it costs them nothing."""

    ended = 0
    request_done = False
    response_done = False
    request_tap: BodyTap | None = None
    response_tap: BodyTap | None = None
    response_whole = b""
    """The body of a response that came at once."""
    response_head = b""
    request_trailers = b""
    response_trailers = b""
    error = ""

    def __init__(self, number: int, ticket: Ticket, listening: Listening, connection: str, asked: Asked,
                 begun: int) -> None:  # fmt: skip
        self.number = number
        self.ticket = ticket
        self.listening = listening
        self.connection = connection
        self.asked = asked
        self.begun = begun
        """Monotonic nanoseconds at which the request was sent on."""

    @property
    def small(self) -> bool:
        """Whether both bodies are in memory."""
        request, response = self.request_tap, self.response_tap
        return (request is None or request.small) and (response is None or response.small)


def asked_of(begin: Begin) -> Asked:
    """The beginning of an exchange as ours."""
    line, headers = _taken_apart(begin.head)
    method, target, version = line.split(" ")
    session, trace = marks_of(headers)
    request = Request.made(method=method, target=target, version=version, headers=headers, body=EMPTY, trailers=())
    scheme = "https" if begin.secure else "http"
    return Asked(begin.place, scheme, _service_of(begin.authority, header(headers, "host")), session, trace, request)


def request_of(copied: Copied, body: Body) -> Request:
    """The request as the service got it."""
    request = copied.asked.request
    if body is EMPTY and not copied.request_trailers:
        return request
    return Request.made(
        method=request.method, target=request.target, version=request.version, headers=request.headers, body=body,
        trailers=trailer_fields(copied.request_trailers) if copied.request_trailers else (),
    )  # fmt: skip


_answered: Known[Answered] = Known()


def response_of(copied: Copied, body: Body) -> Response:
    """The response as the service sent it."""
    head = copied.response_head
    answered = _answered.get(head) or _answered.remember(head, answered_of(head))
    return Response.made(
        status=answered.status, reason=answered.reason, version=answered.version, headers=answered.headers, body=body,
        trailers=trailer_fields(copied.response_trailers) if copied.response_trailers else (),
    )  # fmt: skip


def answered_of(head: bytes) -> Answered:
    """The head of a response as ours."""
    line, headers = _taken_apart(head)
    version, _, rest = line.partition(" ")
    status, _, reason = rest.partition(" ")
    return Answered(int(status), reason, version, headers)


def _taken_apart(head: bytes) -> tuple[str, Headers]:
    """The first line of a head and its fields byte by byte, in order, duplicates kept."""
    text = head.decode("latin-1")
    first, *lines = text.split("\r\n")[:-2]
    if len(head) > KNOWN_BYTES or "\r\n " in text or "\r\n\t" in text:
        return first, _pairs(lines)
    return first, tuple(map(_known_pair, lines))


def trailer_fields(lines: bytes) -> Headers:
    """The same of trailer lines."""
    return _pairs([line.removesuffix("\r") for line in lines.decode("latin-1").split("\n") if line])


def _pairs(lines: list[str]) -> Headers:
    pairs: list[tuple[str, str]] = []
    for line in lines:
        if line[:1] in (" ", "\t") and pairs:  # obsolete line folding (RFC 9112 §5.2)
            pairs[-1] = (pairs[-1][0], f"{pairs[-1][1]}\r\n {line.strip(' \t')}")
        else:
            pairs.append(_pair(line))
    return tuple(pairs)


def _pair(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name, value.strip(" \t")


# Of a head that is new most lines are not.
_known_pair = lru_cache(KNOWN_LINES)(_pair)


def marks_of(headers: Headers) -> tuple[str, str]:
    """Session and trace that a request names."""
    marks = tuple([pair for pair in headers if pair[0].lower() in MARKS])
    return (header(marks, SESSION_HEADER) or "", trace(marks)) if marks else ("", "")


@lru_cache(KNOWN_SERVICES)
def _service_of(authority: str, said: str | None) -> str:
    """The service by the name that the app used; `said` is the request's Host."""
    place = split(authority, 0)
    return authority if place is None else named_authority(*place, () if said is None else (("host", said),))
