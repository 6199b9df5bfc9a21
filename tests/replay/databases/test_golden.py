"""Bytes of real drivers and a real server, kept: followed in any pieces, and answered by the mock as the server did."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from golden_kit import GOLDEN, Followed, lines

from wiretape_capture.protocols.postgres.wire import Framer, Message, read_fields
from wiretape_capture.snapshot.exchange import Exchange
from wiretape_replay.match.index import IndexBuilder
from wiretape_replay.match.matcher import Matcher
from wiretape_replay.mock.journal import Journal
from wiretape_replay.mock.postgres.desk import PostgresDesk
from wiretape_replay.mock.postgres.recording import DatabaseRecording
from wiretape_replay.mock.postgres.session import Session, Tell

NOT_COMPARED = frozenset({b"S", b"K", b"R", b"A", b"N"})
"""What the mock says at other moments: parameters, its key, notifications, notices."""

BEFORE_ERROR = frozenset({b"1", b"2", b"t", b"n", b"T"})


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.name.partition(".")[0])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_follower_sees_the_same_in_whatever_pieces_bytes_come(path: Path, seed: int) -> None:
    whole, cut_up = Followed(), Followed()
    whole.feed(lines(path))
    cut_up.feed(lines(path), random.Random(seed))
    assert whole.seen
    assert cut_up.seen == whole.seen


def desk_of(exchanges: list[Exchange]) -> PostgresDesk:
    builder, recording = IndexBuilder(), DatabaseRecording()
    for exchange in exchanges:
        if recording.add(exchange):
            builder.add(exchange)
    index = builder.finish((), ())
    return PostgresDesk("db", index, Matcher(index), recording, Journal(None))


def compared(messages: list[Message]) -> list[Message]:
    """What must be equal; an error may come one step later, after a statement was accepted or described."""
    kept: list[Message] = []
    for each in messages:
        while each.kind == b"E" and kept and kept[-1].kind in BEFORE_ERROR:
            kept.pop()
        if each.kind not in NOT_COMPARED:
            kept.append(without_source(each) if each.kind == b"E" else each)
    return kept


def without_source(error: Message) -> Message:
    """An error without the place in the server's source that raised it."""
    told = {letter: value for letter, value in read_fields(error.payload or b"").items() if letter not in "FLR"}
    return Message(b"E", json.dumps(told).encode())


def teller(sessions: dict[int, Session]) -> Tell:
    """Brings notifications to all sessions."""

    def tell(told: list[tuple[str, str]]) -> None:
        for session in sessions.values():
            session.notify(told)

    return tell


def startup(parameters: dict[str, str]) -> bytes:
    body = b"\0\3\0\0" + b"".join(f"{name}\0{value}\0".encode() for name, value in parameters.items()) + b"\0"
    return (len(body) + 4).to_bytes(4) + body


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.name.partition(".")[0])
def test_the_mock_answers_message_by_message_as_the_server_did(path: Path) -> None:
    told = lines(path)
    followed = Followed()
    followed.feed(told)
    desk = desk_of(followed.exchanges())
    sessions: dict[int, Session] = {}
    expected: dict[int, list[Message]] = {}
    given: dict[int, list[Message]] = {}
    framers: dict[tuple[int, str], Framer] = {}
    for connection, sender, content in told:
        if sender == "startup":
            session = sessions[connection] = Session(desk, teller(sessions))
            session.feed(startup(json.loads(content)))
            expected[connection], given[connection] = [], []
        elif sender == "s":
            framer = framers.setdefault((connection, "s"), Framer())
            expected[connection] += framer.feed(bytes.fromhex(content))
        else:
            sessions[connection].feed(bytes.fromhex(content))
        for number, session in sessions.items():
            framer = framers.setdefault((number, "m"), Framer())
            given[number] += framer.feed(session.take())
    for connection, messages in expected.items():
        real, mine = compared(messages), compared(given[connection])
        assert [each.kind for each in mine] == [each.kind for each in real]
        assert mine == real
    assert desk.journal.tally.miss == 0


def test_there_is_a_golden_recording_of_each_kind_of_driver() -> None:
    assert {path.name.partition(".")[0] for path in GOLDEN} == {
        "with_psycopg", "with_asyncpg", "with_psycopg2", "with_pg8000", "with_jdbc",
    }  # fmt: skip
