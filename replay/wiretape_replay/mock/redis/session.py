"""One client of a mocked Redis server: bytes in, bytes out, with the state that the real server would have. No socket.

Logins are accepted, never checked. Commands for data are asked for at the desk; what concerns only the connection is
simulated (`connection_commands.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import time_ns

from wiretape_capture.protocols.redis.cells import Cell
from wiretape_capture.protocols.redis.commands import SUBSCRIBING, word
from wiretape_capture.protocols.redis.requests import LONGEST_BULK, Arguments, CommandReader
from wiretape_capture.protocols.redis.secrets import without_secrets
from wiretape_capture.protocols.redis.subscriptions import Subscriptions, glob
from wiretape_capture.protocols.redis.template import script_sha
from wiretape_capture.protocols.redis.writing import write
from wiretape_replay.mock.answer import Fault
from wiretape_replay.mock.journal import Journal, Pen
from wiretape_replay.mock.redis.desk import KEPT_COMMAND, REMEMBERED, Asked, Found, error
from wiretape_replay.mock.redis.hall import Hall
from wiretape_replay.mock.redis.recording import Message, key_of, told_of

QUEUED: Cell = {"simple": "QUEUED"}
NOSCRIPT = "NOSCRIPT No matching script. Please use EVAL."
ABORTED = "EXECABORT Transaction discarded because of previous errors."
WHILE_SUBSCRIBED = SUBSCRIBING | {"PING", "QUIT", "RESET", "HELLO"}
"""What RESP2 allows a client that has subscribed."""
OUTSIDE = frozenset({"EXEC", "DISCARD", "RESET", "QUIT", "MULTI", "WATCH"})
"""What is no part of a transaction that is open."""
TRANSACTION_LIMIT = 64 << 20
"""Bytes of one transaction's commands."""


@dataclass(slots=True)
class Transaction:
    """Between MULTI and EXEC."""

    commands: list[Arguments] = field(default_factory=list)
    size: int = 0
    failed: bool = False


type Simulated = Callable[[Session, Arguments], bool]
"""Answers a command that concerns the connection; True where the desk journaled it already."""


