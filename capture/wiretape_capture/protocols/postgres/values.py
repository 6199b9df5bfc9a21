"""Values of the common types as text and in binary, both ways, so that a recording made with one format is served in
the other. Pure.

`to_text` gives None for what it does not know; whoever stores the text checks that `to_binary` gives the bytes back.
Binary forms are those of the send and receive functions in PostgreSQL's `src/backend/utils/adt`.
"""

from __future__ import annotations

import ipaddress
import math
import re
import struct
import uuid
from collections.abc import Callable
from datetime import date, timedelta

from wiretape_capture.protocols.postgres import arrays

BOOL, BYTEA, CHAR, NAME, INT8, INT2, INT4, TEXT, OID = 16, 17, 18, 19, 20, 21, 23, 25, 26
JSON, XML, FLOAT4, FLOAT8, UNKNOWN, CIDR, INET = 114, 142, 700, 701, 705, 650, 869
BPCHAR, VARCHAR, DATE, TIME, TIMESTAMP, TIMESTAMPTZ, INTERVAL = 1042, 1043, 1082, 1083, 1114, 1184, 1186
NUMERIC, UUID, JSONB, REGTYPE, REGCLASS, XID, CID = 1700, 2950, 3802, 2206, 2205, 28, 29
VOID = 2278

FIRST_OWN = 16384
"""Types from here on are made by users: enums, domains, composites, those of extensions."""

ARRAYS = {
    1000: BOOL, 1001: BYTEA, 1002: CHAR, 1003: NAME, 1005: INT2, 1007: INT4, 1009: TEXT, 1014: BPCHAR, 1015: VARCHAR,
    1016: INT8, 1021: FLOAT4, 1022: FLOAT8, 1028: OID, 1041: INET, 1115: TIMESTAMP, 1182: DATE, 1183: TIME,
    1185: TIMESTAMPTZ, 1187: INTERVAL, 1231: NUMERIC, 2951: UUID, 3807: JSONB, 199: JSON, 2211: REGTYPE,
}  # fmt: skip
"""Array types with the type of their elements."""

_MICROS = 1_000_000
_DAY = 86_400 * _MICROS
_EPOCH = date(2000, 1, 1)
_STAMP = re.compile(
    r"(\d{4,6})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?)?\s*(Z|[+-]\d\d(?::?\d\d)?)?\Z"
)
_CLOCK = re.compile(r"(\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?\Z")


def to_text(oid: int, data: bytes) -> str | None:
    """The text of a binary value as the server would write it; None where that is not known."""
    try:
        if oid in ARRAYS:
            return arrays.to_text(data, ARRAYS[oid], to_text)
        if oid in _DECODE:
            return _DECODE[oid](data)
        return _plain(data) if oid >= FIRST_OWN else None
    except (ValueError, struct.error, OverflowError, LookupError):
        return None


def to_binary(oid: int, text: str) -> bytes:
    """The binary form of a text. Raises ValueError where it is not known."""
    try:
        if oid in ARRAYS:
            return arrays.to_binary(text, ARRAYS[oid], to_binary)
        if oid in _ENCODE:
            return _ENCODE[oid](text)
    except (struct.error, OverflowError, IndexError) as error:
        raise ValueError(f"{text[:40]!r} is no value of type {oid}") from error
    if oid >= FIRST_OWN and _plain(text.encode()) is not None:
        return text.encode()
    raise ValueError(f"the binary form of type {oid} is not known")


def _plain(data: bytes) -> str | None:
    """An enum's or a domain's text is its binary form too; composites and ranges have control characters."""
    text = data.decode()
    return text if text.isprintable() else None


def _number(form: str) -> tuple[Callable[[bytes], str], Callable[[str], bytes]]:
    packer = struct.Struct(form)
    return (lambda data: str(packer.unpack(data)[0])), (lambda text: packer.pack(int(text)))


def _bool_text(data: bytes) -> str:
    return {b"\0": "f", b"\1": "t"}[data] if data in (b"\0", b"\1") else _fail(data)


def _fail(data: bytes) -> str:
    raise ValueError(f"{data[:20]!r} is no value")


def _bool_binary(text: str) -> bytes:
    return b"\1" if text.lower() in ("t", "true", "1", "on", "yes") else b"\0"


