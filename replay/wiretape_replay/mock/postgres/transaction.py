"""Statements that concern only the connection, simulated as the server treats them: transactions, settings, cursors.

Pure. The state is `I` outside of a transaction, `T` inside of one, `E` inside of a failed one, which answers everything
but its end with 25P02.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wiretape_capture.protocols.postgres.sql import statement_of, statements_in, tokens
from wiretape_capture.protocols.sql import Statement, Token
from wiretape_replay.mock.postgres.replies import UNLOCKED
from wiretape_replay.mock.postgres.settings import AUTHORIZATION, Reports, Settings, setting_of

type Fields = dict[str, str]

_ENDS = frozenset({"COMMIT", "END", "ROLLBACK", "ABORT"})
_TAGS = {"END": "COMMIT", "ABORT": "ROLLBACK", "START": "START TRANSACTION"}
_LONG = {"DISCARD", "DEALLOCATE"}


@dataclass(frozen=True, slots=True)
class Effect:
    """What a statement did: the tag of its answer, or its error; settings that changed."""

    tag: str = ""
    error: Fields | None = None
    warning: Fields | None = None
    reported: Reports = ()


@dataclass(slots=True)
class Transaction:
    """The state of one connection."""

    state: str = "I"
    savepoints: list[str] = field(default_factory=list)
    settings: Settings = field(default_factory=Settings)
    channels: set[str] = field(default_factory=set)

    def refusal(self, statement: Statement) -> Fields | None:
        """The error of a statement that comes in a failed transaction and does not end it."""
        if self.state != "E" or statement.command in _ENDS or not statement.template:
            return None
        return error_of("25P02", "current transaction is aborted, commands ignored until end of transaction block")

    def fail(self) -> Reports:
        """A statement failed; settings that are others with that."""
        if self.state != "T":
            return ()
        self.state = "E"
        return self.settings.fail()

    def follow(self, sql: str) -> None:
        """What a text of several statements, answered as a whole, did to the connection."""
        for each in statements_in(sql):
            statement = statement_of(each)
            if statement.session:
                self.simulate(statement, each)

    def simulate(self, statement: Statement, sql: str) -> Effect:
        """Carry out a statement that concerns the connection."""
        if statement.several:
            return Effect(error=error_of("42601", "cannot insert multiple commands into a prepared statement"))
        words = [each for each in tokens(sql) if each.kind != "space"]
        match statement.command:
            case "BEGIN" | "START":
                return self._begin(statement.command)
            case "COMMIT" | "END":
                return self._end("ROLLBACK" if self.state == "E" else "COMMIT")
            case "ROLLBACK" | "ABORT":
                to = _name_after(words, "to")
                return self._back_to(to) if to else self._end("ROLLBACK")
            case "SAVEPOINT" | "RELEASE":
                return self._savepoint(statement.command, _last_name(words))
            case "SET" | "RESET":
                return self._set(words)
            case "LISTEN" | "UNLISTEN":
                self._listen(statement.command, _last_name(words))
            case "DISCARD" if _last_name(words) == "all":
                return self._discard_all()
        return Effect(_tag(statement.command, words))

    def _begin(self, command: str) -> Effect:
        warning = None
        if self.state != "I":
            warning = error_of("25001", "there is already a transaction in progress", "WARNING")
        else:
            self.settings.begin()
        self.state = "T" if self.state == "I" else self.state
        return Effect(_TAGS.get(command, command), warning=warning)

    def _end(self, tag: str) -> Effect:
        warning = error_of("25P01", "there is no transaction in progress", "WARNING") if self.state == "I" else None
        return Effect(tag, warning=warning, reported=self.end(committed=tag == "COMMIT"))

    def end(self, *, committed: bool) -> Reports:
        """The transaction is over; settings that are others with that."""
        self.state = "I"
        self.savepoints.clear()
        return self.settings.end(committed=committed)

    def _back_to(self, name: str) -> Effect:
        if name not in self.savepoints:
            return self._unknown_savepoint(name)
        depth = len(self.savepoints) - self.savepoints[::-1].index(name)
        del self.savepoints[depth:]
        self.state = "T"
        return Effect("ROLLBACK", reported=self.settings.back_to(depth - 1))

    def _savepoint(self, command: str, name: str) -> Effect:
        if self.state == "I":
            return Effect(error=error_of("25P01", f"{command} SAVEPOINT can only be used in transaction blocks"))
        if command == "SAVEPOINT":
            self.savepoints.append(name)
            self.settings.begin()
            return Effect(command)
        if name not in self.savepoints:
            return self._unknown_savepoint(name)
        del self.savepoints[len(self.savepoints) - 1 - self.savepoints[::-1].index(name) :]
        self.settings.release(len(self.savepoints))
        return Effect(command)

    def _unknown_savepoint(self, name: str) -> Effect:
        return Effect(error=error_of("3B001", f'savepoint "{name}" does not exist'))

    def _set(self, words: list[Token]) -> Effect:
        texts = [each.text.lower() for each in words if each.text.lower() not in ("session", "local")]
        if texts[1:2] == ["constraints"]:
            return Effect("SET CONSTRAINTS")
        tag, local = texts[0].upper(), words[1:2] and words[1].text.lower() == "local"
        if local and self.state == "I":
            return Effect(tag, warning=error_of("25P01", "SET LOCAL can only be used in transaction blocks", "WARNING"))
        if tag == "RESET" and texts[1:2] == ["all"]:
            return Effect(tag, reported=self.settings.reset(set(self.settings.now) - {AUTHORIZATION}))
        name, value = setting_of(words, texts)
        if tag == "RESET" or value is None:
            return Effect(tag, reported=self.settings.reset({name}, local=bool(local)))
        return Effect(tag, reported=self.settings.set(name, value, local=bool(local)) if name else ())

    def _discard_all(self) -> Effect:
        if self.state != "I":
            return Effect(error=error_of("25001", "DISCARD ALL cannot run inside a transaction block"))
        self.channels.clear()
        return Effect("DISCARD ALL", reported=self.settings.reset(set(self.settings.now)))

    def _listen(self, command: str, channel: str) -> None:
        if command == "LISTEN":
            self.channels.add(channel)
        elif channel == "*":
            self.channels.clear()
        else:
            self.channels.discard(channel)


def _tag(command: str, words: list[Token]) -> str:
    every = any(each.text.lower() == "all" for each in words)
    if command == "CLOSE":
        return "CLOSE CURSOR ALL" if every else "CLOSE CURSOR"
    if command in _LONG:
        second = words[1].text.upper() if len(words) > 1 else ""
        return f"{command} {second}" if command == "DISCARD" else f"{command}{' ALL' if every else ''}"
    return _TAGS.get(command, command)


def _last_name(words: list[Token]) -> str:
    names = [each for each in words if each.text != ";"]
    return _folded(names[-1]) if len(names) > 1 else ""


def _name_after(words: list[Token], word: str) -> str:
    at = next((at for at, each in enumerate(words) if each.text.lower() == word), None)
    names = [each for each in words[at + 1 :] if each.text.lower() not in ("savepoint", ";")] if at is not None else []
    return _folded(names[0]) if names else ""


def _folded(token: Token) -> str:
    """A name as the server knows it: in lower case unless quoted."""
    if token.kind == "quoted":
        return token.text[1:-1].replace('""', '"')
    return token.text.lower()


class Failed(Exception):
    """A statement's error, on its way to the client."""

    def __init__(self, fields: Any) -> None:
        super().__init__(fields.get("M", ""))
        self.fields = fields


