"""The exchange: one recorded request with its response. The one model that every wing shares (design §2, §4).

Header and trailer bytes are held as latin-1 text, which maps every byte to one character and back, so that
order, case, duplicates and non-ASCII bytes survive JSON.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

type Headers = tuple[tuple[str, str], ...]
"""Name and value pairs exactly as on the wire, latin-1 decoded."""


class Direction(StrEnum):
    """Seen from the app: `inbound` was sent to it, `outbound` was sent by it to a service."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


class Protocol(StrEnum):
    """What the bytes of an exchange mean."""

    HTTP = "http"
    WEBSOCKET = "websocket"
    POSTGRES = "postgres"
    REDIS = "redis"
    MYSQL = "mysql"
    MONGODB = "mongodb"

    @property
    def is_database(self) -> bool:
        """Whether its exchanges are commands for a database: their bodies are JSON documents of ours."""
        return self not in (Protocol.HTTP, Protocol.WEBSOCKET)


class Model(BaseModel):
    """Frozen, closed pydantic base: an unknown field in a file or a call is an error."""

    model_config = ConfigDict(
        defer_build=True, frozen=True, extra="forbid", ser_json_bytes="base64", val_json_bytes="base64"
    )

    @classmethod
    def made(cls, **values: Any) -> Self:
        """An instance of values that our own code has just made: every field, in its order. Nothing is checked.

        What a recorder makes for each exchange is of the right types already, and checking it was the greatest part of
        its work. Pydantic's own `model_construct` looks each field up again, which costs more than checking.
        """
        made = _new(cls)
        _set_values(made, values)
        _set_given(made, _names(cls))
        _set_extra(made, None)
        _set_private(made, None)
        return made


_new = object.__new__
# What a model consists of; its own `__setattr__` refuses, and `object`'s looks each of them up.
_set_values, _set_given, _set_extra, _set_private = (
    BaseModel.__dict__[slot].__set__
    for slot in ("__dict__", "__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__")
)


@cache
def _names(model: type[Model]) -> set[str]:
    """The fields of a model. Instances share it: they are frozen, and what copies them copies it too."""
    return set(model.model_fields)


class Body(Model):
    """Raw body bytes as they crossed the wire, content encoding kept, transfer framing removed.

    `data` is None when the body is larger than the reader was asked to load; `size` and `sha256` always hold.
    """

    size: int = 0
    sha256: str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    data: bytes | None = b""
    complete: bool = True
    """False when the peer went away before the body ended."""


class Request(Model):
    """An HTTP request head with its body (RFC 9110, RFC 9112); for a database its command, template and values."""

    method: str
    target: str
    """Request target in origin form: path and query exactly as sent, never decoded."""
    version: str = "HTTP/1.1"
    headers: Headers = ()
    body: Body = Field(default_factory=Body)
    trailers: Headers = ()


class Response(Model):
    """An HTTP response head with its body (RFC 9110, RFC 9112); for a database its results."""

    status: int
    """For a database 200, 400 for an error of the command, 500 for one of the service."""
    reason: str = ""
    version: str = "HTTP/1.1"
    headers: Headers = ()
    body: Body = Field(default_factory=Body)
    trailers: Headers = ()


class StreamMessage(Model):
    """One message inside a stream, such as a WebSocket frame."""

    from_client: bool
    offset_us: int
    """Microseconds since the exchange's start."""
    kind: str
    """The protocol's name for it: `text`, `binary`, `close`."""
    body: Body


class Exchange(Model):
    """One recorded request with its response.

    `service`, `command`, `location` and `status` are the same four words for every protocol: an HTTP exchange
    has `host:port`, method, request target and status code.
    """

    sequence: int
    """Position in the snapshot by the time the request began, from 1."""
    direction: Direction
    protocol: Protocol = Protocol.HTTP
    scheme: str = "http"
    service: str
    """The dependency's `host:port` or its `--map` name; for inbound exchanges the app's own `host:port`."""
    command: str
    location: str
    status: str = ""
    """Empty when no response came."""
    started_ns: int
    """Start of the request, nanoseconds since the Unix epoch, UTC."""
    duration_us: int
    """First request byte sent to last response byte received at the server side, monotonic microseconds."""
    connection: str = ""
    """Identity of the client's connection within the recording."""
    session: str = ""
    """Session named by the traffic itself (a header); empty where it must be inferred at load."""
    trace: str = ""
    """W3C trace id (traceparent) or request id, where one was sent."""
    error: str = ""
    """Why the exchange is incomplete: peer reset, refused, timed out; empty when it is whole."""
    request: Request
    response: Response | None = None
    stream: tuple[StreamMessage, ...] = ()


class SnapshotInfo(Model):
    """What `wiretape snapshots` lists for one tape."""

    name: str
    created_ns: int
    """When recording began, nanoseconds since the Unix epoch, UTC."""
    exchanges: int
    inbound: int
    outbound: int
    services: tuple[str, ...]
    size_bytes: int
    sha256: str
    """Content hash over the exchanges: what a verdict was made against."""
    closed: bool
    """False when the recorder was killed; the exchanges are complete up to its last second."""
    format_version: int
    app_command: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What could not be recorded, counted and named."""
