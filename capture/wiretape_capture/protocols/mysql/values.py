"""Values of the binary protocol as the text that the server would send, and back. Pure.

`to_text` raises ValueError for what it does not know; whoever stores the text checks that `to_binary` gives the bytes
back. Forms are those of the page "Binary Protocol Resultset" of the MySQL source documentation.
"""

from __future__ import annotations

import math
import re
import struct
from dataclasses import dataclass

from wiretape_capture.protocols.mysql.wire import Malformed, Reader, decoded, encoded, string


class Type:
    """Types of columns and parameters (enum_field_types)."""

    DECIMAL, TINY, SHORT, LONG, FLOAT, DOUBLE, NULL, TIMESTAMP = 0, 1, 2, 3, 4, 5, 6, 7
    LONGLONG, INT24, DATE, TIME, DATETIME, YEAR, NEWDATE, VARCHAR, BIT = 8, 9, 10, 11, 12, 13, 14, 15, 16
    TIMESTAMP2, DATETIME2, TIME2 = 17, 18, 19
    JSON, NEWDECIMAL, ENUM, SET, TINY_BLOB, MEDIUM_BLOB, LONG_BLOB, BLOB = 245, 246, 247, 248, 249, 250, 251, 252
    VAR_STRING, STRING, GEOMETRY = 253, 254, 255


UNSIGNED, ZEROFILL = 0x20, 0x40
"""Flags of a column."""
UNSAID_DECIMALS = 31
"""Decimals of a column that has no fixed number of them (DECIMAL_NOT_SPECIFIED)."""

INTEGERS = {Type.TINY: 1, Type.SHORT: 2, Type.YEAR: 2, Type.INT24: 4, Type.LONG: 4, Type.LONGLONG: 8}
"""Bytes by type."""
FLOATS = {Type.FLOAT: 4, Type.DOUBLE: 8}
STAMPS = frozenset({Type.DATE, Type.NEWDATE, Type.DATETIME, Type.TIMESTAMP, Type.DATETIME2, Type.TIMESTAMP2})
TIMES = frozenset({Type.TIME, Type.TIME2})
STRINGS = frozenset({
    Type.DECIMAL, Type.VARCHAR, Type.BIT, Type.JSON, Type.NEWDECIMAL, Type.ENUM, Type.SET, Type.TINY_BLOB,
    Type.MEDIUM_BLOB, Type.LONG_BLOB, Type.BLOB, Type.VAR_STRING, Type.STRING, Type.GEOMETRY,
})  # fmt: skip
KNOWN = frozenset((*INTEGERS, *FLOATS, *STAMPS, *TIMES, *STRINGS))


@dataclass(frozen=True, slots=True)
class Kind:
    """What is known of a value from its column or parameter."""

    type: int
    flags: int = 0
    decimals: int = UNSAID_DECIMALS
    length: int = 0


def read_value(reader: Reader, kind: int) -> bytes:
    """The bytes of the next binary value, without the length that some types have. Raises Malformed."""
    if (size := INTEGERS.get(kind) or FLOATS.get(kind)) is not None:
        return reader.take(size)
    if kind in STAMPS or kind in TIMES:
        return reader.take(reader.number(1))
    if kind in STRINGS:
        return reader.string()
    if kind == Type.NULL:
        return b""
    raise Malformed(f"a value of the unknown type {kind}")


def write_value(kind: int, data: bytes) -> bytes:
    """A value's bytes as they cross the wire."""
    if kind in INTEGERS or kind in FLOATS or kind == Type.NULL:
        return data
    if kind in STAMPS or kind in TIMES:
        return bytes((len(data),)) + data
    return string(data)


def is_text(kind: int) -> bool:
    """Whether a value has the same bytes in both protocols."""
    return kind in STRINGS


def to_text(kind: Kind, data: bytes) -> str:
    """The text of a binary value. Raises ValueError."""
    if kind.type in INTEGERS:
        return _integer_text(kind, data)
    if kind.type in FLOATS:
        return float_text(data)
    if kind.type in STAMPS:
        return _stamp_text(kind, data)
    if kind.type in TIMES:
        return _time_text(kind, data)
    return decoded(data)


def to_binary(kind: Kind, text: str) -> bytes:
    """The binary form of a text, without its length. Raises ValueError for a text that is no such value."""
    try:
        if (size := INTEGERS.get(kind.type)) is not None:
            return int(text).to_bytes(size, "little", signed=int(text) < 0)
        if (size := FLOATS.get(kind.type)) is not None:
            return struct.pack("<f" if size == 4 else "<d", float(text))
    except (OverflowError, struct.error) as error:
        raise ValueError(f"{text[:40]!r} is no value of type {kind.type}") from error
    if kind.type in STAMPS:
        return _stamp_binary(text)
    if kind.type in TIMES:
        return _time_binary(text)
    return encoded(text)


