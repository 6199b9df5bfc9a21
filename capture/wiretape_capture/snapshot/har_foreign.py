"""Entries of archives that wiretape did not write: browsers keep decoded bodies, so the heads are made to fit them."""

from __future__ import annotations

from urllib.parse import urlencode, urlsplit

from wiretape_capture.protocols.http import charset
from wiretape_capture.snapshot.bodies import body_of
from wiretape_capture.snapshot.exchange import (
    Body,
    Direction,
    Exchange,
    Headers,
    Protocol,
    Request,
    Response,
    StreamMessage,
)
from wiretape_capture.snapshot.har_model import HarContent, HarEntry, HarPair, HarPostData, HarSocketMessage
from wiretape_capture.snapshot.portable import unbase64

_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_VERSIONS = {"h2": "HTTP/2", "http/2.0": "HTTP/2", "http/2": "HTTP/2", "h3": "HTTP/3", "http/3.0": "HTTP/3"}
_KINDS = {1: "text", 2: "binary", 8: "close"}
_FRAMING = {"content-encoding", "transfer-encoding", "content-length"}
FORM = "application/x-www-form-urlencoded"

type ForeignEntry = tuple[Exchange | None, tuple[str, ...]]
"""The exchange, if the entry is one, and notes on what could not be imported."""


def foreign_exchange(entry: HarEntry, number: int, direction: Direction, started_ns: int) -> ForeignEntry:
    """The exchange nearest to an entry. Raises ValueError for an entry that cannot be one."""
    url = urlsplit(entry.request.url)
    if url.scheme not in _PORTS:
        return None, (f"entries without a network URL, such as {url.scheme or 'none'}:, left out",)
    if url.hostname is None:
        raise ValueError(f"request.url '{entry.request.url[:80]}' has no host")
    request, request_notes = _request(entry, url.path + (f"?{url.query}" if url.query else ""))
    response, response_notes = _response(entry)
    status = "" if response is None else str(response.status)
    host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
    exchange = Exchange(
        sequence=number, direction=direction, protocol=Protocol.WEBSOCKET if entry.socket_messages else Protocol.HTTP,
        scheme={"ws": "http", "wss": "https"}.get(url.scheme, url.scheme),
        service=f"{host}:{url.port or _PORTS[url.scheme]}", command=request.method, location=request.target,
        status=status, started_ns=started_ns, duration_us=max(0, round((entry.time or 0) * 1000)),
        connection=entry.connection or "", request=request, response=response,
        error=(entry.response.error or "no response in the archive") if response is None else "",
        stream=tuple(_message(message, started_ns) for message in entry.socket_messages),
    )  # fmt: skip
    return exchange, request_notes + response_notes


def _request(entry: HarEntry, target: str) -> tuple[Request, tuple[str, ...]]:
    asked = entry.request
    body, notes = (body_of(b""), ()) if asked.post is None else _posted(asked.post)
    headers = _headers(asked.headers)
    if body.size:
        headers = _fitted(headers, body)
    request = Request(method=asked.method, target=target if target.startswith("/") else f"/{target}",
                      version=_version(asked.version), headers=headers, body=body)  # fmt: skip
    return request, notes


def _response(entry: HarEntry) -> tuple[Response | None, tuple[str, ...]]:
    answer = entry.response
    if answer.status <= 0:
        return None, ()
    headers = _headers(answer.headers)
    body, notes = _content(answer.content, headers, empty=entry.request.method == "HEAD" or answer.status in {204, 304})
    if body.size:
        headers = _fitted(headers, body)
    response = Response(status=answer.status, reason=answer.reason, version=_version(answer.version), headers=headers,
                        body=body)  # fmt: skip
    return response, notes


def _posted(post: HarPostData) -> tuple[Body, tuple[str, ...]]:
    if post.text is not None and post.encoding == "base64":
        return body_of(unbase64(post.text)), ()
    if post.text is not None:
        return body_of(_encoded(post.text, charset((("content-type", post.media),)))), ()
    if post.params and post.media.partition(";")[0].strip().lower() in {FORM, ""}:
        return body_of(urlencode([(pair.name, pair.value) for pair in post.params]).encode()), ()
    if post.params:
        return body_of(b"", complete=False), ("request bodies that the archive holds only as form parts",)
    return body_of(b""), ()


def _content(content: HarContent, headers: Headers, *, empty: bool) -> tuple[Body, tuple[str, ...]]:
    if content.text is None:
        if content.size > 0 and not empty:
            return body_of(b"", complete=False), ("response bodies that the archive does not hold",)
        return body_of(b""), ()
    if content.encoding == "base64":
        return body_of(unbase64(content.text)), ()
    named = charset(headers) or charset((("content-type", content.media or ""),))
    return body_of(_encoded(content.text, named)), ()


def _encoded(text: str, name: str | None) -> bytes:
    """The text in its charset; UTF-8 where that is unknown or cannot hold it."""
    try:
        return text.encode(name or "utf-8")
    except (LookupError, UnicodeError):
        return text.encode("utf-8", "replace")


def _headers(pairs: tuple[HarPair, ...]) -> Headers:
    """Without HTTP/2's pseudo headers, which browsers list among the others."""
    return tuple((pair.name, pair.value) for pair in pairs if not pair.name.startswith(":"))


def _fitted(headers: Headers, body: Body) -> Headers:
    """Without the codings that the archive has already undone, with the length that the body now has."""
    kept = tuple(pair for pair in headers if pair[0].lower() not in _FRAMING)
    return (*kept, ("Content-Length", str(body.size)))


def _version(text: str) -> str:
    known = _VERSIONS.get(text.lower(), text.upper())
    return known if known.startswith("HTTP/") else "HTTP/1.1"


def _message(message: HarSocketMessage, started_ns: int) -> StreamMessage:
    kind = _KINDS.get(message.opcode, "binary")
    data = message.data.encode() if kind == "text" else unbase64(message.data)
    offset = max(0, round(message.time * 1e6) - started_ns // 1000)
    return StreamMessage(from_client=message.type == "send", offset_us=offset, kind=kind, body=body_of(data))
