"""What a client of the mock has prepared, and the rows that it fetches. Plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from wiretape_capture.protocols.mysql.packets import Column
from wiretape_capture.protocols.mysql.statements import Types
from wiretape_capture.protocols.sql import Statement

LONG_LIMIT = 64 * 1024 * 1024
"""Bytes of values that are sent in parts, for one statement."""


@dataclass(slots=True)
class Cursor:
    """Rows that are fetched some at a time."""

    rows: list[bytes]
    whole: bool
    """False where the recording ends before the last row."""
    given: int = 0


@dataclass(slots=True)
class Prepared:
    """A prepared statement."""

    sql: str
    statement: Statement
    params: int
    columns: tuple[Column, ...]
    ansi: bool = False
    types: Types = ()
    long: dict[int, bytes] = field(default_factory=dict)
    cursor: Cursor | None = None

    def document(self) -> dict[str, Any]:
        """As an exchange has it, without values."""
        return {"sql": self.sql} | ({"ansi": True} if self.ansi else {})
