"""What the server's packets say: OK, EOF, errors, columns, prepared statements; both ways. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from wiretape_capture.protocols.mysql.wire import (
    EOF,
    EOF_LIMIT,
    ERR,
    OK,
    WHOLE,
    Capability,
    Extended,
    Malformed,
    Packet,
    Reader,
    Status,
    decoded,
    encoded,
    lenenc,
    string,
)

UNSAID_STATE = "HY000"
"""SQLSTATE of an error that has none of its own."""
_STATE = re.compile(r"[0-9A-Z]{5}\Z")


@dataclass(frozen=True, slots=True)
class Terms:
    """What both sides agreed on at the login, as far as it changes the form of packets."""

    capabilities: int
    extended: int = 0

    @property
    def short_end(self) -> bool:
        """Whether rows end with an OK packet, and columns with nothing (CLIENT_DEPRECATE_EOF)."""
        return bool(self.capabilities & Capability.DEPRECATE_EOF)

    @property
    def tracks(self) -> bool:
        """Whether OK packets tell of changes of the session (CLIENT_SESSION_TRACK)."""
        return bool(self.capabilities & Capability.SESSION_TRACK)

    @property
    def attributes(self) -> bool:
        """Whether statements may have attributes (CLIENT_QUERY_ATTRIBUTES)."""
        return bool(self.capabilities & Capability.QUERY_ATTRIBUTES)

    @property
    def long_columns(self) -> bool:
        """Whether columns have a field more (MARIADB_CLIENT_EXTENDED_METADATA)."""
        return bool(self.extended & Extended.METADATA)


@dataclass(frozen=True, slots=True)
class Done:
    """An OK or an EOF packet."""

    affected: int = 0
    insert_id: int = 0
    status: int = 0
    warnings: int = 0
    info: str = ""
    changes: bytes = b""
    """Session state, as it came."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An error."""

    code: int
    state: str
    message: str


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a result, or a parameter of a statement."""

    name: str
    type: int
    flags: int = 0
    decimals: int = 0
    length: int = 0
    charset: int = 63
    schema: str = ""
    table: str = ""
    org_table: str = ""
    org_name: str = ""
    extended: str = ""
    """MariaDB's extended metadata, hexadecimal."""


@dataclass(frozen=True, slots=True)
class PrepareOk:
    """The answer to COM_STMT_PREPARE, before its columns."""

    statement: int
    columns: int
    params: int
    warnings: int


def is_end(one: Packet, terms: Terms) -> bool:
    """Whether a packet among rows ends them."""
    return one.first == EOF and one.size < (WHOLE if terms.short_end else EOF_LIMIT)


def read_end(payload: bytes, terms: Terms) -> Done:
    """What ends rows or columns."""
    if terms.short_end and len(payload) >= 7:
        return read_ok(payload, terms)
    reader = Reader(payload, 1)
    if reader.left < 4:
        return Done()
    warnings = reader.number(2)
    return Done(status=reader.number(2), warnings=warnings)


def read_ok(payload: bytes, terms: Terms) -> Done:
    """An OK packet, whatever its first byte."""
    reader = Reader(payload, 1)
    affected, insert_id = reader.lenenc(), reader.lenenc()
    status, warnings = reader.number(2), reader.number(2)
    if not terms.tracks or not reader.left:
        return Done(affected, insert_id, status, warnings, decoded(reader.rest()))
    info = decoded(reader.string())
    changes = reader.string() if status & Status.SESSION_CHANGED and reader.left else b""
    return Done(affected, insert_id, status, warnings, info, changes)


def write_ok(done: Done, terms: Terms, first: int = OK) -> bytes:
    """An OK packet; session state is left out."""
    status = done.status & ~Status.SESSION_CHANGED
    head = (
        bytes((first,)) + lenenc(done.affected) + lenenc(done.insert_id) + status.to_bytes(2, "little")
        + min(done.warnings, 0xFFFF).to_bytes(2, "little")
    )  # fmt: skip
    info = encoded(done.info)
    if terms.tracks:
        return head + (string(info) if info else b"")
    return head + info


def write_end(done: Done, terms: Terms) -> bytes:
    """What ends rows."""
    if terms.short_end:
        return write_ok(done, terms, EOF)
    return write_eof(done)


def write_eof(done: Done) -> bytes:
    """An EOF packet of the old form."""
    return bytes((EOF,)) + min(done.warnings, 0xFFFF).to_bytes(2, "little") + done.status.to_bytes(2, "little")


def read_error(payload: bytes) -> Failure:
    """An ERR packet."""
    reader = Reader(payload, 1)
    code, rest = reader.number(2), reader.rest()
    if rest[:1] == b"#" and len(rest) >= 6:
        return Failure(code, state_of(rest[1:6].decode("latin-1")), decoded(rest[6:]))
    return Failure(code, UNSAID_STATE, decoded(rest))


def state_of(text: str) -> str:
    """A SQLSTATE; what is none becomes HY000."""
    return text if _STATE.match(text) else UNSAID_STATE


def write_error(failure: Failure) -> bytes:
    """An ERR packet."""
    return (
        bytes((ERR,)) + failure.code.to_bytes(2, "little") + b"#" + failure.state.encode("latin-1", "replace")
        + encoded(failure.message)
    )  # fmt: skip


def read_column(payload: bytes, terms: Terms) -> Column:
    """A column definition (Protocol::ColumnDefinition41)."""
    reader = Reader(payload)
    reader.string()  # the catalog, always "def"
    schema, table, org_table, name, org_name = (decoded(reader.string()) for _ in range(5))
    extended = reader.string().hex() if terms.long_columns else ""
    if reader.lenenc() < 12:
        raise Malformed("a column definition is too short")
    charset, length, kind = reader.number(2), reader.number(4), reader.number(1)
    flags, decimals = reader.number(2), reader.number(1)
    return Column(name, kind, flags, decimals, length, charset, schema, table, org_table, org_name, extended)


def write_column(column: Column, terms: Terms) -> bytes:
    """A column definition."""
    names = (column.schema, column.table, column.org_table, column.name, column.org_name)
    extended = string(bytes.fromhex(column.extended)) if terms.long_columns else b""
    return (
        b"\x03def" + b"".join(string(encoded(each)) for each in names) + extended + b"\x0c"
        + column.charset.to_bytes(2, "little") + column.length.to_bytes(4, "little") + bytes((column.type,))
        + column.flags.to_bytes(2, "little") + bytes((column.decimals, 0, 0))
    )  # fmt: skip


def read_prepared(payload: bytes) -> PrepareOk:
    """The first packet of the answer to COM_STMT_PREPARE."""
    reader = Reader(payload, 1)
    statement, columns, params = reader.number(4), reader.number(2), reader.number(2)
    reader.take(1)
    return PrepareOk(statement, columns, params, reader.number(2) if reader.left >= 2 else 0)


def write_prepared(told: PrepareOk) -> bytes:
    """The first packet of the answer to COM_STMT_PREPARE."""
    return (
        b"\0" + told.statement.to_bytes(4, "little") + told.columns.to_bytes(2, "little")
        + told.params.to_bytes(2, "little") + b"\0" + min(told.warnings, 0xFFFF).to_bytes(2, "little")
    )  # fmt: skip


def write_columns(columns: Sequence[Column], terms: Terms, status: int) -> list[bytes]:
    """The payloads that describe columns, with their end where the terms want one."""
    told = [write_column(each, terms) for each in columns]
    return told if terms.short_end else [*told, write_eof(Done(status=status))]
