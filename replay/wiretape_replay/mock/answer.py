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


type Pieces = tuple[bytes, ...]


@dataclass(slots=True)
class Answer:
    """One recorded answer, ready to send."""

    sequence: int
    status: str
    data: bytes
    """Status line and headers, the size of the chunk where the body goes in one; the body if no other answer has it."""
    body: bytes = b""
    """A body that several answers have."""
    tail: bytes = b""
    """What ends a body that goes in chunks; where the body is in `data` it is there too."""
    body_at: int = 0
    """Where in `data` the body begins; 0 if it is not there."""
    stream: str = ""
    """sha256 of a body that is streamed from the tape between `head` and `tail`."""
    fault: Fault = ""
    """For an answer that never came; for one cut short, how its connection ended after its last byte."""
    duration_us: int = 0
    trailers: Headers = ()

    @property
    def pieces(self) -> Pieces:
        """What is sent at once."""
        if self.stream or not self.body:
            return (self.data,)
        return (self.data, self.body, self.tail) if self.tail else (self.data, self.body)

    def _own_body(self) -> bytes:
        return self.data[self.body_at : len(self.data) - len(self.tail)] if self.body_at else self.body

    def part(self) -> bytes:
        """Take the body out of `data`, because another answer has it too."""
        self.data, self.body, self.body_at = self.data[: self.body_at], self._own_body(), 0
        return self.body

    def response(self) -> Response | None:
        """The response again, as it would be sent. Few answers are ever changed, so that it is not kept."""
        if not self.data:
            return None
        first, *lines = self.data.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
        _, status, reason = first.split(" ", 2)
        pairs = (line.partition(": ") for line in lines)
        data = self._own_body()
        body = Body.model_construct(size=len(data), sha256="", data=None if self.stream else data)
        return Response(status=int(status), reason=reason, headers=tuple((name, value) for name, _, value in pairs),
                        body=body, trailers=self.trailers)  # fmt: skip


class AnswerBuilder:
    """Builds answers, keeping equal heads and bodies once."""

    def __init__(self) -> None:
        self._heads: dict[bytes, bytes] = {}
        self._bodies: dict[str, bytes | Answer] = {}
        """By hash; the one answer that has it until there is another."""
        self.size = 0
        """Bytes of the bodies that are kept."""

    def build(self, exchange: Exchange, limit: int) -> Answer:
        """The answer of an exchange, or how it failed; a body that would go beyond the limit is to be streamed."""
        response = exchange.response
        if response is None:
            return Answer(exchange.sequence, "", b"", fault=fault_of(exchange.error), duration_us=exchange.duration_us)
        head_only = exchange.request.method == "HEAD"
        cut_short = not response.body.complete and not head_only
        known = self._shared(response.body)
        data = b"" if head_only else known if known is not None else response.body.data
        if data is None or (known is None and self.size + len(data) > limit):
            return _streamed(exchange, response, cut_short)
        head, body, tail = render(response, data, head_only=head_only, cut_short=cut_short)
        answer = Answer(
            exchange.sequence, exchange.status, head, body, tail,
            fault=(fault_of(exchange.error) if cut_short else ""), duration_us=exchange.duration_us,
            trailers=response.trailers,
        )  # fmt: skip
        if body and known is None:
            self.size += len(body)
            answer.data, answer.body, answer.body_at = head + body + tail, b"", len(head)
            self._bodies[response.body.sha256] = answer
        else:
            answer.data = self._heads.setdefault(head, head)
        return answer

    def _shared(self, body: Body) -> bytes | None:
        """A body that came before."""
        known = self._bodies.get(body.sha256) if body.data else None
        if isinstance(known, Answer):
            known = self._bodies[body.sha256] = known.part()
        return known


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
        stream=response.body.sha256,
        tail=b"\r\n" + _last_chunk(response.trailers) if chunked and not cut_short else b"",
        fault=fault_of(exchange.error) if cut_short else "", duration_us=exchange.duration_us,
    )  # fmt: skip


def render(response: Response, data: bytes, *, head_only: bool, cut_short: bool = False,
           plain: bool = False) -> tuple[bytes, bytes, bytes]:  # fmt: skip
    """Head, body and what ends it as HTTP/1.1; `plain` avoids chunks, for a client that speaks HTTP/1.0.

    What was chunked is chunked again, in one chunk; what had neither length nor chunks gets its length.
    """
    if head_only:
        return _head(response, None), b"", b""
    if response.status in BODILESS or 100 <= response.status < 200:
        drop = () if response.status == 304 else ("content-length", "transfer-encoding")
        return _head(response, None, drop=drop), b"", b""
    if _is_chunked(response) and not plain:
        last = b"" if cut_short else _last_chunk(response.trailers)
        if not data:
            return _head(response, None) + last, b"", b""
        return _head(response, None) + b"%x\r\n" % len(data), data, b"\r\n" + last
    drop = ("transfer-encoding", "trailer") if plain else ()
    return _head(response, None if cut_short else len(data), drop=drop), data, b""


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
