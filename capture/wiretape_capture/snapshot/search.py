"""Which exchanges a reader wants: the filters of `show` and `search_exchanges`, and their SQL. Runs no query."""

from __future__ import annotations

import re

from pydantic import Field, field_validator

from wiretape_capture.errors import UsageError
from wiretape_capture.protocols.http import decode_content
from wiretape_capture.snapshot.exchange import Body, Direction, Exchange, Headers, Model

_OF_HTTP = re.compile(r"none|\d{3}|\dxx", re.IGNORECASE)
_OF_DATABASES = re.compile(r"(?=.*\d)[0-9A-Za-z]{5}|[A-Z][A-Za-z]+|ok|nil|unacknowledged")
"""SQLSTATEs, first words of Redis's errors, and names of MongoDB's."""


class Query(Model):
    """Filters that all must hold; an absent one holds for every exchange.

    `service` and `path` match a part of the value, or the whole of it when they hold a `*`.
    """

    direction: Direction | None = None
    service: str | None = None
    command: str | None = None
    """Method or statement kind, in any case."""
    path: str | None = None
    status: str | None = None
    """`404`, `5xx`, a database's such as `23505` or `WRONGTYPE`, or `none` for exchanges without a response."""
    text: str | None = None
    """Found in any case in the target, a header, the error or a body (decoded, its first mebibyte)."""
    since_ns: int | None = None
    """Started at or after this time, nanoseconds since the Unix epoch."""
    after_sequence: int | None = None
    limit: int | None = Field(default=None, ge=0)

    @field_validator("status")
    @classmethod
    def _known_status(cls, status: str | None) -> str | None:
        if status is None or _OF_HTTP.fullmatch(status):
            return status and status.lower()
        if not _OF_DATABASES.fullmatch(status):
            hint = "write one like 404, a class like 5xx, a database's like 23505 or WRONGTYPE, or none"
            raise UsageError(f"'{status}' is not a status", hint)
        return status


type Condition = tuple[str, tuple[str | int, ...]]
"""SQL that may follow WHERE, and its parameters."""


def where(query: Query) -> Condition:
    """The filters that the row's own columns decide: all but `text` and `limit`."""
    parts = [
        ("direction = ?", query.direction and query.direction.value),
        ("lower(service) GLOB ?", query.service and _glob(query.service.lower())),
        ("upper(command) = ?", query.command and query.command.upper()),
        ("instr(location, ?)", query.path and max(query.path.split("*"), key=len)),  # quick, and GLOB decides
        (_PATH + " GLOB ?", query.path and _glob(query.path)),
        ("upper(status) GLOB ?", query.status and _status(query.status)),
        ("started_ns >= ?", query.since_ns),
        ("sequence > ?", query.after_sequence),
    ]
    used = [(sql, value) for sql, value in parts if value is not None and value != ""]
    if query.status == "none":
        used.append(("status = ?", ""))
    return " AND ".join(sql for sql, _ in used) or "1", tuple(value for _, value in used)


_PATH = "substr(location, 1, instr(location || '?', '?') - 1)"


def _glob(text: str) -> str:
    escaped = re.sub(r"[\[?]", lambda found: f"[{found[0]}]", text)
    return escaped if "*" in escaped else f"*{escaped}*"


def _status(status: str) -> str:
    if status == "none":
        return ""
    return f"{status[0]}[0-9][0-9]" if re.fullmatch(r"\dxx", status) else status.upper()


def holds_text(exchange: Exchange, text: str) -> bool:
    """Whether `text` occurs in any case in the exchange's target, headers, error or loaded bodies."""
    needle = text.lower()
    heads = [exchange.location, exchange.error, *_lines(exchange.request.headers)]
    bodies = [_decoded(exchange.request.headers, exchange.request.body)]
    if exchange.response is not None:
        heads += _lines(exchange.response.headers)
        bodies.append(_decoded(exchange.response.headers, exchange.response.body))
    bodies += [message.body.data or b"" for message in exchange.stream]
    if needle in "\n".join(heads).lower():
        return True
    return any(needle in body.decode("utf-8", "replace").lower() for body in bodies)


def _lines(headers: Headers) -> list[str]:
    return [f"{name}: {value}" for name, value in headers]


def _decoded(headers: Headers, body: Body) -> bytes:
    data = body.data or b""
    try:
        return decode_content(headers, data)
    except ValueError:
        return data
