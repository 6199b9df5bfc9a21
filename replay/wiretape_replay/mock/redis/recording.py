"""What a recording says about one Redis server: answers by exchange, messages, scripts, what it said of itself. Pure.

Built at load, in recorded order. Commands that only concern the connection are left out: they are simulated, but for
those that failed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from wiretape_capture.protocols.redis.cells import Cell, error_of, to_text
from wiretape_capture.protocols.redis.commands import BLOCKING, SCRIPTED, meaning_of, word
from wiretape_capture.protocols.redis.requests import Arguments
from wiretape_capture.protocols.redis.template import script_sha
from wiretape_capture.protocols.redis.told import CONNECT, MESSAGE, OK, PUSH, TRANSACTION, UNREACHABLE, turned_away
from wiretape_capture.snapshot.exchange import Exchange
from wiretape_replay.match.commands import arguments_of, document_of, is_command, parts_of_command
from wiretape_replay.mock.answer import Fault, fault_of
from wiretape_replay.mock.databases.outages import Login, Outages

NOSCRIPT, NOPROTO = "NOSCRIPT", "NOPROTO"

type Message = tuple[Cell, Cell]
"""Channel and payload."""
type Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Recorded:
    """One recorded answer."""

    sequence: int
    status: str
    document: bytes | None
    """JSON; None when no answer came."""
    resp: int
    duration_us: int
    complete: bool = True
    fault: Fault = ""
    blocking: bool = False
    awaits: int = 0
    """For a blocking command: the write that came while it waited, and that it may have waited for."""


@dataclass(slots=True)
class _Blocked:
    """A blocking command, until no write can have come while it waited."""

    sequence: int
    homes: frozenset[tuple[str, ...]]
    connection: str
    until_ns: int


@dataclass(slots=True)
class RedisRecording:
    """All that is known of one server."""

    answers: dict[int, Recorded] = field(default_factory=dict)
    said: dict[Key, list[tuple[Cell, int]]] = field(default_factory=dict)
    """What the server said of itself, and errors of commands that concern the connection: answers with their version
    of RESP, by command."""
    refused: dict[Key, Cell] = field(default_factory=dict)
    """Errors of commands that were to be part of a transaction."""
    messages: dict[int, list[Message]] = field(default_factory=dict)
    """What others published, by the exchange that came before; 0: before the first."""
    invalidated: dict[int, list[Cell]] = field(default_factory=dict)
    """Pushes of CLIENT TRACKING, in the same way."""
    hello: dict[str, Cell] = field(default_factory=dict)
    """What the server said to HELLO."""
    unknown_scripts: set[str] = field(default_factory=set)
    """Hashes of scripts that the server did not know when they were first asked for."""
    known_scripts: set[str] = field(default_factory=set)
    outages: Outages[str] = field(default_factory=Outages)
    """Connections that were refused, by the error that the server spoke; empty where it was not there."""
    denied: dict[Login, str] = field(default_factory=dict)
    """The error of AUTH by user, where one was refused."""
    admitted: set[Login] = field(default_factory=set)
    """Whose AUTH was ever accepted."""
    size: int = 0
    _last: int = 0
    _published: Counter[tuple[str, str]] = field(default_factory=Counter)
    _got: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    _told: set[tuple[int, str, str]] = field(default_factory=set)
    _blocked: list[_Blocked] = field(default_factory=list)

    def document(self, sequence: int) -> bytes | None:
        """The recorded answer to a command."""
        return self.answers[sequence].document

    def add(self, exchange: Exchange) -> bool:
        """One more exchange; True for one that is to be matched."""
        if exchange.command == CONNECT or turned_away(_answer_of(exchange).get("reply")):
            self._refused(exchange)
            return False
        login = login_in(document_of(exchange.request))
        if (
            login is not None
            and (error := error_of(_answer_of(exchange).get("reply")))
            and not error.startswith(NOPROTO)
        ):
            self.denied.setdefault(login, error)
            self.outages.denied(exchange, error, login)
            return False
        matched = self._add(exchange)
        if exchange.status != OK:
            login = None
        elif login is not None:
            self.admitted.add(login)
        self.outages.served(exchange, matched=matched, login=login)
        return matched

    def _refused(self, exchange: Exchange) -> None:
        error = error_of(_answer_of(exchange).get("reply")) or ""
        spoken = not error.startswith(UNREACHABLE)
        self.outages.refused(exchange, error if spoken else "", lives=spoken)

    def _add(self, exchange: Exchange) -> bool:
        document, answer = document_of(exchange.request), _answer_of(exchange)
        match exchange.command:
            case _ if exchange.command == MESSAGE:
                self._message(exchange, document.get("channel"), answer.get("message"))
                return False
            case _ if exchange.command == PUSH:
                if document.get("kind") == "invalidate":
                    self.invalidated.setdefault(self._last, []).append(answer.get("push"))
                return False
            case _ if exchange.command == TRANSACTION:
                commands = [arguments_of(each) for each in document.get("transaction", ())]
            case _:
                commands = [arguments_of(document.get("command") or ["?"])]
        if exchange.command != TRANSACTION and self._of_connection(commands[0], document, answer, exchange):
            return False
        if not is_command(exchange):
            return False
        self._executed(exchange, document, commands)
        return True

    def _message(self, exchange: Exchange, name: Cell, payload: Cell) -> None:
        """Keep what was published by others; what the app itself published comes from its own PUBLISH."""
        if isinstance(payload, dict) and "omitted" in payload:
            return
        of = (str(name), str(payload))
        self._got[(exchange.connection, *of)] += 1
        if self._got[(exchange.connection, *of)] <= self._published[of]:
            return
        told = (self._last, *of)
        if told not in self._told:  # once for all who got it
            self._told.add(told)
            self.messages.setdefault(self._last, []).append((name, payload))

    def _of_connection(self, arguments: Arguments, document: Mapping[str, Any], answer: Mapping[str, Any],
                       exchange: Exchange) -> bool:  # fmt: skip
        """Whether a command says nothing of data; what is to be known of it is kept."""
        meaning, reply, resp = meaning_of(arguments), answer.get("reply"), int(document.get("resp") or 2)
        if document.get("queued"):
            self.refused[key_of(arguments)] = reply
            return True
        if exchange.status == NOSCRIPT:
            sha = script_sha(arguments)
            if sha not in self.known_scripts:
                self.unknown_scripts.add(sha)
            return True
        if meaning.name == "HELLO" and exchange.status == OK:
            pairs = reply["map"] if isinstance(reply, dict) and "map" in reply else _paired(reply)
            self.hello = {str(name): value for name, value in pairs}
            return True
        if not (meaning.connection or meaning.probes):
            return False
        if exchange.response is not None and meaning.name not in ("SCRIPT LOAD", "SCRIPT EXISTS", "AUTH"):
            failed = exchange.status != OK
            if failed or meaning.probes or meaning.first in ("CLIENT", "WAIT", "WAITAOF"):
                self.said.setdefault(key_of(arguments), []).append((reply, resp))
        return True

    def _executed(self, exchange: Exchange, document: Mapping[str, Any], commands: Sequence[Arguments]) -> None:
        body = exchange.response.body.data if exchange.response is not None else None
        sequence = self._last = exchange.sequence
        self.size += len(body or b"")
        blocking = len(commands) == 1 and meaning_of(commands[0]).name in BLOCKING
        self.answers[sequence] = Recorded(
            sequence, exchange.status, body, int(document.get("resp") or 2), exchange.duration_us,
            exchange.response is None or exchange.response.body.complete,
            fault_of(exchange.error) if exchange.response is None else "", blocking,
        )  # fmt: skip
        for each in commands:
            name = word(each[0])
            if name in ("PUBLISH", "SPUBLISH") and len(each) > 2:
                channel, payload = (told_of(raw) for raw in each[1:3])
                self._published[str(channel), str(payload)] += 1
            elif name in SCRIPTED and len(each) > 1:
                self.known_scripts.add(script_sha(each))
        self._blocks(exchange, document, blocking)

    def _blocks(self, exchange: Exchange, document: Mapping[str, Any], blocking: bool) -> None:
        """Find out which write a blocking command may have waited for: the last to its keys while it waited."""
        if not blocking and not self._blocked:
            return
        parts = parts_of_command("", document)
        homes = frozenset(parts.homes)
        self._blocked = [each for each in self._blocked if each.until_ns > exchange.started_ns]
        if parts.writes:
            for each in self._blocked:
                if each.homes & homes and each.connection != exchange.connection:
                    self.answers[each.sequence] = replace(self.answers[each.sequence], awaits=exchange.sequence)
        if blocking:
            until = exchange.started_ns + exchange.duration_us * 1000
            self._blocked.append(_Blocked(exchange.sequence, homes, exchange.connection, until))


def key_of(arguments: Arguments) -> Key:
    """What a command is known by that is not matched: its words, name and subcommand in upper case."""
    named = 2 if " " in meaning_of(arguments).name else 1
    return (*(word(raw) for raw in arguments[:named]), *(str(told_of(raw)) for raw in arguments[named:]))


def login_of(arguments: Arguments) -> Login | None:
    """Who logs in by AUTH or HELLO; None where it is no login."""
    name, count = word(arguments[0]), len(arguments)
    if name == "AUTH" and count > 1:
        return (str(told_of(arguments[1])) if count > 2 else "default"), ""
    for at in range(2, count - 2) if name == "HELLO" else ():
        if word(arguments[at]) == "AUTH":
            return str(told_of(arguments[at + 1])), ""
    return None


def login_in(document: Mapping[str, Any]) -> Login | None:
    """The same of a recorded command."""
    command = document.get("command")
    return login_of(arguments_of(command)) if command else None


def told_of(raw: bytes | int) -> Cell:
    """An argument as a message's channel or payload is kept."""
    return to_text(raw) if isinstance(raw, bytes) else raw


def _paired(reply: Cell) -> list[list[Cell]]:
    items = reply if isinstance(reply, list) else []
    return [[items[at], items[at + 1]] for at in range(0, len(items) - 1, 2)]


def _answer_of(exchange: Exchange) -> dict[str, Any]:
    data = exchange.response.body.data if exchange.response is not None else None
    found = orjson.loads(data) if data else {}
    return found if isinstance(found, dict) else {}
