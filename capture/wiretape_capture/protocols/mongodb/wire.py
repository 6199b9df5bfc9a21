"""Messages of the MongoDB wire protocol: cutting a stream into them, reading and writing OP_MSG. Pure.

Names are those of the manual's page "MongoDB Wire Protocol" and of the drivers' specification of OP_MSG. What a peer
claims is never trusted: every length is checked against what is there, and a broken message is `Malformed`. The
library for BSON is an extra of wiretape's, so it is imported by whoever reads a document: see `documents`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

LARGEST = 48_000_000
"""Bytes of one message, as the server has it (maxMessageSizeBytes)."""
HEADER = struct.Struct("<iiii")
_INT32 = struct.Struct("<i")
_FLAGS = struct.Struct("<I")

OP_REPLY, OP_QUERY, OP_COMPRESSED, OP_MSG = 1, 2004, 2012, 2013
KNOWN = frozenset({OP_REPLY, 2001, 2002, OP_QUERY, 2005, 2006, 2007, 2010, 2011, OP_COMPRESSED, OP_MSG})
CHECKSUM_PRESENT, MORE_TO_COME, EXHAUST_ALLOWED = 1, 1 << 1, 1 << 16
TLS_HANDSHAKE = b"\x16\x03"
"""The first bytes of a TLS record (RFC 8446 §5.1) that begins a connection."""


class Malformed(ValueError):
    """Bytes that are no message of this protocol."""


class Message(NamedTuple):
    """One message. `payload` is what follows its header."""

    request_id: int
    response_to: int
    opcode: int
    payload: bytes


class Framer:
    """Cuts one direction of a connection into messages; holds at most one of `LARGEST` bytes."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that end in `data`. Raises Malformed for a header that cannot be."""
        if self._held:
            self._held += data
            if len(self._held) < self._wanted():
                return
            data = bytes(self._held)
            self._held.clear()
        at, size = 0, len(data)
        while size - at >= HEADER.size:
            length, request_id, response_to, opcode = checked_header(data, at)
            if at + length > size:
                break
            yield Message(request_id, response_to, opcode, data[at + HEADER.size : at + length])
            at += length
        self._held += data[at:]
        self._wanted()  # what is no message at all may never have a header

    @property
    def begun(self) -> bool:
        """Whether a message has begun that did not end."""
        return bool(self._held)

    def _wanted(self) -> int:
        """Bytes without which no message ends: a large one is not copied for each piece of it."""
        if len(self._held) >= HEADER.size:
            return checked_header(self._held, 0)[0]
        if len(self._held) >= _INT32.size:
            checked_length(_INT32.unpack_from(self._held)[0])
        return HEADER.size


def begins_tls(header: bytes | bytearray, at: int = 0) -> bool:
    """Whether what should be a message's header begins TLS instead."""
    return HEADER.unpack_from(header, at)[3] not in KNOWN and header[at : at + 2] == TLS_HANDSHAKE


def checked_header(data: bytes | bytearray, at: int = 0) -> tuple[int, int, int, int]:
    """Length, request id, response to and opcode of the message at a place. Raises Malformed."""
    length, request_id, response_to, opcode = HEADER.unpack_from(data, at)
    if begins_tls(data, at):
        raise Malformed("it is TLS where plain text was expected")
    checked_length(length)
    if opcode not in KNOWN:
        raise Malformed(f"a message has the unknown opcode {opcode}")
    return length, request_id, response_to, opcode


def checked_length(length: int) -> None:
    """Raises Malformed for a length that no message has."""
    if not HEADER.size <= length <= LARGEST:
        raise Malformed(f"a message claims a length of {length} bytes")


class Sections(NamedTuple):
    """What an OP_MSG holds: its body (kind 0) and its document sequences (kind 1), each a document's bytes."""

    flags: int
    body: bytes
    sequences: tuple[tuple[str, tuple[bytes, ...]], ...] = ()


