"""Rows as aligned text that fits a width. Pure; recorded text can never send control codes to the terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

GAP = "  "
NARROWEST = 8
"""Columns that a cut cell keeps."""


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], *, width: int | None = None,
          flexible: Sequence[str] = (), right: Sequence[str] = ()) -> list[str]:  # fmt: skip
    """Aligned lines, header first. Where they would not fit into `width`, the `flexible` columns are cut in turn."""
    cells = [[visible(cell) for cell in row] for row in (headers, *rows)]
    widths = [max(columns(row[index]) for row in cells) for index in range(len(headers))]
    for name in flexible if width is not None else ():
        index = list(headers).index(name)
        excess = sum(widths) + len(GAP) * (len(widths) - 1) - (width or 0)
        widths[index] = max(min(widths[index], NARROWEST), widths[index] - max(excess, 0))
    to_right = {index for index, name in enumerate(headers) if name in right}
    return [
        GAP.join(pad(cut(cell, widths[i]), widths[i], right=i in to_right) for i, cell in enumerate(row)).rstrip()
        for row in cells
    ]


def visible(text: str) -> str:
    r"""`text` with control and invisible format characters as escapes such as `\x1b`."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def columns(text: str) -> int:
    """How many terminal columns `text` takes."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
               for char in text)  # fmt: skip


def cut(text: str, width: int) -> str:
    """`text` in at most `width` columns, an ellipsis standing for what is missing."""
    if columns(text) <= width:
        return text
    kept = ""
    for char in text:
        if columns(kept + char) > width - 1:
            break
        kept += char
    return kept + "…"


def pad(text: str, width: int, *, right: bool = False) -> str:
    """`text` filled up with spaces to `width` columns."""
    space = " " * (width - columns(text))
    return space + text if right else text + space
