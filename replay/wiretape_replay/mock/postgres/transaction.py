"""Statements that concern only the connection, simulated as the server treats them: transactions, settings, cursors.

Pure. The state is `I` outside of a transaction, `T` inside of one, `E` inside of a failed one, which answers everything
but its end with 25P02.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from wiretape_capture.protocols.postgres.sql import statement_of, statements_in, tokens, unquoted
from wiretape_capture.protocols.sql import Statement, Token
from wiretape_replay.mock.postgres.replies import UNLOCKED

type Fields = dict[str, str]

REPORTED = {each.lower(): each for each in (
    "application_name", "client_encoding", "DateStyle", "IntervalStyle", "TimeZone", "standard_conforming_strings",
    "search_path", "default_transaction_read_only", "session_authorization",
)}  # fmt: skip
"""Settings whose change the server reports (GUC_REPORT), by their name in lower case."""
AUTHORIZATION = "session_authorization"
"""No RESET ALL changes it."""
_ENDS = frozenset({"COMMIT", "END", "ROLLBACK", "ABORT"})
_TAGS = {"END": "COMMIT", "ABORT": "ROLLBACK", "START": "START TRANSACTION"}
_LONG = {"DISCARD", "DEALLOCATE"}


@dataclass(frozen=True, slots=True)
class Effect:
    """What a statement did: the tag of its answer, or its error; settings that changed."""

    tag: str = ""
    error: Fields | None = None
    warning: Fields | None = None
    reported: tuple[tuple[str, str | None], ...] = ()
    """None: it is what it was at the login."""


@dataclass(slots=True)
class Transaction:
    """The state of one connection."""

    state: str = "I"
    savepoints: list[str] = field(default_factory=list)
    settings: dict[str, str] = field(default_factory=dict)
    """What SET changed, by the setting's name in lower case."""
    channels: set[str] = field(default_factory=set)

    def refusal(self, statement: Statement) -> Fields | None:
        """The error of a statement that comes in a failed transaction and does not end it."""
        if self.state != "E" or statement.command in _ENDS or not statement.template:
            return None
        return error_of("25P02", "current transaction is aborted, commands ignored until end of transaction block")

    def fail(self) -> None:
        """A statement failed."""
        if self.state == "T":
            self.state = "E"

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
        self.state = "T" if self.state == "I" else self.state
        return Effect(_TAGS.get(command, command), warning=warning)

    def _end(self, tag: str) -> Effect:
        warning = error_of("25P01", "there is no transaction in progress", "WARNING") if self.state == "I" else None
        self.state = "I"
        self.savepoints.clear()
        return Effect(tag, warning=warning)

    def _back_to(self, name: str) -> Effect:
        if name not in self.savepoints:
            return self._unknown_savepoint(name)
        del self.savepoints[len(self.savepoints) - self.savepoints[::-1].index(name) :]
        self.state = "T"
        return Effect("ROLLBACK")

    def _savepoint(self, command: str, name: str) -> Effect:
        if self.state == "I":
            return Effect(error=error_of("25P01", f"{command} SAVEPOINT can only be used in transaction blocks"))
        if command == "SAVEPOINT":
            self.savepoints.append(name)
            return Effect(command)
        if name not in self.savepoints:
            return self._unknown_savepoint(name)
        del self.savepoints[len(self.savepoints) - 1 - self.savepoints[::-1].index(name) :]
        return Effect(command)

    def _unknown_savepoint(self, name: str) -> Effect:
        return Effect(error=error_of("3B001", f'savepoint "{name}" does not exist'))

    def _set(self, words: list[Token]) -> Effect:
        texts = [each.text.lower() for each in words if each.text.lower() not in ("session", "local")]
        if texts[1:2] == ["constraints"]:
            return Effect("SET CONSTRAINTS")
        tag = texts[0].upper()
        if tag == "RESET" and texts[1:2] == ["all"]:
            return Effect(tag, reported=self._reset(self.settings.keys() - {AUTHORIZATION}))
        name, value = _setting(words, texts)
        if tag == "RESET" or value is None:
            return Effect(tag, reported=self._reset({name}))
        if not name:
            return Effect(tag)
        self.settings[name] = value
        known = REPORTED.get(name)
        return Effect(tag, reported=((known, _as_reported(name, value)),) if known else ())

    def _reset(self, names: Set[str]) -> tuple[tuple[str, None], ...]:
        """Give settings the values of the login; those that were set and are told to the client."""
        gone = [name for name in sorted(names) if self.settings.pop(name, None) is not None]
        return tuple((REPORTED[name], None) for name in gone if name in REPORTED)

    def _discard_all(self) -> Effect:
        if self.state != "I":
            return Effect(error=error_of("25001", "DISCARD ALL cannot run inside a transaction block"))
        self.channels.clear()
        return Effect("DISCARD ALL", reported=self._reset(self.settings.keys()))

    def _listen(self, command: str, channel: str) -> None:
        if command == "LISTEN":
            self.channels.add(channel)
        elif channel == "*":
            self.channels.clear()
        else:
            self.channels.discard(channel)


def _setting(words: list[Token], texts: list[str]) -> tuple[str, str | None]:
    """Name and value of SET or RESET, None for the value of the login; no name for those that are no settings, such as
    SET TRANSACTION."""
    words = [each for each in words if each.text != ";"]
    if len(texts) < 2 or texts[1] in ("transaction", "characteristics", "role", "all"):
        return "", ""
    last = words[-1].text.lower()
    if last == "default" or (last == "local" and texts[1] == "time"):
        return _named(words[:-1], texts[1])[0], None
    return _named(words, texts[1])


def _named(words: list[Token], first: str) -> tuple[str, str]:
    known = {"time": "timezone", "names": "client_encoding", "authorization": AUTHORIZATION}.get(first)
    if known is not None:
        return known, _value(words[-1:])
    at = next((at for at, each in enumerate(words) if each.text.lower() in ("=", "to")), len(words))
    name = "".join(each.text for each in words[1:at] if each.text.lower() not in ("session", "local"))
    return name.lower().strip('"'), _value(words[at + 1 :])


def _value(words: list[Token]) -> str:
    return "".join(", " if each.text == "," else _bare(each) for each in words if each.text != ";")


def _bare(token: Token) -> str:
    return unquoted(token) if token.kind in ("string", "escaped") else token.text.strip('"')


def _as_reported(name: str, value: str) -> str:
    if name == "client_encoding":
        return {"UTF-8": "UTF8", "UNICODE": "UTF8"}.get(value.upper(), value.upper())
    if name == "datestyle" and "," not in value:
        return f"{value.upper() if value.lower() == 'iso' else value}, MDY"
    return value


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