def read_msg(payload: bytes) -> Sections:
    """An OP_MSG taken apart; a checksum is left unread. Raises Malformed."""
    if len(payload) < 5:
        raise Malformed("an OP_MSG without a section")
    flags: int = _FLAGS.unpack_from(payload)[0]
    if flags & 0xFFFF & ~(CHECKSUM_PRESENT | MORE_TO_COME):
        raise Malformed(f"an OP_MSG requires flags {flags & 0xFFFF:#x} that nobody knows")
    end = len(payload) - (4 if flags & CHECKSUM_PRESENT else 0)
    at, body, sequences = 4, None, []
    while at < end:
        kind = payload[at]
        size = _size(payload, at + 1, end)
        if kind == 0 and body is None:
            body = payload[at + 1 : at + 1 + size]
        elif kind == 1:
            sequences.append(_sequence(payload, at + 5, at + 1 + size))
        elif kind != 2:  # 2 is internal to the server
            raise Malformed(f"an OP_MSG with a section of kind {kind}")
        at += 1 + size
    if body is None:
        raise Malformed("an OP_MSG without a body")
    return Sections(flags, body, tuple(sequences))


def _size(payload: bytes, at: int, end: int) -> int:
    """The length that stands at a place, itself included."""
    if at + 4 > end:
        raise Malformed("a section ends before its length")
    size: int = _INT32.unpack_from(payload, at)[0]
    if not 5 <= size <= end - at:
        raise Malformed(f"a section claims {size} bytes where {end - at} are left")
    return size


def _sequence(payload: bytes, at: int, end: int) -> tuple[str, tuple[bytes, ...]]:
    name_end = payload.find(b"\0", at, end)
    if name_end < 0:
        raise Malformed("a document sequence without a name")
    name, at, found = payload[at:name_end].decode("utf-8", "replace"), name_end + 1, []
    while at < end:
        size = _size(payload, at, end)
        found.append(payload[at : at + size])
        at += size
    return name, tuple(found)


def read_query(payload: bytes) -> tuple[str, bytes]:
    """Collection and query of a legacy OP_QUERY, in which drivers still greet. Raises Malformed."""
    name_end = payload.find(b"\0", 4)
    if name_end < 0:
        raise Malformed("an OP_QUERY without a collection")
    at = name_end + 9
    return payload[4:name_end].decode("utf-8", "replace"), payload[at : at + _size(payload, at, len(payload))]


def read_reply(payload: bytes) -> bytes:
    """The first document of an OP_REPLY. Raises Malformed."""
    return payload[20 : 20 + _size(payload, 20, len(payload))]


def message(request_id: int, response_to: int, opcode: int, payload: bytes) -> bytes:
    """A message with its header."""
    return HEADER.pack(HEADER.size + len(payload), request_id, response_to, opcode) + payload


def write_msg(request_id: int, response_to: int, body: bytes, flags: int = 0,
              sequences: Sequence[tuple[str, Sequence[bytes]]] = ()) -> bytes:  # fmt: skip
    """An OP_MSG of a body and document sequences."""
    parts = [_FLAGS.pack(flags), b"\0", body]
    for name, documents in sequences:
        content = name.encode() + b"\0" + b"".join(documents)
        parts += [b"\1", _INT32.pack(4 + len(content)), content]
    return message(request_id, response_to, OP_MSG, b"".join(parts))


def write_query(request_id: int, collection: str, query: bytes) -> bytes:
    """A legacy OP_QUERY for one document."""
    return message(request_id, 0, OP_QUERY, struct.pack("<i", 0) + collection.encode() + b"\0"
                   + struct.pack("<ii", 0, -1) + query)  # fmt: skip


def write_reply(request_id: int, response_to: int, document: bytes) -> bytes:
    """A legacy OP_REPLY of one document (AwaitCapable, as all servers say)."""
    return message(request_id, response_to, OP_REPLY, struct.pack("<iqii", 8, 0, 0, 1) + document)
