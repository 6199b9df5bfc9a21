"""Packets of the MySQL and MariaDB protocol: cutting a stream into them, and the fields that they are made of. Pure.

Names follow the page "Client/Server Protocol" of the MySQL source documentation and MariaDB's knowledge base. What a
peer claims is never trusted: every length is checked against what is there, and a broken packet is `Malformed`.
"""

from __future__ import annotations

import codecs
import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

WHOLE = 0xFFFFFF
"""Bytes of payload of a packet that is continued by the next one."""
KEPT = 32 * 1024 * 1024
"""Bytes of one payload that are kept; of a longer one only its beginning is told."""
LARGEST = 0x40000000
"""Bytes that a payload may have in all, the servers' limit for max_allowed_packet."""
BEGINNING = 16
"""Bytes told of a payload that is too large to keep."""

type Raw = bytes | None
"""A value as it crosses the wire; None is NULL."""


class Malformed(ValueError):
    """Bytes that are no packet of this protocol."""


class Capability:
    """Flags that both sides agree on (CLIENT_* in mysql_com.h)."""

    MYSQL = 1
    """CLIENT_LONG_PASSWORD; MariaDB clears it to say that extended capabilities follow."""
    FOUND_ROWS = 1 << 1
    CONNECT_WITH_DB = 1 << 3
    COMPRESS = 1 << 5
    LOCAL_FILES = 1 << 7
    PROTOCOL_41 = 1 << 9
    SSL = 1 << 11
    TRANSACTIONS = 1 << 13
    SECURE_CONNECTION = 1 << 15
    MULTI_STATEMENTS = 1 << 16
    MULTI_RESULTS = 1 << 17
    PS_MULTI_RESULTS = 1 << 18
    PLUGIN_AUTH = 1 << 19
    CONNECT_ATTRS = 1 << 20
    LENENC_AUTH = 1 << 21
    SESSION_TRACK = 1 << 23
    DEPRECATE_EOF = 1 << 24
    OPTIONAL_METADATA = 1 << 25
    ZSTD = 1 << 26
    QUERY_ATTRIBUTES = 1 << 27
    MULTI_FACTOR = 1 << 28


class Extended:
    """MariaDB's own capabilities (MARIADB_CLIENT_*), as they stand in their field of four bytes."""

    BULK = 1 << 2
    METADATA = 1 << 3
    KNOWN = BULK | METADATA


UNREADABLE = Capability.COMPRESS | Capability.ZSTD | Capability.OPTIONAL_METADATA | Capability.MULTI_FACTOR
"""Capabilities that are not offered to an app: what passes could not be read, or a login not be made."""


class Status:
    """Flags of the server in OK and EOF packets (SERVER_* in mysql_com.h)."""

    IN_TRANSACTION = 0x0001
    AUTOCOMMIT = 0x0002
    MORE_RESULTS = 0x0008
    CURSOR_EXISTS = 0x0040
    LAST_ROW_SENT = 0x0080
    NO_BACKSLASH_ESCAPES = 0x0200
    OUT_PARAMS = 0x1000
    SESSION_CHANGED = 0x4000


class Command:
    """First bytes of a client's packets (enum_server_command)."""

    QUIT, INIT_DB, QUERY, FIELD_LIST, STATISTICS = 0x01, 0x02, 0x03, 0x04, 0x09
    PROCESS_INFO, KILL, DEBUG, PING, CHANGE_USER = 0x0A, 0x0C, 0x0D, 0x0E, 0x11
    PREPARE, EXECUTE, LONG_DATA, CLOSE, RESET, SET_OPTION, FETCH = 0x16, 0x17, 0x18, 0x19, 0x1A, 0x1B, 0x1C
    RESET_CONNECTION, BULK_EXECUTE = 0x1F, 0xFA


