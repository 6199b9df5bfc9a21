"""What a recording says about one Postgres database beside its statements: logins, cursors, notifications. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wiretape_capture.protocols.postgres.told import CONNECT, DESCRIBE, DISCONNECT, NOTIFICATION, failure_of
from wiretape_capture.protocols.postgres.wire import Column
from wiretape_capture.snapshot.exchange import Exchange, Protocol
from wiretape_replay.match.statements import ABORTED, of_connection, parts_of_statement, statement_in
from wiretape_replay.mock.sql import recording as shared
from wiretape_replay.mock.sql.recording import SqlRecording, documents_of

UNSAID_TYPE = 25
"""A parameter whose type the recording does not know is described as text."""
FULL = "53"
"""Class of SQLSTATE in which a server refuses one more connection, and those that it has live on."""

type Fields = Mapping[str, str]
type Shape = shared.Shape[Column]


@dataclass(slots=True)
class Login:
    """One recorded connection."""

    user: str
    database: str
    parameters: dict[str, str]
    error: Fields | None


@dataclass(frozen=True, slots=True)
class Farewell:
    """An error with which the server ended a connection on which nothing was asked."""

    sequence: int
    status: str
    fields: Fields
    simulated: int
    """Statements that concern the connection and came on it after the last that is matched."""


class DatabaseRecording(SqlRecording[Column]):
    """All that is known of one database."""

    def __init__(self) -> None:
        super().__init__(Protocol.POSTGRES, column_of)
        self.cursors: dict[str, Shape] = {}
        """Described cursors by the template of what declared them."""
        self.logins: list[Login] = []
        self.notifications: dict[int, list[tuple[str, str]]] = {}
        """Channel and payload by the exchange that came before; 0: before the first."""
        self.farewells: dict[int, Farewell] = {}
        """By the last exchange on the connection that is matched."""
        self._simulated: Counter[str] = Counter()
        """By connection, statements that concern it since the last that is matched."""

    def add(self, exchange: Exchange) -> bool:
        """One more exchange; True for one that is to be matched."""
        document, answer = documents_of(exchange)
        if exchange.command == DISCONNECT:
            self._ended(exchange, answer.get("error") or {})
            return False
        connects = exchange.command == CONNECT
        if connects and (error := answer.get("error")):
            self._refused(exchange, document, answer, error)
            return False
        matched = self._add(exchange, document, answer)
        self.outages.served(exchange, matched=matched, login=login_of(document) if connects else None)
        return matched

    def _refused(self, exchange: Exchange, document: Mapping[str, Any], answer: Mapping[str, Any],
                 error: Fields) -> None:  # fmt: skip
        if failure_of(exchange.status) == 2 and not exchange.status.startswith(FULL):
            self.outages.refused(exchange, error)
            return
        self.outages.denied(exchange, error, login_of(document))
        self._log_in(document, answer)

    def _add(self, exchange: Exchange, document: Mapping[str, Any], answer: Mapping[str, Any]) -> bool:
        match exchange.command:
            case _ if exchange.command == CONNECT:
                self._log_in(document, answer)
            case _ if exchange.command == NOTIFICATION:
                told = str(document.get("channel", "")), str(answer.get("payload", ""))
                self.notifications.setdefault(self._last, []).append(told)
            case _ if exchange.command == DESCRIBE:
                self._describe(exchange, document, answer)
            case _:
                return self._ran(exchange, document, answer)
        return False

    def _ran(self, exchange: Exchange, document: Mapping[str, Any], answer: Mapping[str, Any]) -> bool:
        matched = self._executed(exchange, document, answer)
        if matched:
            del self._simulated[exchange.connection]
        elif exchange.status != ABORTED and of_connection(statement_in(document, self.protocol)):
            self._simulated[exchange.connection] += 1
        return matched

    def _ended(self, exchange: Exchange, error: Fields) -> None:
        """Keep how a connection ended. One that had run nothing is known by nothing."""
        if last := self._last_of.get(exchange.connection):
            simulated = self._simulated[exchange.connection]
            self.farewells[last] = Farewell(exchange.sequence, exchange.status, error, simulated)
            self.outages.ends_idle = True

    def _log_in(self, document: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        self.logins.append(Login(*login_of(document), dict(answer.get("parameters") or {}), answer.get("error")))

    def _describe(self, exchange: Exchange, document: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        shape = self._shape(exchange.sequence, document, answer)
        if "cursor" in document:
            self.cursors.setdefault(cursor_key(str(document["cursor"])), shape)
        else:
            self._learn(exchange.location, shape)

    def copy_format(self, template: str) -> Sequence[int]:
        """How the data of a COPY FROM is to be sent; empty where none was recorded."""
        return next((each.copy_format for each in self.shapes.get(template, ()) if each.copy_format), ())


def login_of(startup: Mapping[str, Any]) -> tuple[str, str]:
    """Who logs in, and to which database."""
    user = str(startup.get("user", ""))
    return user, str(startup.get("database", user))


def cursor_key(sql: str) -> str:
    """What a described cursor is known by."""
    return parts_of_statement("", {"sql": sql}).path


def column_of(told: Mapping[str, Any]) -> Column:
    """A column as it is stored."""
    return Column(str(told["name"]), int(told["table"]), int(told["number"]), int(told["type"]), int(told["size"]),
                  int(told["modifier"]))  # fmt: skip
