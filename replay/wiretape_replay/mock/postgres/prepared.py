"""What a client of the mock has prepared: statements, and portals with their values and rows, a COPY. Plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from wiretape_capture.protocols.postgres import wire
from wiretape_capture.protocols.postgres.cells import Cell, to_cell
from wiretape_capture.protocols.postgres.sql import cursor_of
from wiretape_capture.protocols.postgres.wire import Bind, Column
from wiretape_capture.protocols.sql import Statement


@dataclass(frozen=True, slots=True)
class Prepared:
    """A prepared statement."""

    sql: str
    statement: Statement
    template: str
    """As it is matched: without a cursor's name."""
    types: tuple[int, ...]
    """Of its parameters: what the client declared, else what the recording knows, else text."""

    def document(self, cursors: dict[str, str], params: Sequence[Cell] | None = None) -> dict[str, Any]:
        """As an exchange has it."""
        document: dict[str, Any] = {"sql": self.sql}
        if params is not None:
            document |= {"params": list(params), "types": list(self.types[: len(params)])}
        return with_cursor(document, cursors)


def with_cursor(document: dict[str, Any], cursors: dict[str, str]) -> dict[str, Any]:
    """The document with the statement that declared the cursor which it fetches from."""
    name = cursor_of(document["sql"])
    declared = cursors.get(name, "") if name else ""
    return document | {"cursor": declared} if declared and declared != document["sql"] else document


def deallocate(prepared: dict[bytes, Prepared], sql: str, encoding: str) -> None:
    """What DEALLOCATE or DISCARD leaves of them."""
    name = sql.rstrip("; \n").split()[-1].strip('"')
    if name.lower() == "all":
        prepared.clear()
    else:
        prepared.pop(name.encode(encoding, "replace"), None)


@dataclass(slots=True)
class Portal:
    """A prepared statement with its values, and what is left of its rows."""

    prepared: Prepared
    params: list[Cell]
    formats: tuple[int, ...]
    """Of its results."""
    columns: tuple[Column, ...] | None = None
    rows: list[bytes] | None = None
    """None until it is executed."""
    given: int = 0
    tag: str = ""
    suspended: bool = False
    """The recording ends before the last row."""
    after: list[bytes] = field(default_factory=list)


def bound(prepared: Prepared, bind: Bind, encoding: str) -> Portal:
    """The portal that a Bind makes."""
    types = [*prepared.types, *[0] * len(bind.values)]
    params = [to_cell(types[at], wire.format_at(bind.formats, at), raw, encoding) for at, raw in enumerate(bind.values)]
    return Portal(prepared, params, bind.results)


class Copying:
    """A COPY FROM that takes data."""

    def __init__(self, statement: Statement, document: dict[str, Any], rest: list[str] | None) -> None:
        self.statement = statement
        self.document = document
        self.rest = rest
        self.chunks: list[bytes] = []
        self.size = 0
