"""The Postgres codec against hostile bytes: any cut, wrong lengths, unknown types, lies about size."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape_capture.protocols.observed import Emit, Observed
from wiretape_capture.protocols.postgres import wire
from wiretape_capture.protocols.postgres.follower import WAITING_LIMIT, PostgresFollower
from wiretape_capture.protocols.postgres.wire import Column, Framer, Malformed, Message

KINDS = st.sampled_from([bytes((code,)) for code in b"QPBDECSHFdcfXpRZTDCIs123tnNASKGHWEvV@"])
MESSAGES = st.lists(st.tuples(KINDS, st.binary(max_size=60)), max_size=12)


def stream(messages: list[tuple[bytes, bytes]]) -> bytes:
    return b"".join(wire.message(kind, payload) for kind, payload in messages)


@given(MESSAGES, st.lists(st.integers(0, 400), max_size=8))
def test_messages_do_not_depend_on_where_bytes_are_cut(messages: list[tuple[bytes, bytes]], cuts: list[int]) -> None:
    data, framer, seen, at = stream(messages), Framer(), list[Message](), 0
    for cut in [*sorted(min(cut, len(data)) for cut in cuts), len(data)]:
        seen += framer.feed(data[at:cut])
        at = cut
    assert seen == [Message(kind, payload) for kind, payload in messages]
    assert framer.rest == b""


@given(MESSAGES)
def test_messages_come_byte_by_byte(messages: list[tuple[bytes, bytes]]) -> None:
    framer = Framer()
    seen = [each for byte in stream(messages) for each in framer.feed(bytes((byte,)))]
    assert seen == [Message(kind, payload) for kind, payload in messages]


@pytest.mark.parametrize("length", [0, 1, 3, 0x40000000, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_length_that_cannot_be_is_malformed(length: int) -> None:
    with pytest.raises(Malformed, match="invalid message length"):
        list(Framer().feed(b"Q" + length.to_bytes(4) + b"x"))


def test_a_message_of_a_gigabyte_is_told_and_never_held() -> None:
    framer, piece = Framer(), bytes(1 << 20)
    tracemalloc.start()
    seen = list(framer.feed(b"D" + (0x3FFFFFFF).to_bytes(4)))
    left = 0x3FFFFFFF - 4
    while left:
        seen += framer.feed(piece[: min(left, len(piece))])
        left -= min(left, len(piece))
    seen += framer.feed(wire.message(b"Z", b"I"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seen == [Message(b"D", None), Message(b"Z", b"I")]
    assert peak < 8 << 20


def test_what_is_held_of_one_message_is_bounded() -> None:
    framer = Framer()
    list(framer.feed(b"D" + wire.KEPT.to_bytes(4)))
    for _ in range((wire.KEPT >> 20) - 1):
        list(framer.feed(bytes(1 << 20)))
        assert len(framer.rest) <= wire.KEPT + (1 << 20)


READERS: list[Callable[[bytes], Any]] = [
    wire.read_parse, wire.read_bind, wire.read_target, wire.read_execute, wire.read_columns, wire.read_row,
    wire.read_types, wire.read_fields, wire.read_startup,
]  # fmt: skip


@given(st.sampled_from(READERS), st.binary(max_size=200))
def test_a_payload_is_read_or_malformed(read: Callable[[bytes], Any], payload: bytes) -> None:
    try:
        read(payload)
    except Malformed:
        return


RAW = st.none() | st.binary(max_size=30)
NAME = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
INT16, INT32 = st.integers(-(1 << 15), (1 << 15) - 1), st.integers(-(1 << 31), (1 << 31) - 1)
OID = st.integers(0, (1 << 32) - 1)
COLUMNS = st.lists(st.builds(Column, NAME, OID, INT16, OID, INT16, INT32, st.sampled_from([0, 1])), max_size=5)


@given(st.lists(RAW, max_size=6))
def test_a_row_comes_back(values: list[bytes | None]) -> None:
    (message,) = Framer().feed(wire.write_row(values))
    assert wire.read_row(message.payload or b"") == tuple(values)


@given(COLUMNS)
def test_columns_come_back(columns: list[Column]) -> None:
    (message,) = Framer().feed(wire.write_columns(columns, [each.format for each in columns] or [0]))
    told = wire.read_columns(message.payload or b"")
    assert [(each.name, each.table, each.type, each.size, each.modifier) for each in told] == [
        (each.name, each.table, each.type, each.size, each.modifier) for each in columns
    ]


def follower(seen: list[Observed]) -> PostgresFollower:
    def book(_begun: int) -> Emit:
        return seen.append

    return PostgresFollower(book, {"user": "u"}, 0)


@given(st.lists(st.tuples(st.booleans(), KINDS, st.binary(max_size=40)), max_size=20))
def test_a_follower_reads_on_or_calls_it_malformed(messages: list[tuple[bool, bytes, bytes]]) -> None:
    one = follower([])
    try:
        for from_client, kind, payload in messages:
            (one.client if from_client else one.server)(wire.message(kind, payload), 1)
    except Malformed:
        return
    one.end(2)


@given(st.binary(max_size=300), st.booleans())
def test_a_follower_takes_any_bytes(data: bytes, from_client: bool) -> None:
    one = follower([])
    try:
        (one.client if from_client else one.server)(data, 1)
    except Malformed:
        return
    one.end(2)


def test_messages_that_wait_for_replies_are_bounded() -> None:
    one, message = follower([]), wire.message(b"Q", bytes(1 << 20))
    with pytest.raises(Malformed, match="wait for their replies"):
        for _ in range((WAITING_LIMIT >> 20) + 2):
            one.client(message, 1)


def ready() -> bytes:
    return wire.message(b"R", bytes(4)) + wire.message(b"Z", b"I")


def test_after_an_error_what_the_server_skips_is_not_awaited() -> None:
    """Also when the client's Sync comes only after the error was seen."""
    seen: list[Observed] = []
    one = follower(seen)
    one.server(ready(), 0)
    parse = wire.message(b"P", b"\0selec\0\0\0")
    bind = wire.message(b"B", b"\0\0" + bytes(6)) + wire.message(b"E", bytes(5))
    one.client(parse, 1)
    one.server(wire.error("42601", "syntax error"), 2)
    one.client(bind, 3)
    one.client(wire.message(b"S"), 4)
    one.server(wire.message(b"Z", b"I"), 5)
    one.client(wire.message(b"Q", b"select 1\0"), 6)
    one.server(wire.message(b"C", b"SELECT 1\0") + wire.message(b"Z", b"I"), 7)
    assert [(each.command, each.status) for each in seen] == [
        ("CONNECT", "00000"), ("SELEC", "42601"), ("SELECT", "00000"),
    ]  # fmt: skip


def test_a_statement_without_an_end_is_told_as_unanswered() -> None:
    seen: list[Observed] = []
    one = follower(seen)
    one.server(ready(), 0)
    one.client(wire.message(b"Q", b"select pg_sleep(9)\0"), 1)
    one.end(2)
    assert (seen[-1].status, seen[-1].error, seen[-1].answer) == ("", "the connection ended first", None)


def test_rows_beyond_the_bound_are_counted_and_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wiretape_capture.protocols.postgres.steps.RESULT_LIMIT", 100)
    seen: list[Observed] = []
    one = follower(seen)
    one.server(ready(), 0)
    one.client(wire.message(b"Q", b"select x\0"), 1)
    one.server(b"".join(wire.write_row([b"x" * 30]) for _ in range(10)) + wire.message(b"C", b"SELECT 10\0"), 2)
    one.server(wire.message(b"Z", b"I"), 3)
    assert not seen[-1].complete
    assert seen[-1].error == "8 rows beyond the limit of one answer were not kept"
