"""What a recording says about one MySQL database beside its statements: its logins and its variables. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wiretape_capture.protocols.mysql.packets import Column
from wiretape_capture.protocols.mysql.told import CONNECT, PREPARED, column_of, unreached
from wiretape_capture.snapshot.exchange import Exchange, Protocol
from wiretape_replay.mock.mysql.variables import variables_in
from wiretape_replay.mock.sql.recording import Error, SqlRecording, documents_of

FULL = frozenset({1040, 1203})
"""Errors with which a server refuses one more connection, and those that it has live on."""


@dataclass(slots=True)
class Login:
    """One recorded connection."""

    user: str
    database: str
    server: Mapping[str, Any]
    """What the server said of itself."""
    error: Error | None


class MysqlRecording(SqlRecording[Column]):
    """All that is known of one database."""

    def __init__(self) -> None:
        super().__init__(Protocol.MYSQL, column_of)
        self.logins: list[Login] = []
        self.variables: dict[str, str | None] = {}
        """Of the server, as far as somebody asked for them: the first answer, before an app changed it."""

    def add(self, exchange: Exchange) -> bool:
        """One more exchange; True for one that is to be matched."""
        document, answer = documents_of(exchange)
        connects = exchange.command == CONNECT
        if connects and (error := answer.get("error")):
            self._refused(exchange, document, answer, error)
            return False
        matched = self._add(exchange, document, answer)
        self.outages.served(exchange, matched=matched, login=login_of(document) if connects else None)
        return matched

    def _refused(self, exchange: Exchange, document: Mapping[str, Any], answer: Mapping[str, Any],
                 error: Error) -> None:  # fmt: skip
        user, full = document.get("user", ""), error["code"] in FULL
        if unreached(document, error) and not (user and full):
            self.outages.refused(exchange, {**error, "user": user}, lives=full)
            return
        self.outages.denied(exchange, error, login_of(document))
        self._log_in(document, answer)

    def _add(self, exchange: Exchange, document: Mapping[str, Any], answer: Mapping[str, Any]) -> bool:
        if exchange.command == CONNECT:
            self._log_in(document, answer)
            return False
        if exchange.command == PREPARED:
            self._learn(exchange.location, self._shape(exchange.sequence, document, answer))
            return False
        self._learn_variables(str(document.get("sql", "")), answer)
        return self._executed(exchange, document, answer)

    def _log_in(self, document: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        self.logins.append(Login(*login_of(document), answer.get("server") or {}, answer.get("error")))

    def _learn_variables(self, sql: str, answer: Mapping[str, Any]) -> None:
        asked = variables_in(sql)
        rows = [row for result in answer.get("results") or () for row in result.get("rows") or ()] if asked else []
        for (name, _), value in zip(asked, rows[0] if rows else (), strict=False):
            if not isinstance(value, dict):
                self.variables.setdefault(name, value)


def login_of(question: Mapping[str, Any]) -> tuple[str, str]:
    """Who logs in, and to which database."""
    return str(question.get("user", "")), str(question.get("database", ""))
