"""Messages of the Postgres protocol, version 3: cutting a stream into them, reading and writing them. Pure.

Section numbers refer to the chapter "Frontend/Backend Protocol" of the PostgreSQL documentation. What a peer claims is
never trusted: every length is checked against what is there, and a broken message is `Malformed`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

STARTUP_LIMIT = 10_000
"""Bytes of a startup packet, as the server has it (MAX_STARTUP_PACKET_LENGTH)."""
LARGEST = 0x3FFFFFFF
"""Bytes that a message may claim: more than the server's own limit of one gigabyte is nonsense."""
KEPT = 16 * 1024 * 1024
"""Bytes of one message that are kept; of a larger one only its kind is told."""

FRONTEND = b"BCDEFHPQSXcdfp"
"""Kinds of a client's messages."""
_SHORT = frozenset(b"CDEHSXc")
"""Of these, what the server takes no more of than `SHORT` bytes (PQ_SMALL_MESSAGE_LIMIT)."""
SHORT = 10_000

SSL_REQUEST, GSS_REQUEST, CANCEL_REQUEST = 80877103, 80877104, 80877102
PROTOCOL_3 = 3
TEXT, BINARY = 0, 1

type Raw = bytes | None
"""A value as it crosses the wire; None is NULL."""


class Malformed(ValueError):
    """Bytes that are no message of this protocol."""


class Message(NamedTuple):
    """One message with its kind, such as `b"Q"`. `payload` is None for one too large to keep."""

    kind: bytes
    payload: bytes | None


class Framer:
    """Cuts one direction of a connection, after its startup, into messages; holds at most one of `KEPT` bytes."""

    def __init__(self, kinds: bytes = b"") -> None:
        """With `kinds` a message of another kind, or a length that the server would not take, is malformed."""
        self._kinds = kinds
        self._held = bytearray()
        self._skip = 0

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that end in `data`. Raises Malformed for a length that cannot be."""
        if self._skip:
            taken = min(self._skip, len(data))
            self._skip -= taken
            data = data[taken:]
        if self._held:
            self._held += data
            data = bytes(self._held)
            self._held.clear()
        at, size = 0, len(data)
        while size - at >= 5:
            length = int.from_bytes(data[at + 1 : at + 5])
            if self._kinds and data[at] not in self._kinds:
                raise Malformed(f"invalid frontend message type {data[at]}")
            if not 4 <= length <= LARGEST or (self._kinds and length > SHORT and data[at] in _SHORT):
                raise Malformed(f"invalid message length: {data[at : at + 1].decode('latin-1')!r} of {length} bytes")
            end = at + 1 + length
            if length > KEPT:
                yield Message(data[at : at + 1], None)
                self._skip = max(end - size, 0)
                at = min(end, size)
                continue
            if end > size:
                break
            yield Message(data[at : at + 1], data[at + 5 : end])
            at = end
        self._held += data[at:]

    @property
    def rest(self) -> bytes:
        """Bytes of a message that has not ended."""
        return bytes(self._held)


class Reader:
    """Reads the fields of one payload."""

    def __init__(self, payload: bytes) -> None:
        self._data = payload
        self._at = 0

    @property
    def left(self) -> int:
        """Bytes not read yet."""
        return len(self._data) - self._at

    def take(self, count: int) -> bytes:
        """The next bytes."""
        at, end = self._at, self._at + count
        if count < 0 or end > len(self._data):
            raise Malformed(f"a field of {count} bytes where {self.left} are left")
        self._at = end
        return self._data[at:end]

    def int16(self) -> int:
        """A signed number of two bytes."""
        return int.from_bytes(self.take(2), signed=True)

    def count(self) -> int:
        """A count of two bytes."""
        return int.from_bytes(self.take(2))

    def int32(self) -> int:
        """A signed number of four bytes."""
        return int.from_bytes(self.take(4), signed=True)

    def oid(self) -> int:
        """A number of four bytes without a sign."""
        return int.from_bytes(self.take(4))

    def text(self) -> bytes:
        """Bytes up to the next NUL."""
        end = self._data.find(b"\0", self._at)
        if end < 0:
            raise Malformed("a text without its end")
        found = self._data[self._at : end]
        self._at = end + 1
        return found

    def raw(self) -> Raw:
        """A value with its length; -1 stands for NULL."""
        length = self.int32()
        return None if length == -1 else self.take(length)

    def numbers(self) -> tuple[int, ...]:
        """A counted list of numbers of two bytes."""
        return tuple(self.int16() for _ in range(self.count()))


def message(kind: bytes, payload: bytes = b"") -> bytes:
    """One message, ready to send."""
    return kind + (len(payload) + 4).to_bytes(4) + payload


def text(value: str, encoding: str = "utf-8") -> bytes:
    """A text with the NUL that ends it."""
    return value.encode(encoding, "replace").replace(b"\0", b"") + b"\0"


def raw(value: Raw) -> bytes:
    """A value with its length."""
    return b"\xff\xff\xff\xff" if value is None else len(value).to_bytes(4) + value


@dataclass(frozen=True, slots=True)
class Parse:
    """`P`: prepare a statement."""

    name: bytes
    sql: bytes
    types: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Bind:
    """`B`: values for a prepared statement, which become a portal."""

    portal: bytes
    statement: bytes
    formats: tuple[int, ...]
    values: tuple[Raw, ...]
    results: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a row description. `table` and `number` name the table's column it comes from, 0 for none."""

    name: str
    table: int
    number: int
    type: int
    size: int
    modifier: int
    format: int = TEXT


