"""Cutting a list to one answer: a cursor is the name of the last row shown, so that new rows move nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from wiretape_capture.errors import UsageError


@dataclass(frozen=True)
class Page[T]:
    """Some of the rows."""

    rows: Sequence[T]
    total: int
    next_cursor: str | None
    left: int
    """Rows after this page."""


def page[T](rows: Sequence[T], name: Callable[[T], str], limit: int, cursor: str | None) -> Page[T]:
    """At most `limit` rows after the one that `cursor` names."""
    first = 0
    if cursor:
        names = [name(row) for row in rows]
        if cursor not in names:
            raise UsageError(f"cursor {cursor!r} is none that was given out", "leave it out to start at the first row")
        first = names.index(cursor) + 1
    shown = rows[first : first + limit]
    left = len(rows) - first - len(shown)
    return Page(shown, len(rows), name(shown[-1]) if left and shown else None, left)
