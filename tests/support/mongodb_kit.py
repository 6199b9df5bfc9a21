"""A mocked MongoDB without a socket: recorded from messages, and asked by messages."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import bson

from wiretape_capture.databases.exchanges import exchange_of
from wiretape_capture.protocols.mongodb import told, wire
from wiretape_capture.protocols.mongodb.documents import decode
from wiretape_capture.protocols.mongodb.follower import MongoFollower
from wiretape_capture.protocols.observed import Emit, Observed
from wiretape_capture.snapshot.exchange import Exchange, Protocol
from wiretape_replay.match.index import IndexBuilder
from wiretape_replay.match.matcher import Matcher
from wiretape_replay.mock.journal import Journal
from wiretape_replay.mock.mongodb.desk import MongoDesk
from wiretape_replay.mock.mongodb.recording import MongoRecording
from wiretape_replay.mock.mongodb.session import Server, Session

FOLDER = Path(__file__).parents[1] / "replay" / "databases" / "golden_mongodb"
GOLDEN = sorted(FOLDER.glob("*.jsonl.gz"))
EPOCH_NS = 1_790_000_000 * 10**9
HERE = "127.0.0.1:9000"

type Document = dict[str, Any]
type Said = tuple[Document, Document]
"""A command and its reply."""
type Line = tuple[int, str, str]
"""Connection, sender (`c`, `s`) and bytes in hexadecimal; sender `hello`: the server's greeting as JSON."""


class Followed:
    """Exchanges that are seen in messages, numbered as they begin."""

    def __init__(self) -> None:
        self.seen: dict[int, Observed] = {}
        self._followers: dict[int, MongoFollower] = {}
        self._number = 0

    def book(self, _begun: int) -> Emit:
        self._number += 1
        number = self._number

        def emit(seen: Observed) -> None:
            self.seen[number] = seen

        return emit

    def feed(self, lines: Sequence[Line], pieces: random.Random | None = None) -> None:
        for at, (connection, sender, content) in enumerate(lines):
            if sender == "hello":
                self.book(at)(told.connected("db", json.loads(content), at, at))
                continue
            follower = self._followers.setdefault(connection, MongoFollower(self.book))
            for piece in cut(bytes.fromhex(content), pieces):
                (follower.client if sender == "c" else follower.server)(piece, at)
        for follower in self._followers.values():
            follower.end(len(lines))

    def exchanges(self) -> list[Exchange]:
        return [
            exchange_of(seen, sequence=number, protocol=Protocol.MONGODB, service="db", connection="d1",
                        started_ns=seen.started + EPOCH_NS)
            for number, seen in sorted(self.seen.items())
        ]  # fmt: skip


def cut(data: bytes, pieces: random.Random | None) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        size = len(data) if pieces is None else pieces.choice((1, 3, 16, 17, 200))
        yield data[at : at + size]
        at += size


def lines(path: Path) -> list[Line]:
    """A golden recording, as `mongodb_golden.py` wrote it."""
    return [tuple(json.loads(line)) for line in gzip.decompress(path.read_bytes()).splitlines()]


def server_of(exchanges: Sequence[Exchange]) -> Server:
    """The mock of what was recorded."""
    recording, builder, indexed = MongoRecording(), IndexBuilder(), []
    for exchange in exchanges:
        if recording.add(exchange):
            builder.add(exchange)
            indexed.append(exchange)
    answers = ((each.sequence, each.response) for each in indexed if each.response is not None)
    index = builder.finish(answers, ())
    return Server(MongoDesk("db", index, Matcher(index), recording, Journal(None)))


def recorded(said: Sequence[Said]) -> list[Exchange]:
    """Commands and replies as exchanges; a reply without members stands for none that was wanted."""
    followed, told = Followed(), []
    for number, (command, reply) in enumerate(said, 1):
        flags = 0 if reply else wire.MORE_TO_COME
        asked = wire.write_msg(number, 0, bson.encode({**command, "$db": command.get("$db", "d")}), flags)
        told.append((1, "c", asked.hex()))
        if reply:
            told.append((1, "s", wire.write_msg(number, number, bson.encode({"ok": 1.0, **reply})).hex()))
    followed.feed(told)
    return followed.exchanges()


class Client:
    """One client of a mock."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.session = Session(server, lambda: HERE)
        self._framer = wire.Framer()
        self._number = 0

    def send(self, command: Document, flags: int = 0) -> list[Document]:
        """The replies to one command."""
        self._number += 1
        body = bson.encode({**command, "$db": command.get("$db", "d")})
        self.session.feed(wire.write_msg(self._number, 0, body, flags))
        return self.heard()

    def ask(self, command: Document) -> Document:
        """The reply to one command."""
        (reply,) = self.send(command)
        return reply

    def heard(self) -> list[Document]:
        """What the mock said."""
        found = []
        for message in self._framer.feed(self.session.take()):
            legacy = message.opcode == wire.OP_REPLY
            found.append(decode(wire.read_reply(message.payload) if legacy else wire.read_msg(message.payload).body))
        return found

    @property
    def tally(self) -> Any:
        """How commands were answered."""
        return self.server.desk.journal.tally


def answering(said: Sequence[Said]) -> Client:
    """A client of the mock of commands and replies."""
    return Client(server_of(recorded(said)))


__all__ = ["Client", "Followed", "answering", "cut", "lines", "recorded", "server_of"]
