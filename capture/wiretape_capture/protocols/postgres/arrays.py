"""Arrays as text (`{1,2,NULL}`) and in binary, both ways (chapter "Arrays", `array_send`). Pure; the element's codec is
passed in."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

type Element = str | None
type Nested = Element | list["Nested"]

_BARE = frozenset(' \t\n\r\v\f{}",\\')
DEEPEST = 6
"""Dimensions that the server allows (MAXDIM)."""


def to_text(data: bytes, oid: int, element: Callable[[int, bytes], str | None]) -> str | None:
    """The text of a binary array; None where an element's type is not known."""
    dimensions, _, kind = struct.unpack_from(">iiI", data)
    if not 0 <= dimensions <= DEEPEST or kind != oid:
        return None
    if dimensions == 0:
        return "{}"
    shape = [struct.unpack_from(">ii", data, 12 + 8 * at) for at in range(dimensions)]
    if any(lower != 1 or length < 0 for length, lower in shape):
        return None
    values = iter(_elements(data, 12 + 8 * dimensions, oid, element))
    text = _laid_out([length for length, _ in shape], values)
    return text if next(values, "") == "" else None


def _elements(data: bytes, at: int, oid: int, element: Callable[[int, bytes], str | None]) -> Iterator[Element]:
    while at < len(data):
        (length,) = struct.unpack_from(">i", data, at)
        at += 4
        if length == -1:
            yield None
            continue
        if length < 0 or at + length > len(data):
            raise ValueError("an array's element runs over its end")
        text = element(oid, data[at : at + length])
        if text is None:
            raise ValueError("an element of an unknown type")
        yield text
        at += length


def _laid_out(shape: list[int], values: Iterator[Element]) -> str:
    if not shape:
        return _quoted(next(values, None))
    return "{" + ",".join(_laid_out(shape[1:], values) for _ in range(shape[0])) + "}"


def _quoted(value: Element) -> str:
    if value is None:
        return "NULL"
    if value and value.upper() != "NULL" and _BARE.isdisjoint(value):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def to_binary(text: str, oid: int, element: Callable[[int, str], bytes]) -> bytes:
    """The binary form of an array's text. Raises ValueError for a text that is none."""
    value, end = _read(text, 0, 0)
    if end != len(text) or not isinstance(value, list):
        raise ValueError(f"{text[:40]!r} is no array")
    shape, flat = _shape(value), list(_flat(value))
    if not flat:
        return struct.pack(">iiI", 0, 0, oid)
    head = struct.pack(">iiI", len(shape), int(None in flat), oid)
    return (
        head
        + b"".join(struct.pack(">ii", length, 1) for length in shape)
        + b"".join(
            b"\xff\xff\xff\xff" if each is None else len(data := element(oid, each)).to_bytes(4) + data for each in flat
        )
    )


def _read(text: str, at: int, depth: int) -> tuple[Nested, int]:
    if text[at] == "{" and depth < DEEPEST:
        return _read_list(text, at + 1, depth)
    if text[at] == '"':
        return _read_quoted(text, at + 1)
    end = at
    while end < len(text) and text[end] not in ",}":
        end += 1
    word = text[at:end].strip()
    return (None if word.upper() == "NULL" else word), end


def _read_list(text: str, at: int, depth: int) -> tuple[list[Nested], int]:
    found: list[Nested] = []
    if text[at] == "}":
        return found, at + 1
    while True:
        value, at = _read(text, at, depth + 1)
        found.append(value)
        if text[at] == "}":
            return found, at + 1
        if text[at] != ",":
            raise ValueError("an array's elements are not separated")
        at += 1


def _read_quoted(text: str, at: int) -> tuple[str, int]:
    value: list[str] = []
    while text[at] != '"':
        at += text[at] == "\\"
        value.append(text[at])
        at += 1
    return "".join(value), at + 1


def _shape(value: Nested) -> list[int]:
    return [len(value), *(_shape(value[0]) if value else [])] if isinstance(value, list) else []


def _flat(value: Nested) -> Iterator[Element]:
    if isinstance(value, list):
        for each in value:
            yield from _flat(each)
    else:
        yield value
