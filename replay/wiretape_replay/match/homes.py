"""Where the data of a recorded statement lies: its table, and the value by which the recording reads rows of it. Pure.

A write and a read are related when they are about the same table and share that value, or when one of them is about the
whole table. Without it, what others write meanwhile would move on what a connection reads of its own rows.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Protocol

from wiretape_replay.match.commands import CommandParts
from wiretape_replay.match.parts import Parts
from wiretape_replay.match.statements import StatementParts
from wiretape_replay.match.volatile import text_of

type Table = tuple[str, str]
"""Service and table."""

_MARKS = re.compile(r"[()?]|\bwhere\b")

ELSEWHERE = "\0elsewhere"
"""Stands for rows that no read names: an INSERT of such rows changes only what is read of the whole table."""


class Asks(Protocol):
    """What was asked of a service, in whatever form it is kept."""

    @property
    def parts(self) -> Parts: ...


def homes[A: Asks](recorded: Iterable[A]) -> Iterator[tuple[A, tuple[tuple[str, ...], ...]]]:
    """The commands of databases among what was recorded, each with the paths to its data below its service."""
    recorded = list(recorded)
    yield from ((each, each.parts.homes) for each in recorded if isinstance(each.parts, CommandParts))
    statements = [(each, each.parts) for each in recorded if isinstance(each.parts, StatementParts)]
    read: dict[Table, Counter[str]] = {}
    for _, parts in statements:
        if parts.tables and not parts.writes:
            read.setdefault((parts.service, parts.tables[0]), Counter()).update(set(_values(parts)))
    for each, parts in statements:
        yield each, (_home(parts, read),)


def rows_of(parts: StatementParts) -> tuple[str, ...]:
    """The values by which a statement that changes rows finds them; none where it says none."""
    return tuple(_values(parts, of_rows=True)) if parts.method.upper() in ("UPDATE", "DELETE") else ()


def _home(parts: StatementParts, read: dict[Table, Counter[str]]) -> tuple[str, ...]:
    if not parts.tables:
        return ()
    table = parts.tables[0]
    known = read.get((parts.service, table), Counter())
    named = [value for value in _values(parts, of_rows=True) if value in known]
    named = named or [value for value in _values(parts) if value in known]
    if named:
        # What is in fewest reads names a row, not a limit or a state; a text does so sooner than a number.
        return table, min(named, key=lambda value: (value.isdecimal(), known[value]))
    if parts.writes:
        return (table, ELSEWHERE) if parts.method.upper() == "INSERT" else (table,)
    return (table,) if len(parts.tables) == 1 else ()


def _values(parts: StatementParts, *, of_rows: bool = False) -> Iterator[str]:
    """What is bound; with `of_rows` only by what an UPDATE finds its rows, not what it makes of them."""
    bound = [value for where, value in parts.content.leaves if where.startswith("bind/")]
    first = _before_where(parts.path, len(bound)) if of_rows and parts.method.upper() == "UPDATE" else 0
    return (text_of(value) for value in bound[first:] if isinstance(value, str | int) and not isinstance(value, bool))


def _before_where(template: str, count: int) -> int:
    """How many of a statement's values stand before its own WHERE."""
    depth = before = 0
    for found in _MARKS.finditer(template) if template.count("?") == count else ():
        if found[0] == "where" and not depth:
            return before
        depth += {"(": 1, ")": -1}.get(found[0], 0)
        before += found[0] == "?"
    return 0
