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
        if exchange.command == CONNECT and (error := answer.get("error")) and unreached(document, error):
            self.outages.refused(exchange, {**error, "user": document.get("user", "")})
            return False
        matched = self._add(exchange, document, answer)
        self.outages.served(exchange, matched=matched)
        return matched

    def _add(self, exchange: Exchange, document: Mapping[str, Any], answer: Mapping[str, Any]) -> bool:
        if exchange.command == CONNECT:
            self.logins.append(Login(str(document.get("user", "")), str(document.get("database", "")),
                                     answer.get("server") or {}, answer.get("error")))  # fmt: skip
            return False
        if exchange.command == PREPARED:
            self._learn(exchange.location, self._shape(exchange.sequence, document, answer))
            return False
        self._learn_variables(str(document.get("sql", "")), answer)
        return self._executed(exchange, document, answer)

    def _learn_variables(self, sql: str, answer: Mapping[str, Any]) -> None:
        asked = variables_in(sql)
        rows = [row for result in answer.get("results") or () for row in result.get("rows") or ()] if asked else []
        for (name, _), value in zip(asked, rows[0] if rows else (), strict=False):
            if not isinstance(value, dict):
                self.variables.setdefault(name, value)
