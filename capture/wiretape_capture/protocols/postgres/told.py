"""What a connection did, as it is kept: statements, logins, notifications. Pure.

`question` and `answer` become the JSON bodies of an exchange; docs/snapshot-format.md lists their members.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wiretape_capture.protocols.observed import Observed
from wiretape_capture.protocols.postgres import wire
from wiretape_capture.protocols.postgres.cells import to_block
from wiretape_capture.protocols.postgres.sql import statement_of
from wiretape_capture.protocols.postgres.steps import Execution, columns_told
from wiretape_capture.protocols.sql import Statement

DONE = "00000"
"""SQLSTATE successful_completion."""
CONNECT, DESCRIBE, NOTIFICATION, DISCONNECT = "CONNECT", "DESCRIBE", "NOTIFICATION", "DISCONNECT"
"""Commands of exchanges that are no statements."""
_SERVICE_FAILED = ("08", "53", "57", "58", "XX", "F0")
"""Classes of SQLSTATE in which the server is at fault and not the statement."""
_KEPT_PARAMETERS = frozenset({"user", "database", "application_name", "client_encoding", "options"})


def is_last(fields: Mapping[str, str]) -> bool:
    """Whether the server hangs up after this error. Its severity is in the server's language where `V` is not sent."""
    return fields.get("V", fields.get("S")) in ("FATAL", "PANIC")


def failure_of(code: str) -> int:
    """1 for an error of the statement, 2 for one of the server."""
    return 2 if code.startswith(_SERVICE_FAILED) else 1


def executed(statement: Statement, execution: Execution, at: int, fields: dict[str, str] | None) -> Observed:
    """A statement that ended, with an error where `fields` are given."""
    code = fields.get("C", "XX000") if fields is not None else DONE
    answer: dict[str, Any] = {"results": [one.told() for one in execution.results]}
    if execution.notices:
        answer["notices"] = execution.notices
    if fields is not None:
        answer["error"] = fields
    tags = [one.tag for one in execution.results if one.tag]
    return Observed(
        statement.command, statement.template, code, 0 if fields is None else failure_of(code),
        fields.get("M", "") if fields is not None else "; ".join(tags[:3]),
        execution.started, at, _question(execution), answer, complete=not execution.dropped,
        error=f"{execution.dropped} rows beyond the limit of one answer were not kept" if execution.dropped else "",
    )  # fmt: skip


def unanswered(statement: Statement, execution: Execution, at: int, why: str) -> Observed:
    """A statement without an end."""
    return Observed(statement.command, statement.template, "", 2, "", execution.started, at, _question(execution),
                    None, complete=False, error=why)  # fmt: skip


def _question(execution: Execution) -> dict[str, Any]:
    question: dict[str, Any] = {"sql": execution.sql}
    if execution.params is not None:
        question |= {"params": execution.params, "types": execution.types}
    if execution.copied_in is not None:
        question["copy"] = to_block(execution.copied_in)
    if execution.cursor:
        question["cursor"] = execution.cursor
    return question


def described(sql: str, types: list[int], columns: tuple[wire.Column, ...] | None, started: int, at: int, *,
              cursor: bool = False) -> Observed:  # fmt: skip
    """A statement that was prepared and described but not executed, or a cursor that was described."""
    question: dict[str, Any] = {"sql": sql, "types": types}
    if cursor:
        question["cursor"] = sql
    result: dict[str, Any] = {} if columns is None else {"columns": columns_told(columns), "rows": []}
    return Observed(DESCRIBE, statement_of(sql).template, DONE, 0, "", started, at, question, {"results": [result]})


def connected(startup: dict[str, str], parameters: dict[str, str], started: int, at: int) -> Observed:
    """A connection that was accepted, with what the server said of itself. Its secret key is not kept."""
    question: dict[str, Any] = {name: value for name, value in startup.items() if name in _KEPT_PARAMETERS}
    return Observed(CONNECT, startup.get("database", startup.get("user", "")), DONE, 0, "", started, at, question,
                    {"parameters": {**parameters}})  # fmt: skip


def refused(startup: dict[str, str], fields: dict[str, str], started: int, at: int) -> Observed:
    """A login that the server refused."""
    question: dict[str, Any] = {name: value for name, value in startup.items() if name in _KEPT_PARAMETERS}
    code = fields.get("C", "XX000")
    return Observed(CONNECT, startup.get("database", startup.get("user", "")), code, failure_of(code),
                    fields.get("M", ""), started, at, question, {"error": {**fields}})  # fmt: skip


def ended(fields: dict[str, str], at: int) -> Observed:
    """A connection that the server ended while nothing was asked: it was idle for too long, the server went."""
    code = fields.get("C", "XX000")
    return Observed(
        DISCONNECT, DISCONNECT, code, failure_of(code), fields.get("M", ""), at, at, {}, {"error": {**fields}}
    )


def notification(payload: bytes, at: int, encoding: str) -> Observed:
    """A NotificationResponse."""
    reader = wire.Reader(payload)
    reader.int32()  # the process that notifies differs in every run
    channel, content = (reader.text().decode(encoding, "replace") for _ in range(2))
    return Observed(NOTIFICATION, channel, DONE, 0, "", at, at, {"channel": channel}, {"payload": content})