def _integer_text(kind: Kind, data: bytes) -> str:
    text = str(int.from_bytes(data, "little", signed=not kind.flags & UNSIGNED))
    if kind.type == Type.YEAR and text != "0":
        return text
    return text.zfill(kind.length) if kind.flags & ZEROFILL and kind.length < 256 else text


def float_text(data: bytes) -> str:
    """The shortest text that gives the same bit pattern of 4 or 8 bytes; MySQL writes no `.0`."""
    form, digits = ("<f", 9) if len(data) == 4 else ("<d", 17)
    (value,) = struct.unpack(form, data)
    if not math.isfinite(value):
        raise ValueError("a number that is not finite")
    if len(data) == 4:
        value = next(float(f"{value:.{n}g}") for n in range(1, digits + 1)
                     if struct.pack(form, float(f"{value:.{n}g}")) == data)  # fmt: skip
    return spelled(value)


def spelled(value: float) -> str:
    """A number as MySQL writes it: no `.0`, an exponent without `+` from 1e15 on and below 1e-15."""
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    text = repr(value)
    if 1e-15 < abs(value) < 1e15:
        return (f"{value:.340f}".rstrip("0") if "e" in text and abs(value) >= 1 else _plain(text)).removesuffix(".0")
    mantissa, _, exponent = (text if "e" in text else f"{value:.16e}").partition("e")
    mantissa = mantissa.rstrip("0").removesuffix(".") if "." in mantissa else mantissa
    return f"{mantissa}e{int(exponent)}"


def _plain(text: str) -> str:
    """A number written without its exponent."""
    mantissa, _, exponent = text.partition("e")
    if not exponent:
        return text
    sign, digits = ("-", mantissa[1:]) if mantissa[0] == "-" else ("", mantissa)
    whole, _, fraction = digits.partition(".")
    return f"{sign}0.{'0' * (-int(exponent) - 1)}{whole}{fraction if fraction != '0' else ''}"


def _stamp_text(kind: Kind, data: bytes) -> str:
    if len(data) not in (0, 4, 7, 11):
        raise ValueError(f"a date of {len(data)} bytes")
    year, month, day, hour, minute, second, micros = struct.unpack("<HBBBBBI", data.ljust(11, b"\0"))
    text = f"{year:04d}-{month:02d}-{day:02d}"
    if kind.type in (Type.DATE, Type.NEWDATE):
        return text if len(data) <= 4 else f"{text} {hour:02d}:{minute:02d}:{second:02d}"
    return f"{text} {hour:02d}:{minute:02d}:{second:02d}{_fraction(micros, kind.decimals)}"


def _fraction(micros: int, decimals: int) -> str:
    if decimals > 6:
        return f".{micros:06d}" if micros else ""
    return f".{micros:06d}"[: decimals + 1] if decimals else ""


_STAMP = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?)?\Z")
_TIME = re.compile(r"(-?)(\d+):(\d\d):(\d\d)(?:\.(\d{1,6}))?\Z")


def _stamp_binary(text: str) -> bytes:
    found = _STAMP.match(text)
    if found is None:
        raise ValueError(f"{text[:40]!r} is no date")
    year, month, day, hour, minute, second = (int(found[at] or 0) for at in range(1, 7))
    micros = int((found[7] or "").ljust(6, "0") or 0)
    data = struct.pack("<HBBBBBI", year, month, day, hour, minute, second, micros)
    if micros:
        return data
    return data[:7] if hour or minute or second else data[:4] if year or month or day else b""


def _time_text(kind: Kind, data: bytes) -> str:
    if len(data) not in (0, 8, 12):
        raise ValueError(f"a time of {len(data)} bytes")
    negative, days, hours, minutes, seconds, micros = struct.unpack("<BIBBBI", data.ljust(12, b"\0"))
    sign = "-" if negative else ""
    return f"{sign}{days * 24 + hours:02d}:{minutes:02d}:{seconds:02d}{_fraction(micros, kind.decimals)}"


def _time_binary(text: str) -> bytes:
    found = _TIME.match(text)
    if found is None:
        raise ValueError(f"{text[:40]!r} is no time")
    hours, minutes, seconds = (int(found[at]) for at in (2, 3, 4))
    micros = int((found[5] or "").ljust(6, "0") or 0)
    if not (hours or minutes or seconds or micros):
        return b""
    days, hours = divmod(hours, 24)
    data = struct.pack("<BIBBBI", found[1] == "-", days, hours, minutes, seconds, micros)
    return data if micros else data[:8]
