"""One exchange as one row of the tape and back, with the digest that proves the row; knows no file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import orjson

from wiretape_capture.snapshot.bodies import body_of
from wiretape_capture.snapshot.exchange import Body, Exchange, Headers, StreamMessage

type Value = str | int | None
type LoadBody = Callable[[int, str, bool], dict[str, Any]]
"""Size, SHA-256 and completeness of a body as stored, to the fields of the body that the reader was asked to load."""

COLUMNS = (
    "sequence", "direction", "protocol", "scheme", "service", "command", "location", "status", "started_ns",
    "duration_us", "connection", "session", "trace", "error",
    "request_method", "request_target", "request_version", "request_headers", "request_trailers",
    "request_size", "request_sha256", "request_complete",
    "response_status", "response_reason", "response_version", "response_headers", "response_trailers",
    "response_size", "response_sha256", "response_complete", "stream",
)  # fmt: skip
"""The columns in the order in which they enter the digest."""
INT64 = 1 << 63
_PLAIN = COLUMNS[: COLUMNS.index("request_method")]
_NONE = "[]"
"""No header, no trailer, no message."""


def named(body: Body) -> Body:
    """The body with the size and hash of its own data, whatever its maker wrote there."""
    if body.data is None:
        return body
    name = body_of(body.data, complete=body.complete)
    return body if (body.size, body.sha256) == (name.size, name.sha256) else name


def with_named_bodies(exchange: Exchange) -> Exchange:
    """The exchange with every loaded body named by its content."""
    if all(named(body) is body for body in bodies(exchange)):
        return exchange
    response = exchange.response
    return exchange.model_copy(update={
        "request": exchange.request.model_copy(update={"body": named(exchange.request.body)}),
        "response": response and response.model_copy(update={"body": named(response.body)}),
        "stream": tuple(message.model_copy(update={"body": named(message.body)}) for message in exchange.stream),
    })  # fmt: skip


def bodies(exchange: Exchange) -> Iterable[Body]:
    """Every body of an exchange."""
    yield exchange.request.body
    if exchange.response is not None:
        yield exchange.response.body
    for message in exchange.stream:
        yield message.body


def bytes_held(exchange: Exchange) -> int:
    """Bytes of the bodies that are loaded."""
    size = len(exchange.request.body.data or b"")
    if exchange.response is not None:
        size += len(exchange.response.body.data or b"")
    for message in exchange.stream:
        size += len(message.body.data or b"")
    return size


def to_row(exchange: Exchange) -> tuple[Value, ...]:
    """The values of `COLUMNS` followed by their digest. Raises ValueError or TypeError for what SQLite cannot hold."""
    e, q, a = exchange, exchange.request, exchange.response
    head: tuple[Value, ...] = (
        e.sequence, e.direction.value, e.protocol.value, e.scheme, e.service, e.command, e.location, e.status,
        e.started_ns, e.duration_us, e.connection, e.session, e.trace, e.error,
        q.method, q.target, q.version, _pairs(q.headers), _pairs(q.trailers),
        q.body.size, q.body.sha256, int(q.body.complete),
    )  # fmt: skip
    answer: tuple[Value, ...] = (None,) * 8 if a is None else (
        a.status, a.reason, a.version, _pairs(a.headers), _pairs(a.trailers),
        a.body.size, a.body.sha256, int(a.body.complete),
    )  # fmt: skip
    numbers: tuple[int, ...] = (e.sequence, e.started_ns, e.duration_us, q.body.size)
    if a is not None:
        numbers += (a.status, a.body.size)
    if not -INT64 <= min(numbers) <= max(numbers) < INT64:
        raise ValueError("a number has more than 64 bits")
    values = (*head, *answer, _stream(e.stream))
    return (*values, digest(values))


def digest(values: Iterable[Value]) -> str:
    """SHA-256 over the row as a compact JSON array: what the snapshot's content hash is made of."""
    return hashlib.sha256(orjson.dumps(tuple(values))).hexdigest()


def intact(row: Mapping[str, Value]) -> bool:
    """Whether a row still is what was written."""
    return digest(row[name] for name in COLUMNS) == row["digest"]


def body_names(row: Mapping[str, Value]) -> Iterable[tuple[int, str]]:
    """Size and SHA-256 of every body that a row refers to."""
    for side in ("request", "response"):
        if row[f"{side}_sha256"] is not None:
            yield int(row[f"{side}_size"] or 0), str(row[f"{side}_sha256"])
    for _, _, _, size, sha256, _ in orjson.loads(str(row["stream"])):
        yield size, sha256


def from_row(row: Mapping[str, Any], load: LoadBody) -> Exchange:
    """The exchange of an intact row, validated as a whole and not model by model, which costs more."""
    return Exchange.model_validate({
        **{name: row[name] for name in _PLAIN},
        "request": _message(row, "request", load) | {"method": row["request_method"], "target": row["request_target"]},
        "response": None if row["response_status"] is None else _message(row, "response", load)
        | {"status": row["response_status"], "reason": row["response_reason"]},
        "stream": [
            {"from_client": sender, "offset_us": offset, "kind": kind, "body": load(size, sha256, complete)}
            for sender, offset, kind, size, sha256, complete in orjson.loads(row["stream"])
        ],
    })  # fmt: skip


def _message(row: Mapping[str, Any], side: str, load: LoadBody) -> dict[str, Any]:
    return {
        "version": row[f"{side}_version"],
        "headers": orjson.loads(row[f"{side}_headers"]),
        "trailers": orjson.loads(row[f"{side}_trailers"]),
        "body": load(row[f"{side}_size"], row[f"{side}_sha256"], bool(row[f"{side}_complete"])),
    }


def _pairs(headers: Headers) -> str:
    return orjson.dumps(headers).decode() if headers else _NONE


def _stream(messages: Sequence[StreamMessage]) -> str:
    return _NONE if not messages else orjson.dumps([
        (m.from_client, m.offset_us, m.kind, m.body.size, m.body.sha256, m.body.complete) for m in messages
    ]).decode()  # fmt: skip
