"""One value of RESP in a recording: readable JSON from which the same bytes come again. Pure.

A bulk string is its text, or `{"base64": …}` where it is no UTF-8; an integer is a number, a boolean a boolean, an
array a list, a null null. Everything else is an object with one member that names the type: `simple`, `error`,
`double`, `big`, `verbatim`, `map`, `set`, `push`, and `null` for the null array of RESP2. `omitted` is the size of a
string that was too large to keep.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Any

type Cell = Any
"""JSON, as above."""

NULL_ARRAY: Cell = {"null": "array"}
OK: Cell = {"simple": "OK"}


def to_text(raw: bytes) -> Cell:
    """A string's cell."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return {"base64": b64encode(raw).decode()}


def from_text(cell: Cell) -> bytes:
    """A string again. Raises ValueError for one that was not kept."""
    if isinstance(cell, str):
        return cell.encode()
    if isinstance(cell, dict) and "base64" in cell:
        return b64decode(cell["base64"])
    raise ValueError("a value was not kept: it was larger than a recording holds")


def error_of(cell: Cell) -> str | None:
    """The text of an error; None for any other value."""
    if not isinstance(cell, dict) or "error" not in cell:
        return None
    text = cell["error"]
    return text if isinstance(text, str) else "ERR"


def without_attributes(cell: Cell) -> Cell:
    """A value without what a server says of it (RESP3's attribute type)."""
    while isinstance(cell, dict) and "attributes" in cell:
        cell = cell["of"]
    return cell
