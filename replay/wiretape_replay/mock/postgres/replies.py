"""Recorded answers as messages of the protocol, in the formats that a client asked for. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wiretape_capture.protocols.postgres import wire
from wiretape_capture.protocols.postgres.cells import from_block, from_cell
from wiretape_capture.protocols.postgres.wire import Column
from wiretape_replay.mock.postgres.recording import UNSAID_TYPE, column_of
from wiretape_replay.mock.sql.desk import Spell

NUMBER_TYPE = 23
"""`int4` of pg_type."""
VOID_TYPE = 2278
"""`void` of pg_type."""
UNLOCKED = "pg_advisory_unlock_all"
"""The column of what lets go of all advisory locks: nothing is in it."""


def columns_in(result: Mapping[str, Any]) -> tuple[Column, ...] | None:
    """The columns of a result; None for one without rows of any kind."""
    return tuple(map(column_of, result["columns"])) if "columns" in result else None


def rows_of(result: Mapping[str, Any], columns: Sequence[Column], formats: Sequence[int], encoding: str,
            spell: Spell) -> list[bytes]:  # fmt: skip
    """One DataRow for each row. Raises ValueError where the recording cannot give a value in its format."""
    types = [each.type for each in columns]
    forms = [wire.format_at(formats, at) for at in range(len(columns))]
    return [
        wire.write_row([
            from_cell(oid, form, spell(cell) if spell is not None and isinstance(cell, str) else cell, encoding)
            for oid, form, cell in zip(types, forms, row, strict=False)
        ])
        for row in result["rows"]
    ]  # fmt: skip


def single_value(column: str, value: str, tag: str = "SELECT 1") -> dict[str, Any]:
    """A result of one text, of nothing, or of the number that a pool selects to see whether the server is there."""
    number = column == "?column?" and value.isdigit()
    kind, size = (VOID_TYPE, 4) if column == UNLOCKED else (NUMBER_TYPE if number else UNSAID_TYPE, -1)
    told = {"name": column, "type": kind, "table": 0, "number": 0, "size": size, "modifier": -1}
    return {"columns": [told], "rows": [[value]], "tag": tag}


def described(columns: Sequence[Column] | None, formats: Sequence[int], encoding: str) -> bytes:
    """RowDescription, or NoData."""
    return wire.message(b"n") if columns is None else wire.write_columns(columns, formats, encoding)


def copied_out(result: Mapping[str, Any]) -> bytes:
    """The data of a COPY TO, with what begins and ends it."""
    overall, *forms = result.get("copy_format") or [0]
    head = bytes((overall,)) + len(forms).to_bytes(2) + b"".join(form.to_bytes(2) for form in forms)
    data = b"".join(wire.message(b"d", each) for each in from_block(result["copy"]))
    return wire.message(b"H", head) + data + wire.message(b"c")


def copy_in(copy_format: Sequence[int]) -> bytes:
    """CopyInResponse."""
    overall, *forms = copy_format
    head = bytes((overall,)) + len(forms).to_bytes(2) + b"".join(form.to_bytes(2) for form in forms)
    return wire.message(b"G", head)


def complete(tag: str) -> bytes:
    """CommandComplete, or EmptyQueryResponse for no tag."""
    return wire.message(b"C", wire.text(tag)) if tag else wire.message(b"I")


def ready(state: str) -> bytes:
    """ReadyForQuery."""
    return wire.message(b"Z", state.encode())


def fields(kind: bytes, told: Mapping[str, str], encoding: str = "utf-8") -> bytes:
    """ErrorResponse or NoticeResponse."""
    return wire.write_fields(kind, told.items(), encoding)


def reported(name: str, value: str) -> bytes:
    """ParameterStatus."""
    return wire.message(b"S", wire.text(name) + wire.text(value))


def notification(channel: str, payload: str) -> bytes:
    """NotificationResponse; the process is the mock's own connection."""
    return wire.message(b"A", (1).to_bytes(4) + wire.text(channel) + wire.text(payload))
