"""What the tee tells the recorder as bytes on a local socket: copies of messages with the times at which they passed.

Times are monotonic nanoseconds, which all processes of one machine share. Pure.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum
from functools import partial
from typing import NamedTuple

_RECORD = struct.Struct("<BIqI")
_BEGIN = struct.Struct("<IHBH")
_CONNECTION = struct.Struct("<I")
_HEAD = struct.Struct("<I")


class Kind(IntEnum):
    """What a record tells."""

    BEGIN = 1
    """A request's head passed: see `Begin`."""
    WHOLE = 2
    """The same, of a request without a body."""
    REQUEST_BODY = 3
    REQUEST_END = 4
    """Payload: the trailers."""
    SENT = 5
    """The request could only be sent now: its service had to be dialled first."""
    ANSWER = 6
    """A whole response: length of its head, head, body."""
    ANSWER_HEAD = 7
    ANSWER_BODY = 8
    ANSWER_END = 9
    """Payload: the trailers."""
    FAIL = 10
    """The exchange broke off. Payload: why."""
    GONE = 11
    """A client's connection ended; the number is the connection's."""
    NOTE = 12
    """The number says how often what the payload names could not be recorded."""
    CAUGHT_UP = 13
    """Everything that passed before this time has been told."""


class Record(NamedTuple):
    """One record."""

    kind: int
    number: int
    time: int
    payload: bytes


_record = partial(tuple.__new__, Record)
"""A record of its four values: what `Record` itself does, without a call of Python."""


class Begin(NamedTuple):
    """The beginning of an exchange."""

    connection: int
    place: int
    """Index of the listener."""
    secure: bool
    authority: str
    """`host:port` of the service where the client said it."""
    head: bytes


record_front = _RECORD.pack
"""One record up to its payload, which follows: kind, number, time, size of the payload."""
begin_front = _BEGIN.pack
"""The payload of a beginning up to the service and the head, which follow: connection, place, whether secure, size of
the service."""


def begin_of(payload: bytes) -> Begin:
    """The beginning again."""
    connection, place, secure, size = _BEGIN.unpack_from(payload)
    start = _BEGIN.size + size
    return Begin(connection, place, bool(secure), payload[_BEGIN.size : start].decode("latin-1"), payload[start:])


def apart(payload: bytes) -> tuple[int, bytes]:
    """The connection of a beginning, and the rest, which is equal for equal requests that came to one listener."""
    (connection,) = _CONNECTION.unpack_from(payload)
    return connection, payload[_CONNECTION.size :]


def answer_front(head_size: int) -> bytes:
    """The payload of a whole response up to the response itself, which follows."""
    return _HEAD.pack(head_size)


def answer_of(payload: bytes) -> tuple[bytes, bytes]:
    """Head and body again."""
    (size,) = _HEAD.unpack_from(payload)
    return payload[4 : 4 + size], payload[4 + size :]


class Unpacker:
    """Bytes into records, wherever they are cut."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Record]:
        """The records that are whole now."""
        data = self._rest + data if self._rest else data
        at, size = 0, len(data)
        while at + _RECORD.size <= size:
            kind, number, time, length = _RECORD.unpack_from(data, at)
            start = at + _RECORD.size
            if start + length > size:
                break
            at = start + length
            yield _record((kind, number, time, data[start:at]))
        self._rest = data[at:]
