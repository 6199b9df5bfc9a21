"""A SQL statement taken apart for matching: its template, and its constants and bound values as one vector. Pure.

Whether a driver bound a value or wrote it into the text, in which format and under which names, does not count; a
cursor's name does not either, what it was declared for does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import orjson

from wiretape_capture.protocols.mysql import sql as mysql_sql
from wiretape_capture.protocols.mysql import told as mysql_told
from wiretape_capture.protocols.mysql.wire import encoded, is_all_text
from wiretape_capture.protocols.postgres.sql import cursor_of, statement_of
from wiretape_capture.protocols.postgres.told import CONNECT, DESCRIBE, DISCONNECT, NOTIFICATION
from wiretape_capture.protocols.postgres.values import micros_of, stamp_of
from wiretape_capture.protocols.sql import Statement
from wiretape_capture.snapshot.exchange import Exchange, Protocol, Request
from wiretape_replay.match.content import Content
from wiretape_replay.match.database import DatabaseParts
from wiretape_replay.match.parts import Leaf

POSTGRES, MYSQL = "postgres", "mysql"
"""Versions of requests that are statements."""
ABORTED = "25P02"
"""SQLSTATE in_failed_sql_transaction: says nothing about the statement that got it."""
NO_STATEMENTS = {
    Protocol.POSTGRES: frozenset({CONNECT, DESCRIBE, NOTIFICATION, DISCONNECT}),
    Protocol.MYSQL: frozenset({mysql_told.CONNECT, mysql_told.PREPARED}),
}
"""Commands of exchanges that execute nothing, by the protocols whose commands are statements."""
LONGEST = 64 << 10
"""Characters of a value, or of a COPY's data, that are compared as they are; of more the hash is."""

_STAMP = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?\s*(Z|[+-]\d\d(:?\d\d)?)?\Z")
_WHOLE = re.compile(r"-?\d+\.0\Z")

_PROBE = re.compile(r"select \?\Z|select @@[\w.]+ limit \?\Z|show ")
_CATALOG = re.compile(r"\b(?:from|join) (?:pg_\w+|information_schema)\b")

_SET = re.compile(r"\bin \(\?(?:, \?)+\)|\bany\(\?")
_PLAIN_ARRAY = re.compile(r"\{[^{}\"\\]+\}\Z")

type Value = str | None


def is_statement(exchange: Exchange) -> bool:
    """Whether an exchange executes a statement for its data: no login, no transaction, no answer for its sake."""
    others = NO_STATEMENTS.get(exchange.protocol)
    if others is None or exchange.command in others or exchange.status == ABORTED:
        return False
    statement = statement_in(document_of(exchange.request), exchange.protocol)
    return bool(statement.template) and not of_connection(statement)


def statement_in(document: Mapping[str, Any], version: str) -> Statement:
    """The statement of a document, by the rules of its protocol."""
    sql = str(document.get("sql", ""))
    return mysql_sql.statement_of(sql, ansi=bool(document.get("ansi"))) if version == MYSQL else statement_of(sql)


def of_connection(statement: Statement) -> bool:
    """Whether a statement is answered from the state of its connection, which the mock keeps itself."""
    return statement.session or mysql_sql.asks_insert_id(statement)


def spoken(statement: Statement) -> str:
    """The template of a statement, of a setting with its value, which decides what becomes of later statements."""
    template, constants = statement.template, statement.constants
    if statement.command != "SET" or "autocommit" not in template or template.count("?") != len(constants):
        return template
    told = iter(constants)
    return re.sub(r"\?", lambda _: str(next(told)), template)


@dataclass(frozen=True, slots=True)
class StatementParts(DatabaseParts):
    """One statement."""

    tables: tuple[str, ...] = ()
    several: bool = False

    @property
    def housekeeping(self) -> bool:
        """`select 1`, `select version()`, a read of the server's catalog, several statements of which none is more."""
        if self.several:
            return not self.changes
        probes = not self.tables and (not self.content.leaves or bool(_PROBE.match(self.path)))
        return not self.changes and (probes or bool(_CATALOG.search(self.path)))


