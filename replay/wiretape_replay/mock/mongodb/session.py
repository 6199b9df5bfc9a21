"""What one client of a mocked MongoDB server is told: messages in, messages out. It holds no socket."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from typing import Any

from wiretape_capture.launch.mongodb_url import PASSWORD
from wiretape_capture.protocols.mongodb import wire
from wiretape_capture.protocols.mongodb.commands import GET_MORE, SESSION, name_of, without_secrets
from wiretape_capture.protocols.mongodb.documents import Document, document_of, encode
from wiretape_capture.protocols.mongodb.follower import command_of
from wiretape_capture.protocols.mongodb.hello import at_home, is_greeting
from wiretape_capture.protocols.mongodb.scram import MECHANISMS, Door
from wiretape_capture.protocols.mongodb.told import plain
from wiretape_capture.protocols.mongodb.wire import Framer, Message
from wiretape_replay.mock.answer import Fault
from wiretape_replay.mock.mongodb.cursors import Cursors
from wiretape_replay.mock.mongodb.desk import Command, Found, MongoDesk
from wiretape_replay.mock.mongodb.recording import ENDS
from wiretape_replay.mock.mongodb.transactions import Transactions

HELLO: Document = {
    "isWritablePrimary": True, "maxBsonObjectSize": 16 * 1024 * 1024, "maxMessageSizeBytes": wire.LARGEST,
    "maxWriteBatchSize": 100_000, "logicalSessionTimeoutMinutes": 30, "minWireVersion": 0, "maxWireVersion": 21,
    "readOnly": False, "ok": 1.0,
}  # fmt: skip
"""What a server says of itself where no connection was recorded."""
BUILD: Document = {"version": "7.0.0", "versionArray": [7, 0, 0, 0], "gitVersion": "", "bits": 64, "debug": False,
                   "maxBsonObjectSize": 16 * 1024 * 1024, "ok": 1.0}  # fmt: skip


class Server:
    """What all clients of one server share."""

    def __init__(self, desk: MongoDesk) -> None:
        self.desk = desk
        self.cursors = Cursors(desk)
        self.transactions = Transactions(desk.recording)
        self.connections = count(1)


class Session:
    """One client. `here` says where it is connected to (`host:port`)."""

    def __init__(self, server: Server, here: Callable[[], str]) -> None:
        self._server = server
        self._desk = server.desk
        self._here = here
        self._framer = Framer()
        self._numbers = count(1)
        self._number = next(server.connections)
        self._door = Door([PASSWORD])
        self._out: list[bytes] = []
        self._begun = False
        self.closing = False
        self.fault: Fault = ""
        self.delay = 0.0
        self.secures = False

    @property
    def within(self) -> bool:
        """Whether a message has begun that did not end."""
        return self._framer.begun

    @property
    def rests(self) -> bool:
        """Whether no transaction is open, of this client or another: they are not tied to connections."""
        return self._server.transactions.rest

    def feed(self, data: bytes) -> None:
        """Bytes from the client. Raises Malformed."""
        for message in self._framer.feed(data):
            if not self._begun:
                # The recorder hears a client before it connects to the server, so it ends then, too.
                self._begun, self.closing = True, self._desk.refuses()
            if self.closing:
                return
            self._message(message)

    def take(self) -> bytes:
        """What is to be sent now."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    def _message(self, message: Message) -> None:
        command, flags = command_of(message)
        found = self._answer(command)
        if found.fault:
            self.fault, self.closing = found.fault, True
            return
        if flags & wire.MORE_TO_COME:
            return
        self.delay = max(self.delay, found.delay)
        body = encode(found.reply)
        number = next(self._numbers)
        if message.opcode == wire.OP_QUERY:
            self._out.append(wire.write_reply(number, message.request_id, body))
        else:
            self._out.append(wire.write_msg(number, message.request_id, body))

    def _answer(self, command: Command) -> Found:
        name = name_of(command)
        if is_greeting(command):
            return Found(self._hello(command))
        if name == GET_MORE:
            wait = plain(command.get("maxTimeMS"))
            number = plain(command.get(GET_MORE))
            return self._server.cursors.more(number if isinstance(number, int) else 0, command,
                                             wait if isinstance(wait, int) else None)  # fmt: skip
        if name in SESSION:
            reply = self._simulated(name, command)
            self._desk.simulated(command, status="" if reply.get("ok", True) else str(reply.get("codeName", "error")))
            return Found(reply)
        return self._find(command)

    def _find(self, command: Command) -> Found:
        transactions = self._server.transactions
        refusal = transactions.refusal(command)
        if refusal is not None:
            self._desk.simulated(command, status=str(refusal["codeName"]))
            return Found(refusal)
        found = self._desk.find(without_secrets(command))
        transactions.answered(command, found.sequence, failed=not found.reply.get("ok", True))
        self._server.cursors.opened(command, found)
        return found

    def _hello(self, command: Command) -> Document:
        """The server's greeting, which the client is answered alone: it streams nothing and compresses nothing."""
        self._desk.simulated(command)
        recording = self._desk.recording
        reply = HELLO | (document_of(recording.hello) if recording.hello else {})
        reply |= {"localTime": datetime.now(UTC), "connectionId": self._number}
        if name_of(command).lower() == "ismaster":
            reply |= {"ismaster": reply.get("isWritablePrimary", True), "helloOk": True}
        if "saslSupportedMechs" in command:
            reply["saslSupportedMechs"] = list(MECHANISMS)
        return at_home(reply, self._here())

    def _simulated(self, name: str, command: Command) -> Document:
        lower = name.lower()
        if lower.startswith("sasl"):
            return self._door.answer(document_of(command))
        if name in ENDS:
            return self._server.transactions.ended(command)
        if name == "killCursors":
            numbers: Any = document_of(command).get("cursors")
            return self._server.cursors.kill(numbers if isinstance(numbers, list) else [])
        known = self._desk.recording.said.get(lower)
        if known is not None:
            return document_of(known)
        return BUILD if lower == "buildinfo" else {"ok": 1.0}
