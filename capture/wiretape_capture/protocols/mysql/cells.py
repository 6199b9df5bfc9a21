"""One value in a recording: its text where that says all, else its bytes. Pure.

A cell is None for NULL, a text, `{"hex": "…"}` for bytes that are no UTF-8, or `{"hex": "…", "format": 1}` for a binary
value that has no text here. What has no format of its own can be given out in either protocol.
"""

from __future__ import annotations

from typing import Any

from wiretape_capture.protocols.mysql import values
from wiretape_capture.protocols.mysql.values import Kind
from wiretape_capture.protocols.mysql.wire import Raw

type Cell = str | dict[str, Any] | None

BINARY = 1


def of_text(raw: Raw) -> Cell:
    """What is kept of a value of the text protocol."""
    if raw is None:
        return None
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return {"hex": raw.hex()}


def of_binary(kind: Kind, raw: Raw) -> Cell:
    """What is kept of a value of the binary protocol."""
    if raw is None or values.is_text(kind.type):
        return of_text(raw)
    try:
        text = values.to_text(kind, raw)
        if values.to_binary(kind, text) == raw:
            return text
    except ValueError:
        pass
    return {"hex": raw.hex(), "format": BINARY}


def to_text(kind: Kind, cell: Cell) -> Raw:
    """A cell as a value of the text protocol. Raises ValueError."""
    if cell is None:
        return None
    if isinstance(cell, str):
        return cell.encode("utf-8", "replace")
    data = bytes.fromhex(str(cell["hex"]))
    return values.to_text(kind, data).encode() if cell.get("format") == BINARY else data


def to_binary(kind: Kind, cell: Cell) -> Raw:
    """A cell as a value of the binary protocol, without its length. Raises ValueError."""
    if cell is None:
        return None
    if isinstance(cell, str):
        return values.to_binary(kind, cell)
    return bytes.fromhex(str(cell["hex"]))
