"""Recorded answers as payloads of the protocol, in the form that was agreed on. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from wiretape_capture.protocols.mysql import cells, packets, wire
from wiretape_capture.protocols.mysql.cells import Cell
from wiretape_capture.protocols.mysql.packets import Column, Done, Failure, Terms
from wiretape_capture.protocols.mysql.statements import write_binary_row
from wiretape_capture.protocols.mysql.told import column_of
from wiretape_capture.protocols.mysql.values import Kind
from wiretape_capture.protocols.mysql.wire import Status
from wiretape_replay.mock.sql.desk import Spell


def columns_in(result: Mapping[str, Any]) -> tuple[Column, ...] | None:
    """The columns of a result; None for one that has no rows of any kind."""
    return tuple(map(column_of, result["columns"])) if "columns" in result else None


def done_of(result: Mapping[str, Any], status: int, spell: Spell) -> Done:
    """How a result ended."""
    insert_id = int(result.get("insert_id", 0))
    if insert_id and spell is not None and (live := spell(str(insert_id))).isdecimal():
        insert_id = int(live)
    status |= Status.OUT_PARAMS if result.get("out") else 0
    return Done(int(result.get("affected", 0)), insert_id, status, int(result.get("warnings", 0)),
                str(result.get("info", "")))  # fmt: skip


def described(columns: Sequence[Column], terms: Terms, status: int) -> Iterator[bytes]:
    """How many columns come, and what they are."""
    yield wire.lenenc(len(columns))
    yield from packets.write_columns(columns, terms, status)


def rows_of(result: Mapping[str, Any], columns: Sequence[Column], spell: Spell, *, binary: bool) -> list[bytes]:
    """One payload for each row. Raises ValueError where the recording cannot give a value in this protocol."""
    kinds = [Kind(each.type, each.flags, each.decimals, each.length) for each in columns]
    return [_row([_spelled(cell, spell) for cell in row], kinds, binary=binary) for row in result["rows"]]


def _spelled(cell: Cell, spell: Spell) -> Cell:
    return spell(cell) if spell is not None and isinstance(cell, str) else cell


def _row(row: Sequence[Cell], kinds: Sequence[Kind], *, binary: bool) -> bytes:
    if binary:
        return write_binary_row([(kind.type, cells.to_binary(kind, cell))
                                 for kind, cell in zip(kinds, row, strict=False)])  # fmt: skip
    return b"".join(wire.raw(cells.to_text(kind, cell)) for kind, cell in zip(kinds, row, strict=False))


def whole(result: Mapping[str, Any], terms: Terms, status: int, spell: Spell, *, binary: bool) -> list[bytes]:
    """A result from its first payload to its last. Raises ValueError."""
    columns = columns_in(result)
    done = done_of(result, status, spell)
    if columns is None:
        return [packets.write_ok(done, terms)]
    ended = Done(status=done.status, warnings=done.warnings)
    rows = rows_of(result, columns, spell, binary=binary)
    return [*described(columns, terms, done.status), *rows, packets.write_end(ended, terms)]


def error(told: Mapping[str, Any]) -> bytes:
    """An ERR packet."""
    return packets.write_error(Failure(int(told.get("code", 1105)), str(told.get("state", packets.UNSAID_STATE)),
                                       str(told.get("message", ""))))  # fmt: skip
