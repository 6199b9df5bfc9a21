"""What a client of the mock has prepared: statements, and portals with their values and rows, a COPY. Plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from wiretape_capture.protocols.postgres import wire
from wiretape_capture.protocols.postgres.cells import Cell, to_cell
from wiretape_capture.protocols.postgres.sql import cursor_of, tokens
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


_LETS_GO = frozenset({"CLOSE", "DEALLOCATE", "DISCARD"})


@dataclass(frozen=True, slots=True)
class Held:
    """What a connection holds by name until it is told to let go of it."""

    statements: dict[bytes, Prepared] = field(default_factory=dict)
    portals: dict[bytes, Portal] = field(default_factory=dict)
    cursors: dict[str, str] = field(default_factory=dict)
    """What declared each."""

    def let_go(self, command: str, sql: str, encoding: str) -> bool:
        """Carry out CLOSE, DEALLOCATE or DISCARD; whether there was such a thing. Other commands let go of nothing."""
        if command not in _LETS_GO:
            return False
        every, name = _named(sql)
        if command == "DISCARD" and not every:
            return False
        before, key = self._count(), name.encode(encoding, "replace")
        if command != "CLOSE":
            _drop(self.statements, key, every=every)
        if command != "DEALLOCATE":
            _drop(self.portals, key, every=every)
            _drop(self.cursors, name, every=every)
        return self._count() < before

    def _count(self) -> int:
        return len(self.statements) + len(self.portals) + len(self.cursors)


def _drop[K](kept: dict[K, Any], name: K, *, every: bool) -> None:
    if every:
        kept.clear()
    else:
        kept.pop(name, None)


def _named(sql: str) -> tuple[bool, str]:
    """Whether ALL are meant, and the last name of a statement."""
    last = [each for each in tokens(sql) if each.kind in ("word", "quoted")][-1]
    if last.kind == "quoted":
        return False, last.text[1:-1].replace('""', '"')
    return last.text.lower() == "all", last.text.lower()


class Copying:
    """A COPY FROM that takes data."""

    def __init__(self, statement: Statement, document: dict[str, Any], rest: list[str] | None) -> None:
        self.statement = statement
        self.document = document
        self.rest = rest
        self.chunks: list[bytes] = []
        self.size = 0
