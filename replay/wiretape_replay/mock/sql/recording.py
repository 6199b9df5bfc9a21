"""What a recording says about one SQL database: answers by exchange, shapes by template, what failed. Pure.

Built at load, in recorded order. Statements that only concern the connection are left out: they are simulated, but for
those that failed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from wiretape_capture.protocols.sql import Statement
from wiretape_capture.snapshot.exchange import Exchange, Protocol
from wiretape_replay.match.statements import ABORTED, document_of, of_connection, parts_of_statement, statement_in
from wiretape_replay.mock.answer import Fault, fault_of
from wiretape_replay.mock.databases.outages import Outages

type Key = tuple[object, ...]
type Error = Mapping[str, Any]
"""An error as it was recorded."""


@dataclass(frozen=True, slots=True)
class Shape[C]:
    """What a statement takes and gives, as exchanges one after the other show it alike."""

    sequence: int
    """The last of these exchanges."""
    types: tuple[int, ...]
    columns: tuple[C, ...] | None
    copy_format: tuple[int, ...] = ()
    error: Error | None = None
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


class SqlRecording[C]:
    """All that is known of one database with columns of a kind."""

    def __init__(self, protocol: Protocol, column_of: Callable[[Mapping[str, Any]], C]) -> None:
        self.protocol = protocol
        self._column_of = column_of
        self.answers: dict[int, Recorded] = {}
        self.shapes: dict[str, list[Shape[C]]] = {}
        """By template."""
        self.failed: dict[Key, Error] = {}
        """Errors of statements that concern the connection, by statement; of an end of a transaction, by the exchange
        before it."""
        self.outages: Outages[Error] = Outages()
        """Connections that the server was at fault to refuse, or that did not reach it."""
        self.size = 0
        self._last = 0
        self._last_of: dict[str, int] = {}
        """By connection, the last exchange that is matched."""

    def _executed(self, exchange: Exchange, document: Mapping[str, Any], answer: Mapping[str, Any]) -> bool:
        """One more execution; True where it is to be matched."""
        if exchange.status == ABORTED:
            return False
        statement = statement_in(document, self.protocol)
        if of_connection(statement) or not statement.template:
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
        template = parts_of_statement("", document, self.protocol).path
        self._learn(template, self._shape(exchange.sequence, document, answer))
        return True

    def _learn(self, template: str, shape: Shape[C]) -> None:
        """Keep one shape for exchanges that show the same: a statement has few, however often it ran."""
        known = self.shapes.setdefault(template, [])
        if known and replace(known[-1], sequence=shape.sequence) == shape:
            known[-1] = shape
        else:
            known.append(shape)

    def _shape(self, sequence: int, document: Mapping[str, Any], answer: Mapping[str, Any]) -> Shape[C]:
        results = answer.get("results") or [{}]
        first = results[0]
        columns = tuple(map(self._column_of, first["columns"])) if "columns" in first else None
        error = answer.get("error")
        return Shape(sequence, tuple(document.get("types") or ()), columns, _takes(document, first), error,
                     described=bool(answer.get("results")) or not error)  # fmt: skip

    def document(self, sequence: int) -> bytes | None:
        """The recorded answer to a statement."""
        return self.answers[sequence].document

    def knows(self, template: str) -> bool:
        """Whether any exchange has this template."""
        return template in self.shapes

    def shape(self, template: str, used: set[int]) -> Shape[C] | None:
        """What a statement takes and gives: as the next exchange that was not asked for yet shows it."""
        known = self.shapes.get(template, ())
        fit = [each for each in known if each.described] or known
        return next((each for each in fit if each.sequence not in used), fit[-1] if fit else None)

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


def documents_of(exchange: Exchange) -> tuple[dict[str, Any], dict[str, Any]]:
    """What was asked and what was answered."""
    data = exchange.response.body.data if exchange.response is not None else None
    found = orjson.loads(data) if data else {}
    return document_of(exchange.request), found if isinstance(found, dict) else {}


def _takes(document: Mapping[str, Any], result: Mapping[str, Any]) -> tuple[int, ...]:
    """The formats in which a COPY FROM takes its data; empty for anything else."""
    return tuple(result.get("copy_format") or ()) if "copy" in document else ()