def parts_of_statement(service: str, document: Mapping[str, Any], version: str = POSTGRES) -> StatementParts:
    """The normalised form of a statement's document (docs/snapshot-format.md)."""
    statement = statement_in(document, version)
    template = statement.template if version == MYSQL else _template(statement, str(document.get("sql", "")))
    values = _unordered(template, list(_vector(statement, document.get("params") or ())))
    leaves: list[Leaf] = [(f"bind/{at}", value) for at, value in enumerate(values, 1)]
    if declared := str(document.get("cursor") or ""):
        of = statement_of(declared)
        template = f"{template} [{_template(of, declared)}]"
        leaves += [(f"cursor/{at}", value) for at, value in enumerate(_vector(of, ()), 1)]
    if "copy" in document:
        leaves.append(("copy", _copied(document["copy"])))
    if "infile" in document:
        leaves.append(("infile", _copied(document["infile"])))
    if "bulk" in document:
        leaves += [(f"bulk/{at}", _spelled(orjson.dumps(row).decode())) for at, row in enumerate(document["bulk"], 1)]
    digest = blake2b(orjson.dumps(leaves), digest_size=16).digest() if leaves else b""
    tables = statement.tables[:1] if statement.writes and not statement.several else statement.tables
    return StatementParts(statement.command, service, (template,), (), (), Content(digest, tuple(leaves)),
                          statement.writes, tables, statement.several)  # fmt: skip


def parts_of_request_for_sql(service: str, request: Request) -> StatementParts:
    """The normalised form of a stored statement."""
    return parts_of_statement(service, document_of(request), request.version)


def document_of(request: Request) -> dict[str, Any]:
    """The document of a recorded or journaled statement; empty where its body was too large to keep."""
    if not request.body.data:
        return {"sql": request.target}
    found = orjson.loads(request.body.data)
    return found if isinstance(found, dict) else {}


def _template(statement: Statement, sql: str) -> str:
    name = cursor_of(sql)
    if not name:
        return statement.template
    return re.sub(rf'(?<![\w"])"?{re.escape(name)}"?(?![\w"])', "cursor", statement.template, count=1)


def _vector(statement: Statement, params: Sequence[Any]) -> Iterator[Value]:
    for constant in statement.constants:
        if isinstance(constant, int):
            yield _spelled(params[constant - 1]) if constant <= len(params) else None
        else:
            yield _spelled(constant)


def _unordered(template: str, values: list[Value]) -> list[Value]:
    """The values with those of each list `in (?, ?)` or `any(?)` sorted: the order of a set means nothing."""
    if template.count("?") != len(values):
        return values  # an operator of JSON is spelled the same
    for found in _SET.finditer(template):
        first = template.count("?", 0, found.start())
        count = found[0].count("?")
        members = values[first : first + count]
        if found[0].startswith("any"):
            values[first] = _sorted_array(members[0])
        else:
            values[first : first + count] = sorted(members, key=lambda each: (each is None, each or ""))
    return values


def _sorted_array(value: Value) -> Value:
    if value is None or not _PLAIN_ARRAY.match(value):
        return value
    return "{" + ",".join(sorted(value[1:-1].split(","))) + "}"


def _spelled(value: Any) -> Value:
    """A value as every driver's spelling of it becomes."""
    if isinstance(value, dict):
        return f"hex {value.get('hex', '')}"
    if value is None or not isinstance(value, str):
        return None
    if not is_all_text(value):
        return f"hex {encoded(value).hex()}"
    if len(value) > LONGEST:
        return "blake2b " + blake2b(value.encode(), digest_size=16).hexdigest()
    return _plain(value)


@lru_cache(maxsize=1 << 14)
def _plain(value: str) -> str:
    if value in ("true", "false"):
        return value[0]
    if _WHOLE.match(value):
        return value[:-2]
    if value[:1] in ("{", "["):
        return _compact(value)
    return _moment(value) if _STAMP.match(value) else value


def _compact(value: str) -> str:
    try:
        return orjson.dumps(orjson.loads(value)).decode()
    except ValueError:
        return value  # an array


def _moment(value: str) -> str:
    """One spelling for each moment; one without a zone stays without."""
    try:
        zoned = value[-1] == "Z" or bool(re.search(r"[+-]\d\d(:?\d\d)?\Z", value[16:]))
        return stamp_of(micros_of(value)) + ("+00" if zoned else "")
    except ValueError:
        return value


def _copied(cell: Any) -> Value:
    if isinstance(cell, str):
        return cell if len(cell) <= LONGEST else "blake2b " + blake2b(cell.encode(), digest_size=16).hexdigest()
    return "blake2b " + blake2b(orjson.dumps(cell), digest_size=16).hexdigest()
