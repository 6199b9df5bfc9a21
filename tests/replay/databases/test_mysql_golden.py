"""Bytes of real drivers and a real MariaDB, kept: followed in any pieces, answered by the mock as the server did."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from golden_kit import GOLDEN_MYSQL, Followed, follow_mysql, lines
from hypothesis import given
from hypothesis import strategies as st

from wiretape_capture.protocols.mysql import login
from wiretape_capture.protocols.mysql.login import Response
from wiretape_capture.protocols.mysql.wire import Capability, Malformed, packet
from wiretape_capture.protocols.observed import Follower, Observed
from wiretape_capture.snapshot.exchange import Exchange, Protocol
from wiretape_replay.match.index import IndexBuilder
from wiretape_replay.match.matcher import Matcher
from wiretape_replay.mock.journal import Journal
from wiretape_replay.mock.mysql.desk import MysqlDesk
from wiretape_replay.mock.mysql.recording import MysqlRecording
from wiretape_replay.mock.mysql.session import Session

EVERY = pytest.mark.parametrize("path", GOLDEN_MYSQL, ids=lambda path: path.name.partition(".")[0])


def followed() -> Followed:
    return Followed(Protocol.MYSQL, follow_mysql)


@EVERY
@pytest.mark.parametrize("seed", [1, 2])
def test_a_follower_sees_the_same_in_whatever_pieces_bytes_come(path: Path, seed: int) -> None:
    whole, cut_up = followed(), followed()
    whole.feed(lines(path))
    cut_up.feed(lines(path), random.Random(seed))
    assert whole.seen
    assert cut_up.seen == whole.seen


def desk_of(exchanges: list[Exchange]) -> MysqlDesk:
    builder, recording = IndexBuilder(), MysqlRecording()
    for exchange in exchanges:
        if recording.add(exchange):
            builder.add(exchange)
    index = builder.finish((), ())
    return MysqlDesk("db", index, Matcher(index), recording, Journal(None))


def entered(desk: MysqlDesk, opening: dict[str, Any]) -> Session:
    """A session of a client that agreed to what the recorded one did."""
    session = Session(desk, desk.greeting(1, bytes(range(33, 53))))
    response = Response(int(opening["capabilities"]) & ~Capability.CONNECT_ATTRS | Capability.CONNECT_WITH_DB, 1 << 24,
                        45, opening["user"], b"x" * 20, opening["database"], login.NATIVE, b"",
                        int(opening["extended"]))  # fmt: skip
    session.feed(packet(1, login.write_response(response)))
    session.take()
    return session


def told(seen: Mapping[int, Observed]) -> Iterator[tuple[Any, ...]]:
    """What was seen, in the order in which it began."""
    for _, each in sorted(seen.items()):
        if each.command != "CONNECT":
            yield each.command, each.location, each.status, each.question, each.answer


class Answered:
    """One client's bytes against the mock. Statements have other numbers there than on the server."""

    def __init__(self, desk: MysqlDesk, opening: dict[str, Any], follower: Follower) -> None:
        self._session = entered(desk, opening)
        self.follower = follower
        self._prepared = b""
        """The number that the mock gave to what was prepared last."""
        self._numbers: dict[bytes, bytes] = {}

    def client(self, data: bytes, at: int) -> None:
        if data[4:5] in (b"\x17", b"\x19"):
            data = data[:5] + self._numbers[data[5:9]] + data[9:]
        self._session.feed(data)
        self.follower.client(data, at)
        answer = self._session.take()
        if data[4:5] == b"\x16":
            self._prepared = answer[5:9]
        self.follower.server(answer, at)

    def server(self, data: bytes) -> None:
        """What the server said, of which only numbers of statements are looked at."""
        if self._prepared and data[4] == 0:
            self._numbers[data[5:9]] = self._prepared
        self._prepared = b""


@EVERY
def test_the_mock_answers_statement_by_statement_as_the_server_did(path: Path) -> None:
    kept, real, mocked = lines(path), followed(), followed()
    real.feed(kept)
    desk = desk_of(real.exchanges())
    clients: dict[int, Answered] = {}
    for at, (connection, sender, content) in enumerate(kept):
        if sender == "startup":
            opening = json.loads(content)
            clients[connection] = Answered(desk, opening, follow_mysql(mocked.book, opening, at))
        elif sender == "c":
            clients[connection].client(bytes.fromhex(content), at)
        else:
            clients[connection].server(bytes.fromhex(content))
    for each in clients.values():
        each.follower.end(len(kept))
    assert list(told(mocked.seen)) == list(told(real.seen))
    assert desk.journal.tally.miss == 0


def test_there_is_a_golden_recording_of_each_kind_of_driver() -> None:
    assert {path.name.partition(".")[0] for path in GOLDEN_MYSQL} == {
        "with_pymysql", "with_asyncmy", "with_mysql_connector", "with_mysql2",
    }  # fmt: skip


COMMANDS = st.binary(max_size=1) | st.sampled_from([bytes((code,)) for code in range(0x20)] + [b"\xfa"])
SQL = st.sampled_from([
    b"select ?", b"load data local infile 'x' into table t", b"set @@x = ", b"rollback to", b"use ", b"",
    b"select last_insert_id() as", b"show variables like '%", b"select @@a, @@session.",
])  # fmt: skip
TERMS = st.sampled_from([0, Capability.DEPRECATE_EOF, Capability.QUERY_ATTRIBUTES | Capability.LOCAL_FILES])


@given(st.lists(st.tuples(COMMANDS, SQL, st.binary(max_size=20)), max_size=8), TERMS)
def test_a_session_of_the_mock_takes_any_commands(commands: list[tuple[bytes, bytes, bytes]], more: int) -> None:
    desk = desk_of([])
    capabilities = Capability.PROTOCOL_41 | Capability.SECURE_CONNECTION | Capability.MULTI_STATEMENTS | more
    session = entered(desk, {"capabilities": capabilities, "extended": 0, "user": "u", "database": ""})
    try:
        for command, sql, rest in commands:
            session.feed(packet(0, command + sql + rest))
            session.take()
    except Malformed:
        return


@given(st.binary(max_size=200))
def test_a_session_of_the_mock_takes_any_bytes(data: bytes) -> None:
    desk = desk_of([])
    try:
        Session(desk, desk.greeting(1, bytes(range(33, 53)))).feed(data)
    except Malformed:
        return
