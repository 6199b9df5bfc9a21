"""What a connection did, as it is kept: statements and logins. Pure.

`question` and `answer` become the JSON bodies of an exchange; docs/snapshot-format.md lists their members.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wiretape_capture.protocols.mysql.cells import Cell
from wiretape_capture.protocols.mysql.packets import Column, Done, Failure
from wiretape_capture.protocols.mysql.sql import statement_of
from wiretape_capture.protocols.mysql.wire import Status
from wiretape_capture.protocols.observed import Emit, Observed

DONE = "00000"
CONNECT, PREPARED = "CONNECT", "PREPARED"
"""Commands of exchanges that are no statements."""
RESULT_LIMIT = 64 * 1024 * 1024
"""Bytes of rows kept for one execution."""
_SERVICE_FAILED = ("08", "57", "58")
_SERVICE_CODES = frozenset({1021, 1037, 1038, 1040, 1041, 1053, 1077, 1079, 1180, 1184, 1203, 1290, 1836, 3024})
"""Errors in which the server is at fault and not the statement: no memory, no disk, too many connections, read only."""


def failure_of(failure: Failure) -> int:
    """1 for an error of the statement, 2 for one of the server."""
    return 2 if failure.state.startswith(_SERVICE_FAILED) or failure.code in _SERVICE_CODES else 1


@dataclass(slots=True)
class Result:
    """What one statement gave."""

    columns: tuple[Column, ...] | None = None
    rows: list[list[Cell]] = field(default_factory=list)
    done: Done | None = None

    def told(self) -> dict[str, Any]:
        """As it is stored."""
        document: dict[str, Any] = {}
        if self.columns is not None:
            document |= {"columns": [column_told(each) for each in self.columns], "rows": self.rows}
        if self.done is None:
            return document | {"suspended": True}
        done = self.done
        shown = {"affected": done.affected, "insert_id": done.insert_id, "warnings": done.warnings, "info": done.info}
        document |= {name: value for name, value in shown.items() if value}
        if done.status & Status.OUT_PARAMS:
            document["out"] = True
        return document


def column_told(column: Column) -> dict[str, Any]:
    """A column as it is stored; what says nothing is left out."""
    document: dict[str, Any] = {"name": column.name, "type": column.type, "flags": column.flags,
                                "length": column.length, "charset": column.charset}  # fmt: skip
    more = {"decimals": column.decimals, "schema": column.schema, "table": column.table,
            "org_table": column.org_table, "org_name": column.org_name, "extended": column.extended}  # fmt: skip
    return document | {name: value for name, value in more.items() if value}


def column_of(told: Mapping[str, Any]) -> Column:
    """The reverse of `column_told`."""
    return Column(**{str(name): value for name, value in told.items()})


@dataclass(slots=True)
class Execution:
    """One statement under way."""

    sql: str
    started: int
    place: Emit
    ansi: bool = False
    params: list[Cell] | None = None
    types: list[int] = field(default_factory=list)
    bulk: list[list[Cell]] | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    infile: list[bytes] | None = None
    """Data of LOAD DATA LOCAL INFILE."""
    file: str = ""
    results: list[Result] = field(default_factory=list)
    size: int = 0
    dropped: int = 0

    def last(self) -> Result:
        """The result that rows go to."""
        return self.results[-1]

    def admits(self, size: int) -> bool:
        """Whether so many bytes more are kept."""
        if self.size + size > RESULT_LIMIT:
            self.dropped += 1
            return False
        self.size += size
        return True

    def question(self) -> dict[str, Any]:
        """As it is stored."""
        question: dict[str, Any] = {"sql": self.sql}
        if self.params is not None:
            question |= {"params": self.params, "types": self.types}
        if self.bulk is not None:
            question |= {"bulk": self.bulk, "types": self.types}
        if self.ansi:
            question["ansi"] = True
        if self.attributes:
            question["attributes"] = self.attributes
        if self.infile is not None:
            question["infile"] = infile_told(b"".join(self.infile))
            question["file"] = self.file
        return question


def infile_told(data: bytes) -> Cell:
    """The data of LOAD DATA LOCAL INFILE as it is stored."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"hex": data.hex()}


def executed(execution: Execution, at: int, failure: Failure | None) -> Observed:
    """A statement that ended, with an error where `failure` is given."""
    statement = statement_of(execution.sql, ansi=execution.ansi)
    answer: dict[str, Any] = {"results": [one.told() for one in execution.results]}
    if failure is not None:
        answer["error"] = error_told(failure)
    return Observed(
        statement.command, statement.template, failure.state if failure is not None else DONE,
        0 if failure is None else failure_of(failure), _reason(execution, failure), execution.started, at,
        execution.question(), answer, complete=not execution.dropped,
        error=f"{execution.dropped} rows beyond the limit of one answer were not kept" if execution.dropped else "",
    )  # fmt: skip


def _reason(execution: Execution, failure: Failure | None) -> str:
    if failure is not None:
        return f"{failure.code} {failure.message}"
    parts = []
    for one in execution.results[:3]:
        rows, affected = len(one.rows), one.done.affected if one.done is not None else 0
        parts.append(f"{rows} rows" if one.columns is not None else f"{affected} affected")
    return "; ".join(parts)


def error_told(failure: Failure) -> dict[str, Any]:
    """An error as it is stored."""
    return {"code": failure.code, "state": failure.state, "message": failure.message}


def unanswered(execution: Execution, at: int, why: str) -> Observed:
    """A statement without an end."""
    statement = statement_of(execution.sql, ansi=execution.ansi)
    return Observed(statement.command, statement.template, "", 2, "", execution.started, at, execution.question(),
                    None, complete=False, error=why)  # fmt: skip


def described(sql: str, ansi: bool, params: int, columns: tuple[Column, ...], started: int, at: int) -> Observed:
    """A statement that was prepared and not executed."""
    question: dict[str, Any] = {"sql": sql, "types": [0] * params} | ({"ansi": True} if ansi else {})
    result: dict[str, Any] = {"columns": [column_told(each) for each in columns], "rows": []} if columns else {}
    return Observed(PREPARED, statement_of(sql, ansi=ansi).template, DONE, 0, "", started, at, question,
                    {"results": [result]})  # fmt: skip


def connected(user: str, database: str, server: Mapping[str, Any], started: int, at: int) -> Observed:
    """A connection that was accepted, with what the server said of itself."""
    return Observed(CONNECT, database or user, DONE, 0, "", started, at, {"user": user, "database": database},
                    {"server": {**server}})  # fmt: skip


def unreached(question: Mapping[str, Any], error: Mapping[str, Any]) -> bool:
    """Whether a connection was refused for what the server was, and not for who asked."""
    return not question.get("user") or failure_of(Failure(error["code"], error["state"], error["message"])) == 2


def refused(user: str, database: str, failure: Failure, started: int, at: int) -> Observed:
    """A login that the server refused."""
    return Observed(CONNECT, database or user, failure.state, failure_of(failure),
                    f"{failure.code} {failure.message}", started, at, {"user": user, "database": database},
                    {"error": error_told(failure)})  # fmt: skip
