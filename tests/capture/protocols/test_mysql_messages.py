"""The MySQL codec against hostile bytes: any cut, wrong lengths, unknown types, lies about size."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape_capture.protocols.mysql import login, packets, statements, wire
from wiretape_capture.protocols.mysql.follower import WAITING_LIMIT, MysqlFollower
from wiretape_capture.protocols.mysql.login import Greeting, Response
from wiretape_capture.protocols.mysql.packets import Column, Done, Failure, PrepareOk, Terms
from wiretape_capture.protocols.mysql.wire import KEPT, WHOLE, Capability, Extended, Framer, Malformed, Packet, packet
from wiretape_capture.protocols.observed import Emit, Observed

SHORT = Terms(Capability.DEPRECATE_EOF | Capability.SESSION_TRACK | Capability.QUERY_ATTRIBUTES, Extended.METADATA)
TERMS = st.sampled_from([Terms(0), Terms(Capability.DEPRECATE_EOF), SHORT])
PAYLOADS = st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=60)), max_size=12)


@given(PAYLOADS, st.lists(st.integers(0, 400), max_size=8))
def test_packets_do_not_depend_on_where_bytes_are_cut(payloads: list[tuple[int, bytes]], cuts: list[int]) -> None:
    data = b"".join(packet(number, payload) for number, payload in payloads)
    framer, seen, at = Framer(), list[Packet](), 0
    for cut in [*sorted(min(cut, len(data)) for cut in cuts), len(data)]:
        seen += framer.feed(data[at:cut])
        at = cut
    assert [(each.number, each.payload) for each in seen] == payloads
    assert framer.rest == b""


@given(PAYLOADS)
def test_packets_come_byte_by_byte(payloads: list[tuple[int, bytes]]) -> None:
    framer = Framer()
    data = b"".join(packet(number, payload) for number, payload in payloads)
    seen = [each for byte in data for each in framer.feed(bytes((byte,)))]
    assert [(each.number, each.payload) for each in seen] == payloads


@pytest.mark.parametrize("size", [WHOLE - 1, WHOLE, WHOLE + 1, 2 * WHOLE - 1])
def test_a_payload_of_several_packets_comes_back(size: int) -> None:
    payload, framer = random.Random(size).randbytes(size), Framer()
    seen: list[Packet] = []
    data = packet(3, payload) + packet(0, b"after")
    for at in range(0, len(data), 3_000_000):
        seen += framer.feed(data[at : at + 3_000_000])
    first, after = seen
    assert (first.number, first.size, after) == (3, size, Packet(0, b"after", b"after", 5))
    assert first.payload == payload


def test_a_payload_of_a_gigabyte_is_told_and_never_held() -> None:
    framer, piece = Framer(), bytes(1 << 20)
    tracemalloc.start()
    seen: list[Packet] = []
    for number in range(60):
        seen += framer.feed(b"\xff\xff\xff" + bytes((number,)) + b"begins")
        left = WHOLE - 6
        while left:
            seen += framer.feed(piece[: min(left, len(piece))])
            left -= min(left, len(piece))
    seen += framer.feed(packet(60, b"end") + packet(0, b"after"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    told, after = seen
    assert (told.payload, told.beginning[:6], told.size) == (None, b"begins", 60 * WHOLE + 3)
    assert after.payload == b"after"
    assert peak < 2 * KEPT


def test_a_payload_beyond_what_any_server_takes_is_malformed() -> None:
    framer = Framer()
    with pytest.raises(Malformed, match="a packet of more than"):
        for number in range(70):
            for _ in framer.feed(b"\xff\xff\xff" + bytes((number,)) + bytes(WHOLE)):
                pass


READERS: list[Callable[[bytes, Terms], Any]] = [
    packets.read_ok, packets.read_end, packets.read_column, statements.read_query,
    lambda payload, _: packets.read_error(payload),
    lambda payload, _: packets.read_prepared(payload),
    lambda payload, _: login.read_greeting(payload),
    lambda payload, _: login.read_response(payload),
    lambda payload, _: login.read_switch(payload),
    lambda payload, _: statements.read_long_data(payload),
    lambda payload, _: statements.read_bulk(payload, 2, ()),
    lambda payload, _: wire.read_row(payload, 3),
    lambda payload, terms: statements.read_execute(payload, terms, 2, (), {}),
]  # fmt: skip


@given(st.sampled_from(READERS), st.binary(min_size=1, max_size=200), TERMS)
def test_a_payload_is_read_or_malformed(read: Callable[[bytes, Terms], Any], payload: bytes, terms: Terms) -> None:
    try:
        read(payload, terms)
    except Malformed:
        return


NAME = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
U16, U32 = st.integers(0, (1 << 16) - 1), st.integers(0, (1 << 32) - 1)
COLUMN = st.builds(Column, NAME, st.integers(0, 255), U16, st.integers(0, 255), U32, U16, NAME, NAME, NAME, NAME)


@given(COLUMN, TERMS)
def test_a_column_comes_back(column: Column, terms: Terms) -> None:
    assert packets.read_column(packets.write_column(column, terms), terms) == column


@given(st.builds(Done, U32, U32, st.integers(0, 0x3FFF), U16, NAME), TERMS)
def test_an_ok_comes_back(done: Done, terms: Terms) -> None:
    assert packets.read_ok(packets.write_ok(done, terms), terms) == done


@given(st.builds(Failure, U16, st.just("42S02"), NAME))
def test_an_error_comes_back(failure: Failure) -> None:
    assert packets.read_error(packets.write_error(failure)) == failure


@given(st.builds(PrepareOk, U32, U16, U16, U16))
def test_a_prepared_statement_comes_back(told: PrepareOk) -> None:
    assert packets.read_prepared(packets.write_prepared(told)) == told


@given(st.lists(st.none() | st.binary(max_size=300), max_size=6))
def test_a_row_comes_back(values: list[bytes | None]) -> None:
    assert wire.read_row(b"".join(map(wire.raw, values)), len(values)) == tuple(values)


@given(st.binary(max_size=60))
def test_text_that_is_no_utf8_keeps_its_bytes(data: bytes) -> None:
    assert wire.encoded(wire.decoded(data)) == data


CAPABLE = Capability.PROTOCOL_41 | Capability.SECURE_CONNECTION | Capability.PLUGIN_AUTH | Capability.CONNECT_WITH_DB


@given(st.binary(min_size=20, max_size=20), NAME, st.integers(0, 0x1F), st.sampled_from([0, 1]))
def test_a_greeting_comes_back(scramble: bytes, version: str, extended: int, mysql: int) -> None:
    greeting = Greeting(version, 7, scramble, CAPABLE | mysql, 45, 2, login.NATIVE, 0 if mysql else extended)
    assert login.read_greeting(login.write_greeting(greeting)) == greeting


@given(NAME, st.binary(max_size=200), NAME, st.sampled_from([0, Capability.LENENC_AUTH | Capability.CONNECT_ATTRS]))
def test_a_response_comes_back(user: str, proof: bytes, database: str, more: int) -> None:
    response = Response(CAPABLE | more | 1, 1 << 24, 45, user, proof, database, login.NATIVE, b"ab" if more else b"")
    assert login.read_response(login.write_response(response)) == response


def follower(seen: list[Observed], terms: Terms = SHORT) -> MysqlFollower:
    def book(_begun: int) -> Emit:
        return seen.append

    return MysqlFollower(book, {"capabilities": terms.capabilities, "extended": terms.extended, "user": "u",
                                "database": "", "server": {}, "started": 0, "ready": 1})  # fmt: skip


COMMANDS = st.sampled_from([b"\x03", b"\x16", b"\x17", b"\x18", b"\x19", b"\x1a", b"\x1c", b"\xfa", b"\x11", b"\x02",
                            b"\x0e", b"\x1f", b"\x04", b"\x55", b""])  # fmt: skip
FIRSTS = st.sampled_from([b"\0", b"\xfe", b"\xff", b"\xfb", b"\1", b"\2", b""])


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 3), COMMANDS, FIRSTS, st.binary(max_size=40)), max_size=20), TERMS
)
def test_a_follower_reads_on_or_calls_it_malformed(
    told: list[tuple[bool, int, bytes, bytes, bytes]], terms: Terms
) -> None:
    one = follower([], terms)
    try:
        for from_client, number, command, first, rest in told:
            if from_client:
                one.client(packet(number, command + rest), 1)
            else:
                one.server(packet(number, first + rest), 1)
        one.end(2)
    except Malformed:
        return


@given(st.binary(max_size=300), st.booleans())
def test_a_follower_takes_any_bytes(data: bytes, from_client: bool) -> None:
    one = follower([])
    try:
        (one.client if from_client else one.server)(data, 1)
        one.end(2)
    except Malformed:
        return


def test_commands_that_wait_for_replies_are_bounded() -> None:
    one, command = follower([]), packet(0, b"\x03\0\1" + bytes(1 << 20))
    with pytest.raises(Malformed, match="wait for their replies"):
        for _ in range((WAITING_LIMIT >> 20) + 2):
            one.client(command, 1)


def test_a_statement_without_an_end_is_told_as_unanswered() -> None:
    seen: list[Observed] = []
    one = follower(seen, Terms(0))
    one.client(packet(0, b"\x03select sleep(9)"), 1)
    one.server(packet(1, b"\x01") + packet(2, packets.write_column(Column("x", 8), Terms(0))), 2)
    one.end(3)
    assert (seen[-1].status, seen[-1].error, seen[-1].answer) == ("", "the connection ended first", None)


def test_rows_beyond_the_bound_are_counted_and_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wiretape_capture.protocols.mysql.told.RESULT_LIMIT", 100)
    seen: list[Observed] = []
    one = follower(seen, SHORT)
    one.client(packet(0, b"\x03\0\1select x"), 1)
    one.server(packet(1, b"\x01") + packet(2, packets.write_column(Column("x", 253), SHORT)), 2)
    one.server(b"".join(packet(3, wire.raw(b"x" * 30)) for _ in range(10)), 2)
    one.server(packet(13, packets.write_end(Done(), SHORT)), 2)
    assert not seen[-1].complete
    assert seen[-1].error == "7 rows beyond the limit of one answer were not kept"


def test_what_is_sent_ahead_is_read_in_its_turn() -> None:
    """Two statements at once, the second of them an execution of what the first prepares."""
    seen: list[Observed] = []
    one = follower(seen, Terms(0))
    one.client(
        packet(0, b"\x16select 1") + packet(0, b"\x17\xff\xff\xff\xff\0\1\0\0\0") + packet(0, b"\x19\5\0\0\0"), 1
    )
    one.server(packet(1, packets.write_prepared(PrepareOk(5, 0, 0, 0))), 2)
    one.server(packet(1, packets.write_ok(Done(affected=3), Terms(0))), 3)
    assert [(each.command, each.reason) for each in seen] == [("CONNECT", ""), ("SELECT", "3 affected")]
