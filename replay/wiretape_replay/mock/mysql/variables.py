"""What drivers ask of a server before anything else, its variables and who they are, where that was not recorded.

Pure. A probe that was recorded is answered from there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from wiretape_capture.protocols.mysql.packets import Column
from wiretape_capture.protocols.mysql.sql import tokens, unquoted
from wiretape_capture.protocols.mysql.told import column_told
from wiretape_capture.protocols.mysql.values import Type
from wiretape_capture.protocols.sql import Statement, Token

DEFAULTS: Mapping[str, str | None] = {
    "auto_increment_increment": "1", "autocommit": "1", "character_set_client": "utf8mb4",
    "character_set_connection": "utf8mb4", "character_set_database": "utf8mb4", "character_set_results": "utf8mb4",
    "character_set_server": "utf8mb4", "collation_connection": "utf8mb4_general_ci",
    "collation_database": "utf8mb4_general_ci", "collation_server": "utf8mb4_general_ci", "init_connect": "",
    "innodb_lock_wait_timeout": "50", "interactive_timeout": "28800", "license": "GPL", "lower_case_table_names": "0",
    "max_allowed_packet": "67108864", "net_buffer_length": "16384", "net_write_timeout": "60",
    "performance_schema": "0", "query_cache_size": "0", "query_cache_type": "OFF", "read_only": "0",
    "sql_mode": "STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION", "sql_auto_is_null": "0", "system_time_zone": "UTC",
    "time_zone": "SYSTEM", "transaction_isolation": "REPEATABLE-READ", "transaction_read_only": "0",
    "tx_isolation": "REPEATABLE-READ", "tx_read_only": "0", "version_comment": "answered by wiretape",
    "wait_timeout": "28800", "have_ssl": "DISABLED", "sql_select_limit": "18446744073709551615",
}  # fmt: skip
"""Variables where no connection was recorded that asked for them."""
_ALIKE = {"tx_isolation": "transaction_isolation", "tx_read_only": "transaction_read_only"}
_SCOPES = frozenset({"session", "global", "local"})
_LIKE = re.compile(r"show (?:session |global |local )?(variables|status)(?: (?:like|where variable_name =) \?)?")
_NUMBER = re.compile(r"-?\d{1,18}\Z")


@dataclass(frozen=True, slots=True)
class Known:
    """What a connection knows of itself and its server."""

    version: str
    user: str
    database: str
    connection: int
    variables: Mapping[str, str | None]
    """By name in lower case: what was set, else recorded, else usual."""


def variables_in(sql: str) -> list[tuple[str, str]]:
    """Names and labels of the variables that a SELECT asks for, where it asks for nothing else; else nothing."""
    if "@@" not in sql or len(sql) > 8000:
        return []
    words = [each for each in tokens(sql) if each.kind != "space" and each.text != ";"]
    if not words or words[0].text.lower() != "select":
        return []
    found = [_variable(item) for item in _items(words[1:])]
    return [each for each in found if each is not None] if all(found) else []


def _items(words: Sequence[Token]) -> list[list[Token]]:
    items: list[list[Token]] = [[]]
    for each in words:
        if each.text == ",":
            items.append([])
        else:
            items[-1].append(each)
    return items


def _variable(item: Sequence[Token]) -> tuple[str, str] | None:
    """Name and label of `@@x`, `@@session.x`, each with or without an alias."""
    texts = [each.text for each in item]
    if not texts or not texts[0].startswith("@@"):
        return None
    name, size = texts[0][2:].lower(), 1
    if name in _SCOPES and texts[1:2] == ["."] and len(texts) > 2:
        name, size = texts[2].lower(), 3
    label, rest = "".join(texts[:size]), texts[size:]
    if rest[:1] and rest[0].lower() == "as":
        rest = rest[1:]
    if len(rest) > 1:
        return None
    return name.strip("`"), rest[0].strip("`'\"") if rest else label


def answer_of(statement: Statement, sql: str, known: Known) -> dict[str, Any] | None:
    """The result of a driver's probe; None for anything else."""
    if asked := variables_in(sql):
        if all(name in known.variables for name, _ in asked):
            return result([label for _, label in asked], [[known.variables[name] for name, _ in asked]])
        return None
    if (found := _LIKE.fullmatch(statement.template)) is not None:
        return _shown(statement, known if found[1] == "variables" else None)
    if statement.template == "show warnings":
        return result(["Level", "Code", "Message"], [])
    return _asked(statement, sql, known)


def _shown(statement: Statement, known: Known | None) -> dict[str, Any]:
    pattern = str(statement.constants[0]).lower() if statement.constants else "%"
    shell = re.sub(r"\\(.)", r"[\1]", pattern).replace("%", "*").replace("_", "?").replace("[?]", "_")
    variables = {} if known is None else known.variables
    rows: list[list[str | None]] = [[name, variables[name]] for name in sorted(variables) if fnmatchcase(name, shell)]
    return result(["Variable_name", "Value"], rows, texts=True)


_FUNCTIONS: Mapping[str, Callable[[Known], str | None]] = {
    "version()": lambda known: known.version, "database()": lambda known: known.database or None,
    "schema()": lambda known: known.database or None, "user()": lambda known: f"{known.user}@localhost",
    "current_user()": lambda known: f"{known.user}@%", "current_user": lambda known: f"{known.user}@%",
    "session_user()": lambda known: f"{known.user}@localhost",
    "connection_id()": lambda known: str(known.connection),
}  # fmt: skip


def _asked(statement: Statement, sql: str, known: Known) -> dict[str, Any] | None:
    function = _FUNCTIONS.get(statement.template.removeprefix("select "))
    label = label_of(sql)
    if statement.command == "SELECT" and function is not None:
        return result([label], [[function(known)]])
    if statement.template == "select ?" and isinstance(statement.constants[0], str):
        return result([label], [[statement.constants[0]]])
    return None


def label_of(sql: str) -> str:
    """What the only column of a SELECT is called: its alias, or as it is written."""
    words = [each for each in tokens(sql.strip().rstrip(";")) if each.kind != "space"]
    if len(words) > 2 and words[-2].text.lower() == "as":
        return unquoted(words[-1]) if words[-1].kind == "string" else words[-1].text.strip("`")
    if len(words) == 2 and words[1].kind == "string":
        return unquoted(words[1])
    return "".join(each.text for each in words[1:])


def result(labels: Sequence[str], rows: Sequence[Sequence[str | None]], *, texts: bool = False) -> dict[str, Any]:
    """A result as it would have been recorded: numbers where all values of a column are and `texts` is not said."""
    columns = []
    for at, label in enumerate(labels):
        values = [row[at] for row in rows]
        number = bool(values) and not texts and all(value is not None and _NUMBER.match(value) for value in values)
        columns.append(Column(label, Type.LONGLONG, 0x80, 0, 21, 63) if number
                       else Column(label, Type.VAR_STRING, 0, 31, 1024, 45))  # fmt: skip
    return {"columns": [column_told(each) for each in columns], "rows": [list(row) for row in rows]}


def variables_of(
    version: str, recorded: Mapping[str, str | None], settings: Mapping[str, str]
) -> dict[str, str | None]:
    """All variables of a connection."""
    found = {**DEFAULTS, "version": version, **recorded, **settings}
    for old, new in _ALIKE.items():
        if old not in settings and (new in settings or new in recorded):
            found[old] = found[new]
        elif new not in settings and (old in settings or old in recorded):
            found[new] = found[old]
    return found