def _float(form: str, digits: int) -> tuple[Callable[[bytes], str], Callable[[str], bytes]]:
    packer = struct.Struct(form)

    def decode(data: bytes) -> str:
        (value,) = packer.unpack(data)
        if not math.isfinite(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        shortest = next((f"{value:.{n}g}" for n in range(1, digits + 1)
                         if packer.pack(float(f"{value:.{n}g}")) == data), repr(value))  # fmt: skip
        return _spelled(float(shortest))

    return decode, lambda text: packer.pack(float(text))


def _spelled(value: float) -> str:
    """As the server writes it: no `.0`, an exponent from 1e+15 on and below 1e-4."""
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    if 1e-4 <= abs(value) < 1e15:
        return repr(value).removesuffix(".0")
    return re.sub(r"\.0(?=e|\Z)", "", f"{value!r}" if "e" in repr(value) else f"{value:.16e}".replace(".0e", "e"))


def _numeric_text(data: bytes) -> str:
    count, weight, sign, scale = struct.unpack_from(">HhHH", data)
    if sign not in (0, 0x4000):
        return {0xC000: "NaN", 0xD000: "Infinity", 0xF000: "-Infinity"}[sign]
    digits = struct.unpack_from(f">{count}H", data, 8)
    whole = "".join(f"{digits[at] if at < count else 0:04d}" for at in range(weight + 1)).lstrip("0") or "0"
    places = [digits[at] if 0 <= at < count else 0 for at in range(weight + 1, weight + 1 + (scale + 3) // 4)]
    fraction = "".join(f"{digit:04d}" for digit in places)[:scale]
    return ("-" if sign else "") + whole + (f".{fraction}" if scale else "")


def _numeric_binary(text: str) -> bytes:
    special = {"nan": 0xC000, "infinity": 0xD000, "-infinity": 0xF000}.get(text.lower())
    if special is not None:
        return struct.pack(">HhHH", 0, 0, special, 0x20 if special != 0xC000 else 0)
    found = re.fullmatch(r"(-?)(\d*)(?:\.(\d*))?", text)
    if found is None:
        raise ValueError(f"{text[:40]!r} is no number")
    sign, whole, fraction = found[1], found[2].lstrip("0"), found[3] or ""
    padded = whole.rjust(-(-len(whole) // 4) * 4, "0") + fraction.ljust(-(-len(fraction) // 4) * 4, "0")
    digits = [int(padded[at : at + 4]) for at in range(0, len(padded), 4)]
    weight = -(-len(whole) // 4) - 1
    while digits and digits[0] == 0:
        digits.pop(0)
        weight -= 1
    while digits and digits[-1] == 0:
        digits.pop()
    if not digits:
        weight, sign = 0, ""
    return struct.pack(f">HhHH{len(digits)}H", len(digits), weight, 0x4000 if sign else 0, len(fraction), *digits)


def _date_text(data: bytes) -> str:
    (days,) = struct.unpack(">i", data)
    if abs(days) == 0x7FFFFFFF or days == -0x80000000:
        return "infinity" if days > 0 else "-infinity"
    return (_EPOCH + timedelta(days=days)).isoformat()


def _date_binary(text: str) -> bytes:
    return struct.pack(">i", (date.fromisoformat(text) - _EPOCH).days)


def _clock(micros: int) -> str:
    seconds, fraction = divmod(micros, _MICROS)
    text = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{text}.{fraction:06d}".rstrip("0") if fraction else text


def _time_text(data: bytes) -> str:
    return _clock(struct.unpack(">q", data)[0])


def _time_binary(text: str) -> bytes:
    found = _CLOCK.match(text)
    if found is None:
        raise ValueError(f"{text[:40]!r} is no time")
    hours, minutes, seconds = (int(found[at]) for at in (1, 2, 3))
    return struct.pack(">q", ((hours * 60 + minutes) * 60 + seconds) * _MICROS + int((found[4] or "0").ljust(6, "0")))


def _stamp_text(data: bytes) -> str:
    (micros,) = struct.unpack(">q", data)
    if micros in (2**63 - 1, -(2**63)):
        return "infinity" if micros > 0 else "-infinity"
    days, rest = divmod(micros, _DAY)
    return f"{(_EPOCH + timedelta(days=days)).isoformat()} {_clock(rest)}"


def micros_of(text: str) -> int:
    """A timestamp as microseconds since 2000 UTC; without a zone it is read as UTC. Raises ValueError."""
    found = _STAMP.match(text)
    if found is None:
        raise ValueError(f"{text[:40]!r} is no timestamp")
    day = date(int(found[1]), int(found[2]), int(found[3]))
    seconds = int(found[4] or 0) * 3600 + int(found[5] or 0) * 60 + int(found[6] or 0)
    zone = found[8] or "Z"
    if zone != "Z":
        ahead = int(zone[1:3]) * 3600 + int(zone[3:].removeprefix(":") or 0) * 60
        seconds -= -ahead if zone[0] == "-" else ahead
    return (day - _EPOCH).days * _DAY + seconds * _MICROS + int((found[7] or "0").ljust(6, "0"))


def stamp_of(micros: int) -> str:
    """The reverse of `micros_of`."""
    return _stamp_text(struct.pack(">q", micros))


def _stamp_binary(text: str) -> bytes:
    if text in ("infinity", "-infinity"):
        return struct.pack(">q", 2**63 - 1 if text == "infinity" else -(2**63))
    return struct.pack(">q", micros_of(text))


def _interval_text(data: bytes) -> str:
    micros, days, months = struct.unpack(">qii", data)
    years, months = int(months / 12), int(math.fmod(months, 12))
    words = [f"{n} {word}{'' if n == 1 else 's'}" for n, word in ((years, "year"), (months, "mon"), (days, "day")) if n]
    if micros or not words:
        words.append(("-" if micros < 0 else "") + _clock(abs(micros)))
    return " ".join(words)


def _interval_binary(text: str) -> bytes:
    micros = days = months = 0
    for number, word in re.findall(r"([+-]?\d+) (year|mon|day)s?", text):
        months += int(number) * {"year": 12, "mon": 1, "day": 0}[word]
        days += int(number) if word == "day" else 0
    clock = re.search(r"([+-]?)(\d+:\d\d:\d\d(?:\.\d+)?)\Z", text)
    if clock is not None:
        hours, rest = clock[2].split(":", 1)
        micros = struct.unpack(">q", _time_binary(f"00:{rest}"))[0] + int(hours) * 3600 * _MICROS
        micros = -micros if clock[1] == "-" else micros
    return struct.pack(">qii", micros, days, months)


def _address_text(data: bytes) -> str:
    family, bits, cidr, count = data[:4]
    if count not in (4, 16) or len(data) != 4 + count or family not in (2, 3):
        raise ValueError("no address")
    address = ipaddress.ip_address(data[4:])
    return f"{address}" if bits == address.max_prefixlen and not cidr else f"{address}/{bits}"


def _address_binary(cidr: int) -> Callable[[str], bytes]:
    def encode(text: str) -> bytes:
        address = ipaddress.ip_interface(text)
        packed = address.ip.packed
        return bytes((2 if len(packed) == 4 else 3, address.network.prefixlen, cidr, len(packed))) + packed

    return encode


def _bytea_binary(text: str) -> bytes:
    if not text.startswith("\\x"):
        raise ValueError("bytea in the escape form")
    return bytes.fromhex(text[2:])


def _text(data: bytes) -> str:
    return data.decode()


def _jsonb_text(data: bytes) -> str:
    return data[1:].decode() if data[:1] == b"\1" else _fail(data)


_CODECS: dict[tuple[int, ...], tuple[Callable[[bytes], str], Callable[[str], bytes]]] = {
    (BOOL,): (_bool_text, _bool_binary),
    (BYTEA,): (lambda data: "\\x" + data.hex(), _bytea_binary),
    (INT2,): _number(">h"),
    (INT4,): _number(">i"),
    (INT8,): _number(">q"),
    (OID, XID, CID): _number(">I"),
    (FLOAT4,): _float(">f", 9),
    (FLOAT8,): _float(">d", 17),
    (NUMERIC,): (_numeric_text, _numeric_binary),
    (DATE,): (_date_text, _date_binary),
    (TIME,): (_time_text, _time_binary),
    (TIMESTAMP,): (_stamp_text, _stamp_binary),
    (TIMESTAMPTZ,): (lambda data: _stamp_text(data) + "+00", _stamp_binary),
    (INTERVAL,): (_interval_text, _interval_binary),
    (UUID,): (lambda data: str(uuid.UUID(bytes=data)), lambda text: uuid.UUID(text).bytes),
    (INET,): (_address_text, _address_binary(0)),
    (CIDR,): (_address_text, _address_binary(1)),
    (VOID,): (lambda _: "", lambda _: b""),
    (JSONB,): (_jsonb_text, lambda text: b"\1" + text.encode()),
    (TEXT, VARCHAR, BPCHAR, NAME, CHAR, JSON, XML, UNKNOWN): (_text, str.encode),
}
_DECODE = {oid: codec[0] for oids, codec in _CODECS.items() for oid in oids}
_ENCODE = {oid: codec[1] for oids, codec in _CODECS.items() for oid in oids}