class Session:
    """One connection, from its first byte on. `take` gives what is to be sent."""

    def __init__(self, hall: Hall, simulated: Mapping[str, Simulated]) -> None:
        self.hall = hall
        self.desk = hall.desk
        self._simulated = simulated
        self.number = next(hall.numbers)
        self.db = 0
        self.resp = 2
        self.name: Cell = None
        self.tracks = False
        self.silent = ""
        """CLIENT REPLY: `off`, `skip` for the next command, or empty."""
        self.subscriptions = Subscriptions()
        self.transaction: Transaction | None = None
        self._reader = CommandReader(LONGEST_BULK)
        self._out: list[bytes] = []
        self._admitted = False
        self._memory: dict[object, Asked] = {}
        self._simple = False
        """Nothing but the next command decides what comes of it."""
        self.secures = False
        self.closing = False
        self.fault: Fault = ""
        self.delay = 0.0
        self.awaits: set[int] = set()
        """Exchanges whose arrival ends the delay."""
        self.settle()

    def settle(self) -> None:
        """The state changed: choose the memory that holds for it."""
        self._memory = self.hall.memory.setdefault((self.db, self.resp), {})
        self._simple = self.transaction is None and not self.silent and not (self.resp == 2 and self.subscriptions)

    @property
    def alone(self) -> bool:
        """Whether nothing can come to the client but answers to what it sends."""
        return self._simple and not (self.tracks or self.subscriptions or self._reader.rest or self.closing)

    def again(self, data: bytes, pen: Journal | Pen) -> bytes | None:
        """The answer to a settled command, whose bytes came before; None for anything else.

        Nobody waits for such a command to be served (`hall.awaited`): it was.
        """
        asked = self._memory.get(data) if self._simple and not self._reader.rest else None
        given = asked.settled if asked is not None else None
        if given is None:
            return None
        pen.again(time_ns(), given.line)
        return given.found.data

    def feed(self, data: bytes) -> None:
        """Bytes from the client. Raises Malformed."""
        if not self._admitted and data:
            self._admitted = True
            # The recorder hears a client before it connects to the server, so it is refused then, too.
            if (refusal := self.desk.refusal()) is not None:
                self._out.append(refusal)
                self.closing = True
                return
        if self._simple and (asked := self._memory.get(data)) is not None and not self._reader.rest:
            self._give(self.desk.answer(asked))
            return
        whole = data if not self._reader.rest else b""
        commands = self._reader.feed(data)
        if len(commands) > 1 or self._reader.rest:
            whole = b""
        for arguments in commands:
            if self.closing:
                return
            self.command(arguments, whole)
        if self._reader.problem is not None and not self.closing:
            raise self._reader.problem

    def take(self) -> bytes:
        """What is to be sent now."""
        out = self._out
        data = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        return data

    @property
    def within(self) -> bool:
        """Whether the client has begun something that it did not finish."""
        return self._reader.rest or self.transaction is not None

    @property
    def rests(self) -> bool:
        """Whether no transaction is open."""
        return self.transaction is None

    # Saying

    def say(self, cell: Cell) -> None:
        """A reply."""
        self.put(write(cell, self.resp))

    def fail(self, text: str) -> None:
        """An error."""
        self.put(error(text))

    def put(self, data: bytes) -> None:
        """A reply, unless the client wants none."""
        if not self.silent:
            self._out.append(data)

    def push(self, parts: list[Cell]) -> None:
        """Something that is no reply."""
        self._out.append(write({"push": parts}, self.resp))

    # Commands

    def command(self, arguments: Arguments, whole: bytes = b"") -> None:
        """One command; `whole` are its bytes where they came by themselves."""
        skipped = self.silent == "skip"
        name = word(arguments[0])
        if self.transaction is not None and name not in OUTSIDE:
            self._queue(self.transaction, arguments)
        elif self.resp == 2 and self.subscriptions and name not in WHILE_SUBSCRIBED:
            self.fail(f"ERR Can't execute '{name.lower()}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / "
                      f"RESET are allowed in this context")  # fmt: skip
        elif (simulated := self._simulated.get(name)) is not None:
            if not simulated(self, arguments):
                self.desk.simulated(arguments)
            self.settle()
        else:
            self._ask(name, arguments, whole)
        if skipped and self.silent == "skip":
            self.silent = ""
            self.settle()

    def _ask(self, name: str, arguments: Arguments, whole: bytes) -> None:
        if name.startswith("EVAL") and self._lacks_script(name, arguments):
            self.desk.simulated(arguments)
            self.fail(NOSCRIPT)
            return
        asked = self._asked(arguments, whole)
        found = self.desk.answer(asked)
        if found.sequence and name in ("PUBLISH", "SPUBLISH"):
            self._publish(arguments)
        self._give(found)

    def _asked(self, arguments: Arguments, whole: bytes) -> Asked:
        """A command taken apart, remembered where it does nothing but get its answer."""
        key = tuple(arguments)
        asked = self._memory.get(key)
        if asked is None:
            asked = self.desk.ask([without_secrets(arguments)], self.db, self.resp)
            if asked.plain and sum(len(raw) for raw in key if isinstance(raw, bytes)) <= KEPT_COMMAND:
                if len(self._memory) >= REMEMBERED:
                    self._memory.clear()
                self._memory[key] = asked
        elif whole and not word(key[0]).startswith("EVAL"):
            self._memory[whole] = asked
        return asked

    def _lacks_script(self, name: str, arguments: Arguments) -> bool:
        """Whether a script is asked for by a hash that the server would not know; a text makes it known."""
        if len(arguments) < 2:
            return False
        sha, recording = script_sha(arguments), self.desk.recording
        if not name.startswith("EVALSHA"):
            self.hall.scripts.add(sha)
            return False
        return sha not in self.hall.scripts and (sha in recording.unknown_scripts or sha not in recording.known_scripts)

    def _publish(self, arguments: Arguments) -> None:
        if len(arguments) == 3:
            message = told_of(arguments[1]), told_of(arguments[2])
            self.hall.publish(message, word(arguments[0]) == "SPUBLISH")

    def _give(self, found: Found) -> None:
        self.put(found.data)
        if found.sequence:
            self.hall.served(found.sequence)
        if found.delay or found.awaits:
            self.delay += found.delay
            if found.awaits and not self.desk.used(found.awaits):
                self.awaits.add(found.awaits)
                self.hall.awaited.add(found.awaits)
        if found.fault:
            self.fault, self.closing = found.fault, True

    # Transactions

    def _queue(self, transaction: Transaction, arguments: Arguments) -> None:
        refused = self.desk.recording.refused.get(key_of(arguments))
        transaction.size += sum(len(raw) for raw in arguments if isinstance(raw, bytes))
        if transaction.size > TRANSACTION_LIMIT:
            refused = {"error": "ERR wiretape: the transaction is too large"}
        if refused is not None:
            transaction.failed = True
            self.say(refused)
        else:
            transaction.commands.append(arguments)
            self.say(QUEUED)

    def execute(self) -> bool:
        """EXEC; False where it was answered without the recording."""
        done, self.transaction = self.transaction, None
        if done is None:
            self.fail("ERR EXEC without MULTI")
            return False
        if done.failed:
            self.fail(ABORTED)
            return False
        asked = self.desk.ask([without_secrets(each) for each in done.commands], self.db, self.resp, transaction=True)
        if not done.commands and asked.ladder is None:
            self.say([])
            return False
        found = self.desk.answer(asked)
        if found.sequence:
            for each in done.commands:
                self._follow(each)
        self._give(found)
        return True

    def discard(self) -> None:
        """DISCARD, or what comes to the same."""
        self._give_up("discarded")

    def close(self) -> None:
        """The client is gone."""
        self._give_up("never executed")

    def _give_up(self, how: str) -> None:
        done, self.transaction = self.transaction, None
        if done is not None and done.commands:
            commands = [without_secrets(each) for each in done.commands]
            self.desk.discarded(self.desk.ask(commands, self.db, self.resp, transaction=True), how)

    def _follow(self, arguments: Arguments) -> None:
        """What a command of a transaction does beside its answer."""
        name = word(arguments[0])
        if name in ("PUBLISH", "SPUBLISH"):
            self._publish(arguments)
        elif name == "SELECT" and len(arguments) > 1 and isinstance(arguments[1], bytes) and arguments[1].isdigit():
            self.db = int(arguments[1])

    # What others bring

    def hear(self, message: Message, sharded: bool | None) -> bool:
        """A message; whether this client subscribed to it."""
        channel, payload = message
        heard = False
        if sharded is not True and self.subscriptions.has("", channel):
            self.push(["message", channel, payload])
            heard = True
        if sharded is not True:
            for pattern in self.subscriptions.names("p"):
                if glob(pattern, channel):
                    self.push(["pmessage", pattern, channel, payload])
                    heard = True
        if sharded is not False and self.subscriptions.has("s", channel):
            self.push(["smessage", channel, payload])
            heard = True
        return heard

    def invalidate(self, push: Cell) -> bool:
        """An invalidation; whether this client tracks keys."""
        if self.tracks and self.resp == 3 and isinstance(push, list):
            self.push(push)
            return True
        return False

    def arrived(self, sequence: int) -> bool:
        """An exchange was served; True where it ends the wait."""
        if sequence not in self.awaits:
            return False
        self.awaits.discard(sequence)
        return not self.awaits
