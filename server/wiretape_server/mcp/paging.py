"""Cutting a list to one answer. A cursor stands for the last row shown, so that new rows in front move nothing.

It is opaque: names of rows may be recorded text, which has no place among our own words.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from wiretape_capture.errors import UsageError

ANSWER_BYTES = 4800
"""What the rows of one answer may take, so that with the rest of it it stays under 6 KB."""
ROW_BYTES = 600
"""What a row may take on average where more of them are asked for."""
MOST_DIGITS = 18
"""Of a sequence number: all of them fit into SQLite's integers."""


@dataclass(frozen=True)
class Page[T]:
    """Some of the rows."""

    rows: Sequence[T]
    total: int
    next_cursor: str | None
    left: int
    """Rows after this page."""


def page[T](rows: Sequence[T], name: Callable[[T], str], limit: int, cursor: str | None,
            size: Callable[[T], int] | None = None) -> Page[T]:  # fmt: skip
    """At most `limit` rows after the one of `cursor`; with `size`, in bytes, no more than an answer holds."""
    first = 0
    if cursor:
        cursors = [cursor_of(name(row)) for row in rows]
        if cursor not in cursors:
            raise _unknown()
        first = cursors.index(cursor) + 1
    shown = rows[first : first + limit]
    if size is not None:
        sums = accumulate(map(size, shown))
        shown = shown[: max(1, sum(total <= max(ANSWER_BYTES, limit * ROW_BYTES) for total in sums))]
    left = len(rows) - first - len(shown)
    return Page(shown, len(rows), cursor_of(name(shown[-1])) if left and shown else None, left)


def cursor_of(name: str) -> str:
    """The cursor of a row."""
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=9).digest()
    return base64.urlsafe_b64encode(digest).decode()


def number_cursor(number: int) -> str:
    """The cursor of a row that is found by its number without reading those before it."""
    return base64.urlsafe_b64encode(f"after {number}".encode()).decode().rstrip("=")


def number_of(cursor: str | None) -> int | None:
    """The number that such a cursor stands for."""
    if not cursor:
        return None
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except ValueError:
        raise _unknown() from None
    word, _, digits = text.partition(" ")
    if word != "after" or not digits.isdecimal() or not digits.isascii() or len(digits) > MOST_DIGITS:
        raise _unknown()
    return int(digits)


def _unknown() -> UsageError:
    return UsageError("this cursor is none that was given out", "leave it out to start at the first row")
