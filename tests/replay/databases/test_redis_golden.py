"""Bytes of a real client and server, kept: followed in any pieces, and answered by the mock as the server did."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from redis_golden import GOLDEN, PROGRAMS, Followed, lines
from redis_kit import Client, hall_of

from wiretape_capture.protocols.redis.cells import Cell
from wiretape_capture.protocols.redis.replies import ReplyReader


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.name.partition(".")[0])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_follower_sees_the_same_in_whatever_pieces_bytes_come(path: Path, seed: int) -> None:
    whole, cut_up = Followed(), Followed()
    whole.feed(lines(path))
    cut_up.feed(lines(path), random.Random(seed))
    assert whole.seen
    assert cut_up.seen == whole.seen


def of_connection(cell: Cell) -> Cell:
    """A reply without the connection's number."""
    pairs = cell["map"] if isinstance(cell, dict) and "map" in cell else []
    return {"map": [pair for pair in pairs if pair[0] != "id"]} if ["proto", 3] in pairs else cell


def told(replies: list[Any]) -> tuple[list[Cell], list[Cell]]:
    """Replies, and what the server sent of itself."""
    cells = [of_connection(each.cell) for each in replies]
    aside = [each for each in cells if _kind(each) in ("message", "pmessage", "smessage")]
    return [each for each in cells if each not in aside], aside


def _kind(cell: Cell) -> Cell:
    parts = cell["push"] if isinstance(cell, dict) and "push" in cell else cell
    return parts[0] if isinstance(parts, list) and parts and isinstance(parts[0], str) else None


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.name.partition(".")[0])
def test_the_mock_answers_reply_by_reply_as_the_server_did(path: Path) -> None:
    followed = Followed()
    followed.feed(lines(path))
    hall = hall_of(followed.exchanges())
    clients: dict[int, Client] = {}
    real: dict[int, ReplyReader] = {}
    mine: dict[int, ReplyReader] = {}
    expected: dict[int, list[Any]] = {}
    given: dict[int, list[Any]] = {}
    for connection, sender, content in lines(path):
        if connection not in clients:
            clients[connection] = Client(hall)
            real[connection], mine[connection] = ReplyReader(), ReplyReader()
            expected[connection], given[connection] = [], []
        if sender == "s":
            expected[connection] += real[connection].feed(bytes.fromhex(content))
        else:
            clients[connection].session.feed(bytes.fromhex(content))
        for number, client in clients.items():
            given[number] += mine[number].feed(client.session.take())
    for connection, replies in expected.items():
        assert told(given[connection]) == told(replies)
    assert hall.desk.journal.tally.miss == 0
    assert hall.desk.journal.tally.exact > 20


def test_there_is_a_golden_recording_of_each_kind() -> None:
    assert {path.name.partition(".")[0] for path in GOLDEN} == set(PROGRAMS)
