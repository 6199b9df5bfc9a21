"""Bytes of one connection into whole HTTP/1 requests, within bounds (RFC 9112). It answers and opens nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import httptools

from wiretape_capture.snapshot.exchange import Body, Headers
from wiretape_replay.match.content import BODY_LIMIT

HEAD_LIMIT = 256 * 1024
"""Bytes of a request line with its headers."""
HEADER_LIMIT = 1_000
"""Header lines of one request."""
EMPTY = Body()


class BadRequest(Exception):
    """Bytes that make no request, with the status that says so."""

    def __init__(self, status: int, problem: str) -> None:
        super().__init__(problem)
        self.status = status
        self.problem = problem


@dataclass(slots=True)
class Head:
    """A request's line and headers."""

    method: str
    target: str
    headers: Headers
    names: frozenset[str]
    """Names of the headers in lower case."""
    minor: int
    """1 for HTTP/1.1, 0 for HTTP/1.0."""
    keep_alive: bool


@dataclass(slots=True)
class Incoming:
    """One whole live request. A body above `BODY_LIMIT` is only its size and hash."""

    head: Head
    body: Body


class RequestReader:
    """A sans-I/O parser of one connection: `feed` calls back for every head, body piece and end."""

    def __init__(self, on_head: Callable[[Head], bool], on_piece: Callable[[bytes], None],
                 on_end: Callable[[Incoming | None], None]) -> None:  # fmt: skip
        self._on_head = on_head
        self._on_piece = on_piece
        self._on_end = on_end
        self._parser = httptools.HttpRequestParser(self)
        self._begin()

    def feed(self, data: bytes) -> bytes:
        """Parse more bytes. Returns what follows a CONNECT request, to be read as something else."""
        self._fed += len(data)
        while True:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                rest = data[upgrade.args[0] :]
                connect = self._connect
                # An offer to upgrade (Java offers h2c on every request) is declined by going on with HTTP/1.1.
                self._parser = httptools.HttpRequestParser(self)
                if connect or not rest:
                    return rest
                data = rest
                continue
            except httptools.HttpParserCallbackError as error:
                if isinstance(error.__context__, BadRequest):
                    raise error.__context__ from None
                raise
            except httptools.HttpParserError as error:
                raise BadRequest(400, f"this is no HTTP/1.1 request: {_reason(error)}") from None
            break
        if self.within == "head" and self._fed > HEAD_LIMIT:
            raise BadRequest(431, f"the request's head is larger than {HEAD_LIMIT} bytes")
        return b""

    def _begin(self) -> None:
        self.within = ""
        """`head` or `body` inside of a request, empty between two."""
        self._fed = 0
        self._connect = False
        self._url: list[bytes] = []
        self._headers: list[tuple[bytes, bytes]] = []
        self._pieces: list[bytes] = []
        self._size = 0
        self._hash: hashlib._Hash | None = None
        self._relayed = False
        self._head: Head | None = None

    def on_message_begin(self) -> None:
        """httptools: a request line begins."""
        self._begin()
        self.within = "head"

    def on_url(self, url: bytes) -> None:
        """httptools: a piece of the target."""
        self._url.append(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """httptools: one header line, or a trailer once the body has begun."""
        if self.within == "head":
            self._headers.append((name, value))
            if len(self._headers) > HEADER_LIMIT:
                raise BadRequest(431, f"the request has more than {HEADER_LIMIT} header lines")

    def on_headers_complete(self) -> None:
        """httptools: the head is whole."""
        self.within = "body"
        parser = self._parser
        url = b"".join(self._url)
        if len(url) + sum(len(name) + len(value) for name, value in self._headers) > HEAD_LIMIT:
            raise BadRequest(431, f"the request's head is larger than {HEAD_LIMIT} bytes")
        method = parser.get_method().decode("latin-1")
        version = parser.get_http_version()
        if not version.startswith("1."):
            raise BadRequest(505, f"HTTP/{version} is not spoken here")
        self._connect = method == "CONNECT"
        headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in self._headers)
        names = frozenset([name.lower() for name, _ in headers])
        minor = int(version[2:] or 0)
        self._head = Head(method, url.decode("latin-1"), headers, names, minor, parser.should_keep_alive())
        self._relayed = self._on_head(self._head)

    def on_body(self, data: bytes) -> None:
        """httptools: a piece of the body, transfer framing removed."""
        if self._relayed:
            self._on_piece(data)
            return
        self._size += len(data)
        if self._hash is not None:
            self._hash.update(data)
            return
        self._pieces.append(data)
        if self._size > BODY_LIMIT:
            self._hash = hashlib.sha256(b"".join(self._pieces))
            self._pieces.clear()

    def on_message_complete(self) -> None:
        """httptools: the request is whole."""
        assert self._head is not None
        self.within = ""
        self._on_end(None if self._relayed else Incoming(self._head, self._body()))

    def _body(self) -> Body:
        if self._hash is not None:
            return Body.model_construct(size=self._size, sha256=self._hash.hexdigest(), data=None)
        if not self._size:
            return EMPTY
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        # The hash of a small body is only wanted by the journal, which computes it off this path.
        return Body.model_construct(size=self._size, sha256="", data=data)


def _reason(error: Exception) -> str:
    return str(error).lower() or "malformed"
