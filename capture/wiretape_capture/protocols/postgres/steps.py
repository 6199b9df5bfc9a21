"""What a connection waits for, and what it knows by name: the working state of the follower. Plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from wiretape_capture.protocols.observed import Emit
from wiretape_capture.protocols.postgres.cells import Cell, to_block
from wiretape_capture.protocols.postgres.wire import Bind, Column, Parse

RESULT_LIMIT = 64 * 1024 * 1024
"""Bytes of rows kept for one execution."""


@dataclass(slots=True)
class Result:
    """What one statement gave."""

    columns: tuple[Column, ...] | None = None
    rows: list[list[Cell]] = field(default_factory=list)
    tag: str = ""
    copied: list[bytes] | None = None
    copy_format: list[int] = field(default_factory=list)
    suspended: bool = False

    def told(self) -> dict[str, Any]:
        """As it is stored."""
        document: dict[str, Any] = {}
        if self.columns is not None:
            document["columns"] = columns_told(self.columns)
            document["rows"] = self.rows
        if self.tag:
            document["tag"] = self.tag
        if self.copied is not None:
            document |= {"copy": to_block(self.copied), "copy_format": self.copy_format}
        elif self.copy_format:
            document["copy_format"] = self.copy_format
        if self.suspended:
            document["suspended"] = True
        return document


def columns_told(columns: tuple[Column, ...]) -> list[dict[str, Any]]:
    """Columns as they are stored."""
    return [
        {"name": each.name, "type": each.type, "table": each.table, "number": each.number, "size": each.size,
         "modifier": each.modifier}
        for each in columns
    ]  # fmt: skip


@dataclass(slots=True)
class Execution:
    """One statement under way."""

    sql: str
    started: int
    place: Emit
    """Where in the recording it belongs."""
    params: list[Cell] | None = None
    types: list[int] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    notices: list[dict[str, str]] = field(default_factory=list)
    copied_in: list[bytes] | None = None
    cursor: str = ""
    """For FETCH and MOVE: the statement that declared the cursor."""
    size: int = 0
    dropped: int = 0

    @property
    def last(self) -> Result:
        """The result that rows go to."""
        if not self.results:
            self.results.append(Result())
        return self.results[-1]

    def admits(self, size: int) -> bool:
        """Whether so many bytes more are kept."""
        if self.size + size > RESULT_LIMIT:
            self.dropped += 1
            return False
        self.size += size
        return True


@dataclass(slots=True)
class Prepared:
    """A prepared statement."""

    sql: str
    types: list[int]
    columns: tuple[Column, ...] | None = None
    described_at: int = 0
    """When it was described, monotonic nanoseconds; 0 when it was not."""
    executed: bool = False


@dataclass(slots=True)
class Portal:
    """A prepared statement with its values."""

    prepared: Prepared
    bind: Bind
    columns: tuple[Column, ...] | None = None
    execution: Execution | None = None


@dataclass(slots=True)
class Step:
    """A message of the client that waits for its reply. `kind` is its letter; `0` stands for the startup."""

    kind: bytes
    at: int
    size: int = 0
    place: Emit | None = None
    """For what executes: its place in the recording."""
    parse: Parse | None = None
    bind: Bind | None = None
    target: tuple[bytes, bytes] = (b"", b"")
    """For Describe and Close: `S` or `P`, and a name; for Execute the portal's name is the second."""
    execution: Execution | None = None
    ahead: list[bytes] = field(default_factory=list)
    """Data of a COPY that the client sent before it was asked for it."""
    ended: bool = False
    """The end of that data came, too."""
