"""Statements that concern only the connection, simulated as the server treats them: transactions, settings. Pure.

An error leaves a transaction open, but for a deadlock; a statement that changes the schema ends it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from wiretape_capture.protocols.mysql.sql import tokens, unquoted
from wiretape_capture.protocols.mysql.wire import Status
from wiretape_capture.protocols.sql import Statement, Token

type Fields = dict[str, Any]

ENDS_IT = frozenset({"CREATE", "ALTER", "DROP", "TRUNCATE", "RENAME", "GRANT", "REVOKE", "LOCK", "UNLOCK"})
"""Commands that commit what is open ("Statements That Cause an Implicit Commit")."""
DEADLOCK = 1213
_TEMPORARY = re.compile(r"\s*(create|drop)\s+temporary\b", re.IGNORECASE)
_ISOLATION = re.compile(
    r"isolation\s+level\s+(read\s+uncommitted|read\s+committed|repeatable\s+read|serializable)", re.I
)
_LEVELS = frozenset({"session", "global", "local", "persist"})


@dataclass(slots=True)
class Transaction:
    """The state of one connection."""

    autocommit: bool = True
    open: bool = False
    savepoints: list[str] = field(default_factory=list)
    settings: dict[str, str] = field(default_factory=dict)
    """What SET changed, by the setting's name in lower case."""
    database: str = ""

    @property
    def status(self) -> int:
        """The server's flags."""
        return (Status.AUTOCOMMIT if self.autocommit else 0) | (Status.IN_TRANSACTION if self.open else 0)

    def ran(self, statement: Statement, sql: str, code: int) -> None:
        """A statement ran, with the code of its error (0: none)."""
        if (statement.command in ENDS_IT and not _TEMPORARY.match(sql)) or code == DEADLOCK:
            self._end()
        elif not self.autocommit and not code and statement.tables:
            self.open = True

    def simulate(self, statement: Statement, sql: str) -> Fields | None:
        """Carry out a statement that concerns the connection; its error, if any."""
        if statement.several:
            return error_of(1064, "42000", "You have an error in your SQL syntax: several statements at once")
        words = [each for each in tokens(sql) if each.kind not in ("space", "hint")]
        match statement.command:
            case "BEGIN" | "START" if statement.command == "BEGIN" or "transaction" in sql.lower():
                self._end()
                self.open = True
            case "COMMIT":
                self._end()
            case "ROLLBACK":
                name = _after(words, "to")
                if name:
                    return self._back_to(name)
                self._end()
            case "SAVEPOINT":
                self.savepoints = [*(each for each in self.savepoints if each != _last(words)), _last(words)]
            case "RELEASE":
                return self._release(_last(words))
            case "SET":
                self._set(words)
            case "USE":
                self.database = _bare(words[1]) if len(words) > 1 else ""
            case "LOCK" | "UNLOCK":
                self._end()
        return None

    def _end(self) -> None:
        self.open = False
        self.savepoints.clear()

    def _back_to(self, name: str) -> Fields | None:
        if name not in self.savepoints:
            return error_of(1305, "42000", f"SAVEPOINT {name} does not exist")
        del self.savepoints[self.savepoints.index(name) + 1 :]
        return None

    def _release(self, name: str) -> Fields | None:
        if name not in self.savepoints:
            return error_of(1305, "42000", f"SAVEPOINT {name} does not exist")
        del self.savepoints[self.savepoints.index(name) :]
        return None

    def _set(self, words: Sequence[Token]) -> None:
        for item in _items(words[1:]):
            self._set_one(item)

    def _set_one(self, item: Sequence[Token]) -> None:
        texts = [each.text.lower() for each in item]
        if texts[:1] == ["names"] and len(item) > 1:
            for name in ("character_set_client", "character_set_connection", "character_set_results"):
                self.settings[name] = _bare(item[1])
            return
        if (found := _ISOLATION.search(" ".join(texts))) is not None:
            self.settings["transaction_isolation"] = "-".join(found[1].upper().split())
            return
        at = next((at for at, text in enumerate(texts) if text in ("=", ":=")), len(texts))
        names = [text.lstrip("@").strip("`") for text in texts[:at] if text != "."]
        names = [name for name in names if name not in _LEVELS]
        if len(names) != 1 or (texts[0].startswith("@") and not texts[0].startswith("@@")):
            return  # a variable of the user's, or no setting at all
        value = "".join(_bare(each) for each in item[at + 1 :])
        if names[0] == "autocommit":
            self._autocommit(value.lower() in ("1", "on", "true"))
            value = "1" if self.autocommit else "0"
        self.settings[names[0]] = value

    def _autocommit(self, wanted: bool) -> None:
        if wanted and not self.autocommit:
            self._end()
        self.autocommit = wanted


def _items(words: Sequence[Token]) -> list[list[Token]]:
    """Parts between commas that are in no parentheses."""
    items: list[list[Token]] = [[]]
    depth = 0
    for each in words:
        depth += (each.text == "(") - (each.text == ")")
        if each.text == "," and not depth:
            items.append([])
        elif each.text != ";":
            items[-1].append(each)
    return items


def _after(words: Sequence[Token], word: str) -> str:
    at = next((at for at, each in enumerate(words) if each.text.lower() == word), None)
    names = [each for each in words[at + 1 :] if each.text.lower() not in ("savepoint", ";")] if at is not None else []
    return _bare(names[0]) if names else ""


def _last(words: Sequence[Token]) -> str:
    names = [each for each in words if each.text != ";"]
    return _bare(names[-1]) if len(names) > 1 else ""


def _bare(token: Token) -> str:
    return unquoted(token) if token.kind == "string" else token.text.strip("`")


def error_of(code: int, state: str, message: str) -> Fields:
    """An error of ours."""
    return {"code": code, "state": state, "message": message}
