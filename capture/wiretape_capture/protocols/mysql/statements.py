"""What a client sends to run a statement: texts, bound values, attributes; both protocols. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from wiretape_capture.protocols.mysql import values
from wiretape_capture.protocols.mysql.cells import Cell, of_binary
from wiretape_capture.protocols.mysql.packets import Terms
from wiretape_capture.protocols.mysql.values import Kind, Type
from wiretape_capture.protocols.mysql.wire import Malformed, Reader, decoded

PARAMETER_COUNT_AVAILABLE = 0x08
"""Flag of COM_STMT_EXECUTE: the packet says how many parameters it has."""
CURSOR = 0x07
"""Flags of COM_STMT_EXECUTE that ask for a cursor."""
UNSIGNED = 0x8000
"""Of a parameter's type."""
LAST_PREPARED = 0xFFFFFFFF
"""Stands for the statement that was prepared last (MariaDB)."""
BULK_TYPES, BULK_RESULTS = 0x80, 0x40
"""Flags of COM_STMT_BULK_EXECUTE."""
BULK_VALUE, BULK_NULL = 0, 1
"""Indicators before each value of COM_STMT_BULK_EXECUTE; others stand for the column's default and for no change."""

type Types = tuple[int, ...]
"""Types of parameters, with `UNSIGNED` where that is said."""


@dataclass(frozen=True, slots=True)
class Query:
    """COM_QUERY."""

    sql: str
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Execute:
    """COM_STMT_EXECUTE, or one row of values of COM_STMT_BULK_EXECUTE."""

    statement: int
    cursor: bool
    types: Types
    params: list[Cell]
    attributes: dict[str, Any] = field(default_factory=dict)


def kind_of(code: int) -> Kind:
    """What a parameter's type says."""
    return Kind(code & 0xFF, values.UNSIGNED if code & UNSIGNED else 0)


def read_query(payload: bytes, terms: Terms) -> Query:
    """A text, after its attributes where the terms have any."""
    reader = Reader(payload, 1)
    if not terms.attributes:
        return Query(decoded(reader.rest()))
    count = reader.lenenc()
    reader.lenenc()  # how many sets of values: always one
    if not count:
        return Query(decoded(reader.rest()))
    cells, names, _ = _values(reader, count, named=True, before=(), long={})
    return Query(decoded(reader.rest()), dict(zip(names, cells, strict=True)))


def statement_in(payload: bytes) -> int:
    """The statement that COM_STMT_EXECUTE, FETCH, CLOSE, RESET or SEND_LONG_DATA is about."""
    return Reader(payload, 1).number(4)


def read_fetch(payload: bytes) -> int:
    """How many rows COM_STMT_FETCH wants."""
    reader = Reader(payload, 5)
    return reader.number(4)


def read_long_data(payload: bytes) -> tuple[int, int, bytes]:
    """Statement, parameter and a part of its value, of COM_STMT_SEND_LONG_DATA."""
    reader = Reader(payload, 1)
    return reader.number(4), reader.number(2), reader.rest()


def read_execute(payload: bytes, terms: Terms, count: int, before: Types, long: dict[int, bytes]) -> Execute:
    """The fields of COM_STMT_EXECUTE of a statement with `count` parameters.

    `before` are the types of the last execution, which hold where none are sent; `long` are values sent ahead.
    """
    reader = Reader(payload, 1)
    statement, flags = reader.number(4), reader.number(1)
    reader.take(4)  # iterations, always 1
    total = count
    if terms.attributes and (count or flags & PARAMETER_COUNT_AVAILABLE):
        total = reader.lenenc()
    if not total:
        return Execute(statement, bool(flags & CURSOR), (), [])
    cells, names, types = _values(reader, total, named=terms.attributes, before=before, long=long)
    attributes = dict(zip(names[count:], cells[count:], strict=False))
    return Execute(statement, bool(flags & CURSOR), types[:count], cells[:count], attributes)


def _values(reader: Reader, count: int, *, named: bool, before: Types,
            long: dict[int, bytes]) -> tuple[list[Cell], list[str], Types]:  # fmt: skip
    """Values with their names and types: a bitmap of NULLs, the types where they are new, what is not NULL."""
    nulls = reader.take((count + 7) // 8)
    types, names = before, [""] * count
    if reader.number(1):
        found = []
        for at in range(count):
            found.append(reader.number(2))
            if named:
                names[at] = decoded(reader.string())
        types = tuple(found)
    if len(types) < count:
        raise Malformed("values without their types")
    cells = [None if nulls[at // 8] >> at % 8 & 1 else _cell(reader, types[at], long.get(at)) for at in range(count)]
    return cells, names, types


def _cell(reader: Reader, code: int, sent: bytes | None) -> Cell:
    kind = kind_of(code)
    if sent is not None:
        return of_binary(Kind(Type.VAR_STRING), sent)
    if kind.type == Type.NULL:
        return None
    return of_binary(kind, values.read_value(reader, kind.type))


def read_bulk(payload: bytes, count: int, before: Types) -> tuple[int, Types, list[list[Cell]]]:
    """Statement, types and rows of values of COM_STMT_BULK_EXECUTE."""
    reader = Reader(payload, 1)
    statement, flags = reader.number(4), reader.number(2)
    types = tuple(reader.number(2) for _ in range(count)) if flags & BULK_TYPES else before
    if len(types) < count or not count:
        raise Malformed("values without their types")
    rows = []
    while reader.left:
        rows.append([_indicated(reader, code) for code in types])
    return statement, types, rows


def _indicated(reader: Reader, code: int) -> Cell:
    indicator = reader.number(1)
    if indicator == BULK_VALUE:
        return _cell(reader, code, None)
    return None if indicator == BULK_NULL else {"indicator": indicator}


def read_binary_row(payload: bytes, kinds: Sequence[Kind]) -> list[Cell]:
    """The values of a row of the binary protocol."""
    reader = Reader(payload, 1)
    nulls = reader.take((len(kinds) + 9) // 8)
    return [
        None if nulls[(at + 2) // 8] >> (at + 2) % 8 & 1
        else of_binary(kind, values.read_value(reader, kind.type)) for at, kind in enumerate(kinds)
    ]  # fmt: skip


def write_binary_row(raws: Sequence[tuple[int, bytes | None]]) -> bytes:
    """A row of the binary protocol from types and values, None for NULL."""
    nulls = bytearray((len(raws) + 9) // 8)
    for at, (_, data) in enumerate(raws):
        if data is None:
            nulls[(at + 2) // 8] |= 1 << (at + 2) % 8
    return b"\0" + bytes(nulls) + b"".join(values.write_value(kind, data) for kind, data in raws if data is not None)
