"""Follows one connection to Redis: which reply belongs to which command, and what the server sends of itself.

Pure. Commands wait in a queue and replies come in its order; messages of subscriptions, invalidations and other pushes
come between them and take no place in it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from wiretape_capture.protocols.observed import Book, Emit
from wiretape_capture.protocols.redis import told
from wiretape_capture.protocols.redis.buffer import Malformed
from wiretape_capture.protocols.redis.cells import Cell, error_of, without_attributes
from wiretape_capture.protocols.redis.commands import SUBSCRIBING, word
from wiretape_capture.protocols.redis.replies import Reply, ReplyReader
from wiretape_capture.protocols.redis.requests import Arguments, CommandReader
from wiretape_capture.protocols.redis.secrets import answer_without_secrets
from wiretape_capture.protocols.redis.subscriptions import KINDS, MESSAGES, Subscriptions
from wiretape_capture.protocols.redis.template import script_sha

WAITING_LIMIT = 64 << 20
"""Bytes of commands without a reply that are kept of one connection, and of those of one transaction."""
SCRIPTS, SCRIPT_BYTES = 1_000, 16 << 20
"""Scripts of one connection whose text is remembered."""
CLOSED = "the connection ended first"
NOT_FOLLOWED = {
    "MONITOR": "MONITOR shows the commands of everyone, which is no traffic of the app",
    "SYNC": "it copies the database", "PSYNC": "it copies the database",
}  # fmt: skip
_UNTOLD = frozenset({"MULTI"})
_ENDS = frozenset({"EXEC", "DISCARD", "RESET"})


@dataclass(slots=True)
class _Step:
    """A command that waits for its reply."""

    arguments: Arguments
    at: int
    size: int
    place: Emit | None
    name: str
    left: int = 0
    """For subscriptions: replies that still come; 0 before the first."""
    refused: bool = False
    """It was to be part of a transaction, which fails because of it."""


@dataclass(slots=True)
class _Transaction:
    """Between MULTI and EXEC."""

    commands: list[Arguments] = field(default_factory=list)
    watched: list[Arguments] = field(default_factory=list)
    size: int = 0


class RedisFollower:
    """One connection. `db` and `resp` are what it begins with."""

    def __init__(self, book: Book, db: int = 0, resp: int = 2) -> None:
        self._book = book
        self._commands, self._replies = CommandReader(), ReplyReader()
        self._waiting: deque[_Step] = deque()
        self._waiting_bytes = 0
        self._db = db
        self._resp = resp
        self._transaction: _Transaction | None = None
        self._watched: list[Arguments] = []
        self._subscriptions = Subscriptions()
        self._collecting = False
        """The client sent MULTI, and not yet what ends it."""
        self._silent = ""
        """CLIENT REPLY: `off`, `skip` for the next command, or empty."""
        self._scripts: dict[str, Cell] = {}
        self._script_bytes = 0
        self._answers = False
        """The server has said anything."""
        self._turned_away = False
        """The server refused the connection: what the client sent all the same is asked of nobody."""

    # The client's side

    def client(self, data: bytes, at: int) -> None:
        """Bytes from the client. Raises Malformed."""
        for arguments in self._commands.feed(data):
            self._asked(arguments, at)
        if self._commands.problem is not None:
            raise self._commands.problem

    def _asked(self, arguments: Arguments, at: int) -> None:
        if self._turned_away:
            return
        name = word(arguments[0])
        if name in NOT_FOLLOWED:
            raise Malformed(f"the app sent {name}: {NOT_FOLLOWED[name]}")
        size = 64 + sum(len(raw) for raw in arguments if isinstance(raw, bytes))
        reply = word(arguments[2]) if name == "CLIENT" and len(arguments) > 2 and word(arguments[1]) == "REPLY" else ""
        if reply in ("OFF", "SKIP"):
            self._silent = reply.lower()
            return
        if self._silent and reply != "ON":
            self._silent = "" if self._silent == "skip" else self._silent
            self._book(at)(told.unreplied(self._question(arguments), arguments, at))
            return
        self._silent = ""
        if name in _ENDS:
            self._collecting = False
        booked = not self._collecting and name not in _UNTOLD
        self._collecting |= name == "MULTI"
        self._waiting.append(_Step(arguments, at, size, self._book(at) if booked else None, name))
        self._waiting_bytes += size
        if self._waiting_bytes > WAITING_LIMIT:
            raise Malformed("too many commands wait for their replies")

    # The server's side

    def server(self, data: bytes, at: int) -> None:
        """Bytes from the server. Raises Malformed."""
        for reply in self._replies.feed(data):
            if not self._aside(reply.cell, at):
                self._reply(reply, at)

    def _aside(self, cell: Cell, at: int) -> bool:
        """Take what is no reply."""
        if isinstance(cell, dict) and "push" in cell:
            parts = cell["push"]
            kind = parts[0] if parts else ""
            if kind in MESSAGES:
                self._book(at)(told.message(kind, parts[1:], at))
            elif kind in KINDS:
                self._reply(Reply(parts, 0), at)
            else:
                self._book(at)(told.pushed(parts, at))
            return True
        if self._resp == 2 and self._subscriptions and isinstance(cell, list) and cell and cell[0] in MESSAGES:
            self._book(at)(told.message(cell[0], cell[1:], at))
            return True
        return False

    def _reply(self, reply: Reply, at: int) -> None:
        first, self._answers = not self._answers, True
        # Whether the first command was on its way by then is chance.
        error = told.turned_away(reply.cell) if first else ""
        if error or not self._waiting:
            self._refused(error or error_of(reply.cell), at, first=first)
            return
        step = self._waiting[0]
        if step.name in SUBSCRIBING and self._subscribed(step, reply.cell):
            return
        self._waiting.popleft()
        self._waiting_bytes -= step.size
        cell = answer_without_secrets(step.arguments, reply.cell)
        if self._in_transaction(step, cell, reply.dropped, at):
            return
        self._tell(step, cell, reply.dropped, at)

    def _refused(self, error: str | None, at: int, *, first: bool) -> None:
        """An error of which no command is the cause. Raises Malformed for any other reply."""
        if error is None:
            raise Malformed("a reply came where no command waits for one")
        self._turned_away = first
        self._waiting.clear()
        self._book(at)(told.refused(error, at, at))

    def _subscribed(self, step: _Step, cell: Cell) -> bool:
        """One of the replies to a subscription; True while more come. What the last one was is told."""
        if error_of(cell) is not None or self._transaction is not None:
            return False
        if not step.left:
            step.left = self._subscriptions.replies_to(step.name, len(step.arguments) - 1)
        if not isinstance(cell, list) or not cell or cell[0] not in KINDS:
            raise Malformed("a reply to a subscription is none")
        self._subscriptions.apply(cell)
        step.left -= 1
        return step.left > 0

    def _in_transaction(self, step: _Step, cell: Cell, dropped: int, at: int) -> bool:
        """Keep what belongs to a transaction until it ends; True for what is told with it or not at all."""
        failed = error_of(cell) is not None
        opened = self._transaction
        match step.name:
            case "MULTI" if not failed:
                self._transaction = _Transaction(watched=self._watched)
                return True
            case "EXEC" if opened is not None:
                self._transaction, self._watched = None, []
                self._executed(opened, step, cell, dropped, at)
                return True
            case "WATCH" if not failed:
                self._watched.append(step.arguments[1:])
            case "UNWATCH" | "DISCARD" | "RESET" if not failed:
                self._transaction, self._watched = None, []
            case _ if opened is not None and not failed:
                opened.size += step.size
                if opened.size > WAITING_LIMIT:
                    raise Malformed(f"a transaction is larger than {WAITING_LIMIT} bytes")
                opened.commands.append(step.arguments)
                return True
            case _ if opened is not None:
                step.refused = True
        return False

    def _executed(self, done: _Transaction, step: _Step, cell: Cell, dropped: int, at: int) -> None:
        question: dict[str, Any] = {"transaction": [told.to_document(each) for each in done.commands]}
        question |= self._where()
        if done.watched:
            question["watch"] = [told.to_document(each) for each in done.watched]
        results = cell if isinstance(cell, list) else []
        for arguments, result in zip(done.commands, results, strict=False):
            self._effect(word(arguments[0]), arguments, result)
        if isinstance(cell, list):
            cell = [answer_without_secrets(arguments, each)
                    for arguments, each in zip(done.commands, cell, strict=False)]  # fmt: skip
        self._emit(step)(told.transaction(question, done.commands, cell, step.at, at, dropped))

    def _tell(self, step: _Step, cell: Cell, dropped: int, at: int) -> None:
        question = self._question(step.arguments)
        if step.refused:
            question["queued"] = True
        self._effect(step.name, step.arguments, cell)
        if step.name not in _UNTOLD:
            self._emit(step)(told.executed(question, step.arguments, cell, step.at, at, dropped))

    def _effect(self, name: str, arguments: Arguments, cell: Cell) -> None:
        """What a command that succeeded did to the connection."""
        if error_of(cell) is not None:
            return
        if name == "SELECT" and len(arguments) > 1 and isinstance(arguments[1], bytes) and arguments[1].isdigit():
            self._db = int(arguments[1])
        elif name == "HELLO" and len(arguments) > 1:
            self._resp = 3 if arguments[1] == b"3" else 2
        elif name == "RESET":
            self._db, self._resp = 0, 2
            self._subscriptions = Subscriptions()
        elif name == "SCRIPT" and len(arguments) > 2 and word(arguments[1]) == "LOAD":
            self._remember(without_attributes(cell), arguments[2])
        elif name == "EVAL" and len(arguments) > 1:
            self._remember(script_sha(arguments), arguments[1])

    def _remember(self, sha: Cell, script: bytes | int) -> None:
        if not isinstance(sha, str) or not isinstance(script, bytes) or sha in self._scripts:
            return
        if len(self._scripts) < SCRIPTS and self._script_bytes + len(script) <= SCRIPT_BYTES:
            self._script_bytes += len(script)
            self._scripts[sha] = told.to_document([script])[0]

    def _question(self, arguments: Arguments) -> dict[str, Any]:
        question: dict[str, Any] = {"command": told.to_document(arguments), **self._where()}
        if word(arguments[0]).startswith("EVALSHA") and (script := self._scripts.get(script_sha(arguments))):
            question["script"] = script
        return question

    def _where(self) -> dict[str, Any]:
        return {"db": self._db, "resp": self._resp}

    def _emit(self, step: _Step) -> Emit:
        return step.place or self._book(step.at)

    def end(self, at: int) -> None:
        """The connection is over."""
        for step in self._waiting:
            if step.name not in _UNTOLD and step.name != "QUIT":
                question = self._question(step.arguments)
                self._emit(step)(told.unanswered(question, step.arguments, step.at, at, CLOSED))
        self._waiting.clear()
