"""One value in a recording: its text where that says all, else its bytes with their format. Pure.

A cell is None for NULL, a text, or `{"hex": "…", "format": 1}`. What is a text can be given out in either format.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wiretape_capture.protocols.postgres import values
from wiretape_capture.protocols.postgres.wire import BINARY, TEXT, Raw

type Cell = str | dict[str, Any] | None

ENCODINGS = {
    "UTF8": "utf-8", "UNICODE": "utf-8", "SQL_ASCII": "utf-8", "LATIN1": "latin-1", "LATIN9": "iso8859-15",
    "WIN1250": "cp1250", "WIN1251": "cp1251", "WIN1252": "cp1252", "KOI8R": "koi8-r", "EUC_JP": "euc-jp",
    "EUC_KR": "euc-kr", "GBK": "gbk", "BIG5": "big5", "SJIS": "shift-jis",
}  # fmt: skip


def codec_of(client_encoding: str) -> str:
    """Python's name of a `client_encoding`; UTF-8 for one that is not known."""
    return ENCODINGS.get(client_encoding.upper().replace("-", "").replace("ISO8859", "LATIN"), "utf-8")


def to_cell(oid: int, form: int, raw: Raw, encoding: str = "utf-8") -> Cell:
    """What is kept of a value of a type (0: not known) in a format."""
    if raw is None:
        return None
    text = _decoded(raw, encoding) if form == TEXT else _read(oid, raw)
    return text if text is not None else {"hex": raw.hex(), "format": form}


def _decoded(raw: bytes, encoding: str) -> str | None:
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        return None


def _read(oid: int, raw: bytes) -> str | None:
    """The text of a binary value, if the same bytes come of it again."""
    text = values.to_text(oid, raw)
    try:
        return text if text is not None and values.to_binary(oid, text) == raw else None
    except ValueError:
        return None


def from_cell(oid: int, form: int, cell: Cell, encoding: str = "utf-8") -> Raw:
    """The value in a format. Raises ValueError where the recording cannot give it in that format."""
    if cell is None:
        return None
    if isinstance(cell, str):
        return values.to_binary(oid, cell) if form == BINARY else cell.encode(encoding, "replace")
    if cell.get("format") != form:
        raise ValueError(f"a value of type {oid} was recorded in the other format")
    return bytes.fromhex(str(cell["hex"]))


def to_block(chunks: Sequence[bytes]) -> Cell:
    """The data of a COPY: its text, or its messages as hexadecimal numbers, where it is no text of whole lines."""
    text = _decoded(b"".join(chunks), "utf-8")
    if text is not None and "\0" not in text:
        return text
    return {"chunks": [chunk.hex() for chunk in chunks]}


def from_block(cell: Cell) -> list[bytes]:
    """The messages of a COPY's data: one for each line of a text, as the server sends them."""
    if isinstance(cell, str):
        return cell.encode().splitlines(keepends=True)
    return [bytes.fromhex(chunk) for chunk in cell["chunks"]] if cell else []