def read_parse(payload: bytes) -> Parse:
    """The fields of `P`."""
    reader = Reader(payload)
    name, sql = reader.text(), reader.text()
    return Parse(name, sql, tuple(reader.oid() for _ in range(reader.count())))


def read_bind(payload: bytes) -> Bind:
    """The fields of `B`."""
    reader = Reader(payload)
    portal, statement, formats = reader.text(), reader.text(), reader.numbers()
    values = tuple(reader.raw() for _ in range(reader.count()))
    return Bind(portal, statement, formats, values, reader.numbers())


def read_target(payload: bytes) -> tuple[bytes, bytes]:
    """`S` or `P` and a name: the fields of Describe and Close."""
    reader = Reader(payload)
    return reader.take(1), reader.text()


def read_execute(payload: bytes) -> tuple[bytes, int]:
    """The portal and how many rows are wanted, 0 for all."""
    reader = Reader(payload)
    return reader.text(), reader.int32()


def read_columns(payload: bytes) -> tuple[Column, ...]:
    """The fields of RowDescription `T`."""
    reader = Reader(payload)
    return tuple(
        Column(reader.text().decode("utf-8", "replace"), reader.oid(), reader.int16(), reader.oid(), reader.int16(),
               reader.int32(), reader.int16())
        for _ in range(reader.count())
    )  # fmt: skip


def write_columns(columns: Sequence[Column], formats: Sequence[int], encoding: str = "utf-8") -> bytes:
    """RowDescription with the given result formats: none, one for all, or one each (§55.2.3)."""
    fields = b"".join(
        text(each.name, encoding)
        + struct.pack(">IhIhih", each.table, each.number, each.type, each.size, each.modifier, format_at(formats, at))
        for at, each in enumerate(columns)
    )
    return message(b"T", len(columns).to_bytes(2) + fields)


def format_at(formats: Sequence[int], at: int) -> int:
    """The format of one value: none given means text, a single one holds for all."""
    if not formats:
        return TEXT
    return formats[0] if len(formats) == 1 else formats[at] if at < len(formats) else TEXT


def read_row(payload: bytes) -> tuple[Raw, ...]:
    """The values of DataRow `D`."""
    values: list[Raw] = []
    at, size = 2, len(payload)
    for _ in range(int.from_bytes(payload[:2])):  # as `Reader.raw` does, without a call for each field of each row
        length = int.from_bytes(payload[at : at + 4], signed=True)
        at += 4
        if length == -1 and at <= size:
            values.append(None)
            continue
        if length < 0 or at + length > size:
            raise Malformed(f"a value of {length} bytes where {max(size - at, 0)} are left")
        values.append(payload[at : at + length])
        at += length
    return tuple(values)


def write_row(values: Sequence[Raw]) -> bytes:
    """DataRow."""
    return message(b"D", len(values).to_bytes(2) + b"".join(map(raw, values)))


def read_types(payload: bytes) -> tuple[int, ...]:
    """ParameterDescription `t`."""
    reader = Reader(payload)
    return tuple(reader.oid() for _ in range(reader.count()))


def write_types(types: Iterable[int]) -> bytes:
    """ParameterDescription."""
    known = tuple(types)
    return message(b"t", struct.pack(f">H{len(known)}I", len(known), *known))


def read_fields(payload: bytes) -> dict[str, str]:
    """The fields of ErrorResponse and NoticeResponse by their letter (§55.8)."""
    reader = Reader(payload)
    fields = {}
    while reader.left and (letter := reader.take(1)) != b"\0":
        fields[letter.decode("latin-1")] = reader.text().decode("utf-8", "replace")
    return fields


def write_fields(kind: bytes, fields: Iterable[tuple[str, str]], encoding: str = "utf-8") -> bytes:
    """ErrorResponse `E` or NoticeResponse `N`."""
    return message(kind, b"".join(letter.encode("latin-1") + text(value, encoding) for letter, value in fields) + b"\0")


def error(code: str, problem: str, *, severity: str = "ERROR", detail: str = "", hint: str = "") -> bytes:
    """An ErrorResponse of ours."""
    fields = [("S", severity), ("V", severity), ("C", code), ("M", problem), ("D", detail), ("H", hint)]
    return write_fields(b"E", [(letter, value) for letter, value in fields if value])


def read_startup(packet: bytes) -> dict[str, str]:
    """The parameters of a StartupMessage, its length and version left out (§55.7)."""
    reader = Reader(packet)
    parameters = {}
    while reader.left and (name := reader.text()):
        parameters[name.decode("utf-8", "replace")] = reader.text().decode("utf-8", "replace")
    return parameters
