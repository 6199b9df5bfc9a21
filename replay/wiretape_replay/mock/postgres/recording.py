"""What a recording says about one database: answers by exchange, shapes by template, logins, notifications. Pure.

Built at load, in recorded order. Statements that only concern the connection are left out: they are simulated, but for
those that failed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from wiretape_capture.protocols.postgres.sql import statement_of
from wiretape_capture.protocols.postgres.told import CONNECT, DESCRIBE, DONE, NOTIFICATION
from wiretape_capture.protocols.postgres.wire import Column
from wiretape_capture.protocols.sql import Statement
from wiretape_capture.snapshot.exchange import Exchange
from wiretape_replay.match.statements import ABORTED, document_of, parts_of_statement
from wiretape_replay.mock.answer import Fault, fault_of

UNSAID_TYPE = 25
"""A parameter whose type the recording does not know is described as text."""

type Key = tuple[object, ...]
type Fields = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Shape:
    """What a statement takes and gives, as exchanges one after the other show it alike."""

    sequence: int
    """The last of these exchanges."""
    types: tuple[int, ...]
    columns: tuple[Column, ...] | None
    copy_format: tuple[int, ...] = ()
    error: Fields | None = None
    described: bool = False
    """It is known that there are such columns, or none; an error came before that was."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One recorded answer."""

    sequence: int
    status: str
    document: bytes | None
    """JSON; None when no answer came."""
    duration_us: int
    fault: Fault = ""


@dataclass(slots=True)
class Login:
    """One recorded connection."""

    user: str
    database: str
    parameters: dict[str, str]
    error: Fields | None


@dataclass(slots=True)
class DatabaseRecording:
    """All that is known of one database."""

    answers: dict[int, Recorded] = field(default_factory=dict)
    shapes: dict[str, list[Shape]] = field(default_factory=dict)
    """By template."""
    cursors: dict[str, Shape] = field(default_factory=dict)
    """Described cursors by the template of what declared them."""
    logins: list[Login] = field(default_factory=list)
    notifications: dict[int, list[tuple[str, str]]] = field(default_factory=dict)
    """Channel and payload by the exchange that came before; 0: before the first."""
    failed: dict[Key, Fields] = field(default_factory=dict)
    """Errors of statements that concern the connection, by statement; of an end of a transaction, by the exchange
    before it."""
    size: int = 0
    _last: int = 0
    _last_of: dict[str, int] = field(default_factory=dict)
    """By connection, the last exchange that is matched."""

    def add(self, exchange: Exchange) -> bool:
        """One more exchange; True for one that is to be matched."""
        document, answer = document_of(exchange.request), _answer_of(exchange)
        match exchange.command:
            case _ if exchange.command == CONNECT:
                self._log_in(document, answer)
            case _ if exchange.command == NOTIFICATION:
                told = str(document.get("channel", "")), str(answer.get("payload", ""))
                self.notifications.setdefault(self._last, []).append(told)
            case _ if exchange.command == DESCRIBE:
                self._describe(exchange, document, answer)
            case _:
                return self._executed(exchange, document, answer)
        return False

    def _log_in(self, document: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        user = str(document.get("user", ""))
        self.logins.append(Login(user, str(document.get("database", user)), dict(answer.get("parameters") or {}),
                                 answer.get("error")))  # fmt: skip

    def _describe(self, exchange: Exchange, document: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        shape = _shape(exchange.sequence, document, answer)
        if "cursor" in document:
            self.cursors.setdefault(cursor_key(str(document["cursor"])), shape)
        else:
            self._learn(exchange.location, shape)

    def _executed(self, exchange: Exchange, document: Mapping[str, Any], answer: Mapping[str, Any]) -> bool:
        if exchange.status == ABORTED:
            return False
        statement = statement_of(str(document.get("sql", "")))
        if statement.session or not statement.template:
            if answer.get("error"):
                self.failed.setdefault(
                    failure_key(statement, self._last_of.get(exchange.connection, 0)), answer["error"]
                )
            return False
        body = exchange.response.body.data if exchange.response is not None else None
        self._last = self._last_of[exchange.connection] = exchange.sequence
        self.size += len(body or b"")
        self.answers[exchange.sequence] = Recorded(
            exchange.sequence, exchange.status, body, exchange.duration_us,
            fault_of(exchange.error) if exchange.response is None else "",
        )  # fmt: skip
        template = parts_of_statement("", document).path
        self._learn(template, _shape(exchange.sequence, document, answer))
        return True

    def _learn(self, template: str, shape: Shape) -> None:
        """Keep one shape for exchanges that show the same: a statement has few, however often it ran."""
        known = self.shapes.setdefault(template, [])
        if known and replace(known[-1], sequence=shape.sequence) == shape:
            known[-1] = shape
        else:
            known.append(shape)

    def document(self, sequence: int) -> bytes | None:
        """The recorded answer to a statement."""
        return self.answers[sequence].document

    def knows(self, template: str) -> bool:
        """Whether any exchange has this template."""
        return template in self.shapes

    def shape(self, template: str, used: set[int]) -> Shape | None:
        """What a statement takes and gives: as the next exchange that was not asked for yet shows it."""
        known = self.shapes.get(template, ())
        fit = [each for each in known if each.described] or known
        return next((each for each in fit if each.sequence not in used), fit[-1] if fit else None)

    def copy_format(self, template: str) -> Sequence[int]:
        """How the data of a COPY FROM is to be sent; empty where none was recorded."""
        return next((each.copy_format for each in self.shapes.get(template, ()) if each.copy_format), ())

    def types(self, template: str, count: int) -> tuple[int, ...]:
        """The types of a statement's parameters, 0 for one that no exchange knows."""
        found = [0] * count
        for shape in self.shapes.get(template, ()):
            for at, oid in enumerate(shape.types[:count]):
                found[at] = found[at] or oid
        return tuple(found)


def failure_key(statement: Statement, last: int) -> Key:
    """What a failed statement of the connection is known by."""
    if statement.command in ("COMMIT", "END"):
        return (statement.command, last)
    return (statement.template, statement.constants)


def cursor_key(sql: str) -> str:
    """What a described cursor is known by."""
    return parts_of_statement("", {"sql": sql}).path


def _answer_of(exchange: Exchange) -> dict[str, Any]:
    data = exchange.response.body.data if exchange.response is not None else None
    found = orjson.loads(data) if data else {}
    return found if isinstance(found, dict) else {}


def _shape(sequence: int, document: Mapping[str, Any], answer: Mapping[str, Any]) -> Shape:
    results = answer.get("results") or [{}]
    first = results[0]
    columns = tuple(map(column_of, first["columns"])) if "columns" in first else None
    error = answer.get("error")
    return Shape(sequence, tuple(document.get("types") or ()), columns, _takes(document, first), error,
                 described=bool(answer.get("results")) or not error)  # fmt: skip


def _takes(document: Mapping[str, Any], result: Mapping[str, Any]) -> tuple[int, ...]:
    """The formats in which a COPY FROM takes its data; empty for anything else."""
    return tuple(result.get("copy_format") or ()) if "copy" in document else ()


def column_of(told: Mapping[str, Any]) -> Column:
    """A column as it is stored."""
    return Column(str(told["name"]), int(told["table"]), int(told["number"]), int(told["type"]), int(told["size"]),
                  int(told["modifier"]))  # fmt: skip


__all__ = ["DONE", "DatabaseRecording", "Login", "Recorded", "Shape", "column_of", "cursor_key", "failure_key"]
