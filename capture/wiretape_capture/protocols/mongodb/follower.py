"""Follows one connection to MongoDB: which reply belongs to which command. Pure.

A reply names the request that it answers. While a reply says that more come (moreToCome), the connection is for those
alone (exhaust cursors).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wiretape_capture.protocols.mongodb import told, wire
from wiretape_capture.protocols.mongodb.commands import LOGINS, name_of
from wiretape_capture.protocols.mongodb.documents import decode, to_json
from wiretape_capture.protocols.mongodb.wire import Framer, Malformed, Message
from wiretape_capture.protocols.observed import Book, Emit

if TYPE_CHECKING:  # the forwarding process is to start fast
    from pydantic import JsonValue


WAITING_LIMIT = 64 * 1024 * 1024
"""Bytes of commands without a reply that are kept of one connection."""
CLOSED = "the connection ended first"

type Command = dict[str, JsonValue]


@dataclass(slots=True)
class _Asked:
    command: Command
    started: int
    emit: Emit
    size: int


class MongoFollower:
    """One connection from its first command on."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._from_client, self._from_server = Framer(), Framer()
        self._waiting: dict[int, _Asked] = {}
        self._waiting_bytes = 0
        self._streamed: _Asked | None = None
        """What more replies come to. They name the reply before them, or with some servers the request."""

    def client(self, data: bytes, at: int) -> None:
        """Bytes from the client. Raises Malformed."""
        for message in self._from_client.feed(data):
            self._ask(message, at)

    def _ask(self, message: Message, at: int) -> None:
        command, flags = command_of(message)
        if name_of(command).lower() in LOGINS:
            return
        asked = _Asked(command, at, self._book(at), len(message.payload))
        if flags & wire.MORE_TO_COME:
            asked.emit(told.executed(command, {}, at, at, wanted=False))
            return
        self._waiting[message.request_id] = asked
        self._waiting_bytes += asked.size
        if self._waiting_bytes > WAITING_LIMIT:
            raise Malformed("too many commands wait for their replies")

    def server(self, data: bytes, at: int) -> None:
        """Bytes from the server. Raises Malformed."""
        for message in self._from_server.feed(data):
            asked = self._waiting.pop(message.response_to, None)
            if asked is None:
                asked, self._streamed = self._streamed, None
            if asked is None:
                continue  # a login, or a command from before it was followed
            self._waiting_bytes -= asked.size
            reply, flags = reply_of(message)
            if flags & wire.MORE_TO_COME:
                self._streamed = _Asked(asked.command, at, self._book(at), 0)
            asked.emit(told.executed(asked.command, reply, asked.started, at))

    def end(self, at: int) -> None:
        """The connection is over: what waits has no answer."""
        for asked in (*self._waiting.values(), *((self._streamed,) if self._streamed is not None else ())):
            asked.emit(told.unanswered(asked.command, asked.started, at, CLOSED))
        self._waiting.clear()
        self._streamed = None


def command_of(message: Message) -> tuple[Command, int]:
    """A command's document and the message's flags, document sequences put in their place. Raises Malformed."""
    if message.opcode == wire.OP_QUERY:
        collection, query = wire.read_query(message.payload)
        return {**_document(query), "$db": collection.partition(".")[0]}, 0
    if message.opcode != wire.OP_MSG:
        raise Malformed(_unread(message.opcode))
    sections = wire.read_msg(message.payload)
    command = _document(sections.body)
    for name, documents in sections.sequences:
        command[name] = [_document(each) for each in documents]
    return command, sections.flags


def reply_of(message: Message) -> tuple[Command, int]:
    """A reply's document and the message's flags. Raises Malformed."""
    if message.opcode == wire.OP_REPLY:
        return _document(wire.read_reply(message.payload)), 0
    if message.opcode != wire.OP_MSG:
        raise Malformed(_unread(message.opcode))
    sections = wire.read_msg(message.payload)
    return _document(sections.body), sections.flags


def _unread(opcode: int) -> str:
    if opcode == wire.OP_COMPRESSED:
        return "messages are compressed though wiretape agreed to nothing: leave compressors out where the app connects"
    return f"messages of the opcode {opcode}, which servers since MongoDB 6 do not take"


def _document(data: bytes) -> Command:
    found = to_json(decode(data))
    assert isinstance(found, dict)
    return found