def error_of(code: str, problem: str, severity: str = "ERROR", **more: str) -> Fields:
    """The fields of an error or a warning of ours; `more` by letter."""
    return {"S": severity, "V": severity, "C": code, "M": problem, **more}


_PROBES = {
    "version": re.compile(r"select (pg_catalog\.)?version\(\)"),
    "schema": re.compile(r"select (pg_catalog\.)?current_schema(\(\))?"),
    "database": re.compile(r"select (pg_catalog\.)?current_database\(\)"),
    "user": re.compile(r"select (current_user|session_user|user)"),
    UNLOCKED: re.compile(r"select (pg_catalog\.)?pg_advisory_unlock_all\(\)"),
}


def probe(statement: Statement, parameters: Mapping[str, str], user: str, database: str) -> tuple[str, str] | None:
    """Column and value of what drivers and pools ask to see whether the server is there; None for anything else."""
    template = statement.template
    if template == "select ?" and isinstance(statement.constants[0], str):
        return "?column?", statement.constants[0]
    found = next((name for name, pattern in _PROBES.items() if pattern.fullmatch(template)), "")
    if found:
        version = f"PostgreSQL {parameters.get('server_version', '15.0')} (answered by wiretape)"
        values = {"version": version, "schema": "public", "database": database, "user": user, UNLOCKED: ""}
        names = {"schema": "current_schema", "database": "current_database", "user": "current_user"}
        return names.get(found, found), values[found]
    return _shown(template, parameters) if statement.command == "SHOW" else None


def _shown(template: str, parameters: Mapping[str, str]) -> tuple[str, str] | None:
    name = template.removeprefix("show ").replace("transaction isolation level", "transaction_isolation")
    known = {each.lower(): value for each, value in parameters.items()}
    known = {"transaction_isolation": "read committed", "search_path": '"$user", public'} | known
    return (name, known[name]) if name in known else None
