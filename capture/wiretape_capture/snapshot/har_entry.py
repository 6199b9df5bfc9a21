"""One exchange as one entry of an HTTP Archive and back. Pure: bodies come and go with the exchange.

HAR shows bodies decoded; raw bytes are added under `_wiretape` where that loses any.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pydantic import JsonValue

from wiretape_capture.protocols.http import decode_content, is_text, media_type, split_target
from wiretape_capture.snapshot import portable
from wiretape_capture.snapshot.bodies import body_of
from wiretape_capture.snapshot.exchange import Body, Direction, Exchange, Headers, Request, Response, StreamMessage
from wiretape_capture.snapshot.har_foreign import ForeignEntry, foreign_exchange
from wiretape_capture.snapshot.har_model import HarEntry, HarOwn, HarPair, HarPostData, HarSide
from wiretape_capture.snapshot.portable import unbase64


def entry_of(exchange: Exchange) -> dict[str, JsonValue]:
    """One exchange, its bodies loaded, as a HAR entry."""
    milliseconds = exchange.duration_us / 1000
    entry: dict[str, Any] = {
        "startedDateTime": datetime.fromtimestamp(exchange.started_ns // 1_000_000 / 1000, UTC).isoformat(),
        "time": milliseconds,
        "request": _har_request(exchange),
        "response": _har_response(exchange.response),
        "cache": {},
        "timings": {"send": 0, "wait": milliseconds, "receive": 0},
        "connection": exchange.connection,
        "_wiretape": _own_of(exchange),
    }
    return entry


def exchange_of(entry: HarEntry, number: int, direction: Direction) -> ForeignEntry:
    """The exchange of an entry, or None with a note. Raises ValueError for what cannot be one."""
    if entry.own is None:
        return foreign_exchange(entry, number, direction, started_ns(entry))
    own = entry.own
    origin = _origin(str(own.facts.get("scheme", "http")), str(own.facts.get("service", "")))
    if not entry.request.url.startswith(origin):
        raise ValueError(f"request.url does not begin with {origin}, its _wiretape.facts say so")
    post = entry.request.post or HarPostData()
    request = Request(
        method=entry.request.method, target=entry.request.url.removeprefix(origin), version=entry.request.version,
        headers=_pairs(entry.request.headers), trailers=own.request.trailers,
        body=_own_body(own.request, post.text, post.encoding),
    )  # fmt: skip
    answer, content = entry.response, entry.response.content
    response = None if not own.response.answered else Response(
        status=answer.status, reason=answer.reason, version=answer.version, headers=_pairs(answer.headers),
        trailers=own.response.trailers, body=_own_body(own.response, content.text, content.encoding),
    )  # fmt: skip
    stream: list[StreamMessage] = [portable.stream_message(item) for item in own.stream]
    return portable.exchange_of(own.facts, request, response, stream), ()


def _har_request(exchange: Exchange) -> dict[str, JsonValue]:
    request = exchange.request
    _, query = split_target(request.target)
    entry: dict[str, JsonValue] = {
        "method": request.method, "url": _origin(exchange.scheme, exchange.service) + request.target,
        "httpVersion": request.version, "cookies": [], "headers": _har_headers(request.headers),
        "queryString": [{"name": name, "value": value} for name, value in query],
        "headersSize": -1, "bodySize": request.body.size,
    }  # fmt: skip
    if request.body.size:
        shown = _shown(request.headers, request.body)
        entry["postData"] = {"mimeType": media_type(request.headers), "params": [], **_text(request.headers, shown)}
    return entry


def _har_response(response: Response | None) -> dict[str, JsonValue]:
    answer = response or Response(status=0, version="")
    shown = _shown(answer.headers, answer.body)
    content: dict[str, JsonValue] = {"size": len(shown), "mimeType": media_type(answer.headers)}
    return {
        "status": answer.status, "statusText": answer.reason, "httpVersion": answer.version, "cookies": [],
        "headers": _har_headers(answer.headers), "content": content | _text(answer.headers, shown),
        "redirectURL": "", "headersSize": -1, "bodySize": answer.body.size,
    }  # fmt: skip


def _own_of(exchange: Exchange) -> dict[str, JsonValue]:
    request, response = exchange.request, exchange.response
    own = HarOwn(
        facts=portable.facts(exchange),
        request=_side(request.headers, request.trailers, request.body),
        response=HarSide(answered=False) if response is None
        else _side(response.headers, response.trailers, response.body),
        stream=tuple(portable.stream_item(message, message.body.data or b"") for message in exchange.stream),
    )  # fmt: skip
    dumped: dict[str, JsonValue] = own.model_dump(mode="json", exclude_defaults=True)
    return dumped


def _side(headers: Headers, trailers: Headers, body: Body) -> HarSide:
    raw = None if _shown(headers, body) == body.data else portable.base64_text(body.data or b"")
    return HarSide(trailers=trailers, complete=body.complete, body=raw)


def _own_body(side: HarSide, text: str | None, encoding: str | None) -> Body:
    if side.body is not None:
        return body_of(unbase64(side.body), complete=side.complete)
    data = unbase64(text or "") if encoding == "base64" else (text or "").encode()
    return body_of(data, complete=side.complete)


def _shown(headers: Headers, body: Body) -> bytes:
    data = body.data or b""
    try:
        return decode_content(headers, data)
    except ValueError:
        return data


def _text(headers: Headers, data: bytes) -> dict[str, JsonValue]:
    """HAR's `text` and `encoding`; base64 also for UTF-8 that claims not to be text."""
    item = portable.bytes_item(data)
    if "text" in item and (is_text(media_type(headers)) or not media_type(headers)):
        return {"text": item["text"]}
    return {"text": portable.base64_text(data), "encoding": "base64"}


def _origin(scheme: str, service: str) -> str:
    return f"{scheme}://{service}"


def _har_headers(headers: Headers) -> list[JsonValue]:
    return [{"name": name, "value": value} for name, value in headers]


def _pairs(headers: tuple[HarPair, ...]) -> Headers:
    return tuple((pair.name, pair.value) for pair in headers)


def started_ns(entry: HarEntry) -> int:
    """Nanoseconds since the epoch; 0 for a time that nobody can read."""
    try:
        moment = datetime.fromisoformat(entry.started)
    except ValueError:
        return 0
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0, int(moment.timestamp() * 1000)) * 1_000_000