OK, EOF, ERR, LOCAL_INFILE, MORE_DATA = 0x00, 0xFE, 0xFF, 0xFB, 0x01
EOF_LIMIT = 9
"""An EOF packet is shorter than this; a row that begins with the same byte is not."""


class OutOfOrder(Malformed):
    """A packet's number is not the next one."""


class TooLarge(Malformed):
    """A packet is larger than any server takes."""


class Packet(NamedTuple):
    """One payload with its sequence number. `payload` is None for one too large to keep."""

    number: int
    payload: bytes | None
    beginning: bytes
    size: int

    @property
    def first(self) -> int:
        """The first byte; -1 for an empty payload."""
        return self.beginning[0] if self.beginning else -1


class Framer:
    """Cuts one direction of a connection into payloads, however many packets they take; holds at most `KEPT` bytes."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._parts: list[bytes] = []
        self._size = 0
        self._number = 0
        self._skip = 0
        """Bytes of the packet that is under way and is not kept."""
        self._goes_on = False
        self._needed = 0
        """Bytes held from which on it is worth looking again."""

    def feed(self, data: bytes) -> Iterator[Packet]:
        """The payloads that end in `data`. Raises Malformed for one that is longer than any server takes."""
        if self._held:
            self._held += data
            if len(self._held) < self._needed:
                return
            data = bytes(self._held)
            self._held.clear()
        self._needed = 0
        at, size = 0, len(data)
        while True:
            if self._skip:
                taken = min(self._skip, size - at)
                self._skip -= taken
                at += taken
                if self._skip:
                    return
                if not self._goes_on:
                    yield self._done()
                continue
            if size - at < 4:
                break
            length = int.from_bytes(data[at : at + 3], "little")
            if not self._size and not self._goes_on:
                self._number = data[at + 3]
            if self._size + length > LARGEST:
                raise TooLarge(f"a packet of more than {LARGEST} bytes")
            if self._size + length > KEPT:
                self._drop(data[at + 4 : at + 4 + BEGINNING], length)
                at += 4
                if not length and not self._goes_on:
                    yield self._done()
                continue
            end = at + 4 + length
            if end > size:
                self._needed = end - at
                break
            at = end
            if length == WHOLE or self._goes_on:
                self._parts.append(data[end - length : end])
                self._size += length
                self._goes_on = length == WHOLE
                if not self._goes_on:
                    yield self._done()
            else:
                payload = data[end - length : end]
                yield Packet(self._number, payload, payload[:BEGINNING], length)
        self._held += data[at:]

    def _drop(self, beginning: bytes, length: int) -> None:
        kept = self._parts[0] if self._parts else beginning
        self._parts = [kept[:BEGINNING]]
        self._size += length
        self._skip = length
        self._goes_on = length == WHOLE

    def _done(self) -> Packet:
        size, whole = self._size, b"".join(self._parts)
        self._parts, self._size, self._goes_on = [], 0, False
        payload = whole if size <= KEPT else None
        return Packet(self._number, payload, whole[:BEGINNING], size)

    @property
    def rest(self) -> bytes:
        """Bytes of a packet that has not ended."""
        return b"".join(self._parts) + bytes(self._held)


def packet(number: int, payload: bytes) -> bytes:
    """A payload as packets, ready to send; the first has this sequence number."""
    if len(payload) < WHOLE:
        return len(payload).to_bytes(3, "little") + bytes((number & 0xFF,)) + payload
    parts = [payload[at : at + WHOLE] for at in range(0, len(payload) + 1, WHOLE)]
    return b"".join(
        len(part).to_bytes(3, "little") + bytes(((number + at) & 0xFF,)) + part for at, part in enumerate(parts)
    )


def packets_of(payload: bytes) -> int:
    """How many packets a payload takes."""
    return len(payload) // WHOLE + 1


class Reader:
    """Reads the fields of one payload; numbers have their least byte first."""

    __slots__ = ("_at", "_data")

    def __init__(self, payload: bytes, at: int = 0) -> None:
        self._data = payload
        self._at = at

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

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(self.left)

    def number(self, size: int) -> int:
        """A number of so many bytes, without a sign."""
        return int.from_bytes(self.take(size), "little")

    def lenenc(self) -> int:
        """A number that says its own length."""
        first = self.take(1)[0]
        if first < 0xFB:
            return first
        if first in (0xFB, 0xFF):
            raise Malformed(f"a length that begins with {first:#x}")
        return self.number(_WIDTHS[first])

    def string(self) -> bytes:
        """Bytes with their length."""
        return self.take(self.lenenc())

    def raw(self) -> Raw:
        """A value of a text row."""
        if self._data[self._at : self._at + 1] == b"\xfb":
            self._at += 1
            return None
        return self.string()

    def terminated(self) -> bytes:
        """Bytes up to the next NUL."""
        end = self._data.find(b"\0", self._at)
        if end < 0:
            raise Malformed("a text without its end")
        found = self._data[self._at : end]
        self._at = end + 1
        return found


_WIDTHS = {0xFC: 2, 0xFD: 3, 0xFE: 8}


def lenenc(number: int) -> bytes:
    """A number that says its own length."""
    if number < 0xFB:
        return bytes((number,))
    if number < 1 << 16:
        return b"\xfc" + number.to_bytes(2, "little")
    if number < 1 << 24:
        return b"\xfd" + number.to_bytes(3, "little")
    return b"\xfe" + number.to_bytes(8, "little")


def string(data: bytes) -> bytes:
    """Bytes with their length."""
    return lenenc(len(data)) + data


def raw(value: Raw) -> bytes:
    """A value of a text row."""
    return b"\xfb" if value is None else string(value)


def terminated(data: bytes) -> bytes:
    """Bytes with the NUL that ends them."""
    return data.replace(b"\0", b"") + b"\0"


def read_row(payload: bytes, count: int) -> tuple[Raw, ...]:
    """The values of a row of the text protocol."""
    values: list[Raw] = []
    at, size = 0, len(payload)
    while len(values) < count:  # as `Reader.raw` does, without a call for each field of each row
        if at >= size:
            raise Malformed(f"a row of {len(values)} values where there are {count} columns")
        length = payload[at]
        at += 1
        if length == 0xFB:
            values.append(None)
            continue
        if length > 0xFB:
            width = _WIDTHS.get(length, 0)
            length = int.from_bytes(payload[at : at + width], "little") if width else size
            at += width
        if at + length > size:
            raise Malformed(f"a value of {length} bytes where {max(size - at, 0)} are left")
        values.append(payload[at : at + length])
        at += length
    return tuple(values)


def float_bits(value: float, size: int) -> bytes:
    """A number's bit pattern of 4 or 8 bytes."""
    return struct.pack("<f" if size == 4 else "<d", value)


# Statements and values that are no UTF-8 keep their bytes: each such byte becomes one code point of this private area.
_PRIVATE = 0xF700


def _to_private(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    bad = error.object[error.start : error.end]
    return "".join(chr(_PRIVATE + byte) for byte in bad), error.end


_BYTES = re.compile("[\uf780-\uf7ff]")


def is_all_text(text: str) -> bool:
    """Whether no byte of a text stands for itself."""
    return _BYTES.search(text) is None


codecs.register_error("wiretape-private", _to_private)


def decoded(data: bytes) -> str:
    """Text of UTF-8; a byte that is none becomes a code point of its own, so that no two texts become one."""
    return data.decode("utf-8", "wiretape-private")


def encoded(text: str) -> bytes:
    """The reverse of `decoded`."""
    if is_all_text(text):
        return text.encode("utf-8", "replace")
    return b"".join(
        bytes((ord(each) - _PRIVATE,)) if _PRIVATE + 0x80 <= ord(each) <= _PRIVATE + 0xFF
        else each.encode("utf-8", "replace") for each in text
    )  # fmt: skip
