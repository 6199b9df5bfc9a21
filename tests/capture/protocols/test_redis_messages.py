"""RESP in any pieces, with every type kept, and what no peer can make of it; the follower on hand-made traffic."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape_capture.protocols.observed import Emit, Observed
from wiretape_capture.protocols.redis.buffer import KEPT, LINE_LIMIT, Malformed
from wiretape_capture.protocols.redis.follower import RedisFollower
from wiretape_capture.protocols.redis.replies import ReplyReader
from wiretape_capture.protocols.redis.requests import Arguments, CommandReader, split_inline, write_command
from wiretape_capture.protocols.redis.secrets import SECRET, answer_without_secrets, without_secrets
from wiretape_capture.protocols.redis.writing import write

REPLIES: list[tuple[bytes, Any]] = [
    (b"+OK\r\n", {"simple": "OK"}),
    (b"$2\r\nOK\r\n", "OK"),
    (b"-ERR no\r\n", {"error": "ERR no"}),
    (b"!6\r\nERR no\r\n", {"error": "ERR no", "blob": True}),
    (b":-12\r\n", -12),
    (b"_\r\n", None),
    (b"$0\r\n\r\n", ""),
    (b"$4\r\n\xff\r\n\0\r\n", {"base64": "/w0KAA=="}),
    (b"*0\r\n", []),
    (b"*2\r\n$1\r\na\r\n*1\r\n:1\r\n", ["a", [1]]),
    (b"%1\r\n+k\r\n~2\r\n#t\r\n#f\r\n", {"map": [[{"simple": "k"}, {"set": [True, False]}]]}),
    (b",3.25\r\n", {"double": "3.25"}),
    (b",inf\r\n", {"double": "inf"}),
    (b"(3492890328409238509324850943850943825024385\r\n", {"big": "3492890328409238509324850943850943825024385"}),
    (b"=7\r\ntxt:abc\r\n", {"verbatim": "abc", "format": "txt"}),
    (b">2\r\n+invalidate\r\n*0\r\n", {"push": [{"simple": "invalidate"}, []]}),
    (b"|1\r\n+ttl\r\n:3600\r\n$1\r\na\r\n", {"attributes": [[{"simple": "ttl"}, 3600]], "of": "a"}),
    (b"*2\r\n|1\r\n+p\r\n,0.5\r\n:1\r\n:2\r\n", [{"attributes": [[{"simple": "p"}, {"double": "0.5"}]], "of": 1}, 2]),
]


@pytest.mark.parametrize(("data", "cell"), REPLIES)
def test_a_reply_is_read_in_any_pieces_and_written_again(data: bytes, cell: Any) -> None:
    assert [each.cell for each in ReplyReader().feed(data)] == [cell]
    reader = ReplyReader()
    pieces = [each.cell for at in range(len(data)) for each in reader.feed(data[at : at + 1])]
    assert pieces == [cell]
    assert not reader.rest
    assert [each.cell for each in ReplyReader().feed(data + b"+next\r\n")] == [cell, {"simple": "next"}]
    assert write(cell, 3) == data


def test_nulls_are_written_as_their_version_has_them() -> None:
    assert [each.cell for each in ReplyReader().feed(b"$-1\r\n*-1\r\n")] == [None, {"null": "array"}]
    assert [write(None, 2), write(None, 3)] == [b"$-1\r\n", b"_\r\n"]
    assert [write({"null": "array"}, 2), write({"null": "array"}, 3)] == [b"*-1\r\n", b"_\r\n"]


@pytest.mark.parametrize("cell", [{"double": "1"}, True, {"map": []}, {"set": [1]}, {"big": "1"}])
def test_a_type_of_resp3_is_never_written_as_something_else(cell: Any) -> None:
    with pytest.raises(ValueError, match="RESP2 has no type"):
        write(cell, 2)


COMMANDS = (
    write_command([b"SET", b"k", b"v\r\n"]) + b'set a "b\\x41 \\n c"\r\n\r\nPING\n*0\r\n' + write_command([b"GET", b""])
)


def test_commands_are_read_in_any_pieces() -> None:
    expected = [[b"SET", b"k", b"v\r\n"], [b"set", b"a", b"bA \n c"], [b"PING"], [b"GET", b""]]
    assert CommandReader().feed(COMMANDS) == expected
    reader = CommandReader()
    assert [each for at in range(len(COMMANDS)) for each in reader.feed(COMMANDS[at : at + 1])] == expected
    assert not reader.rest
    assert split_inline(b"a 'it\\'s' \"\"") == [b"a", b"it's", b""]


@pytest.mark.parametrize("data", [
    b"*x\r\n", b"*1\r\n:5\r\n", b"*1\r\n$-1\r\n", b"*1\r\n$2\r\nabc\r\n", b"*99999999\r\n", b'"open\r\n',
    b"\x16\x03\x01\0\n", b"*" + b"1" * (LINE_LIMIT + 1), b"*1\r\n$99999999999999999999\r\n",
])  # fmt: skip
def test_what_is_no_command_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        CommandReader().feed(data)


@pytest.mark.parametrize("data", [
    b"\r\n", b"?1\r\n", b":x\r\n", b"$x\r\n", b"$-2\r\n", b"$1\r\nabc\r\n", b"#x\r\n", b"+" + b"x" * (LINE_LIMIT + 2),
    b"*1\r\n" * 200, b"*?\r\n", b"$99999999999999\r\n",
])  # fmt: skip
def test_what_is_no_reply_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        ReplyReader().feed(data)


def test_a_gigabyte_is_counted_and_never_held() -> None:
    reader = ReplyReader()
    assert reader.feed(b"*2\r\n$1073741824\r\n") == []
    piece = bytes(1 << 20)
    for _ in range(1024):
        assert reader.feed(piece) == []
        assert reader.rest < 1000
    (reply,) = reader.feed(b"\r\n:1\r\n")
    assert (reply.cell, reply.dropped) == ([{"omitted": 1 << 30}, 1], 1)
    commands = CommandReader()
    assert commands.feed(b"*2\r\n$3\r\nGET\r\n$%d\r\n" % (KEPT + 1)) == [[b"GET", KEPT + 1]]
    assert commands.feed(bytes(KEPT + 1)) == []
    assert commands.feed(b"\r\nPING\r\n") == [[b"PING"]]


def test_a_claim_of_a_billion_members_takes_no_memory() -> None:
    reader = ReplyReader()
    assert reader.feed(b"*1000000000\r\n" * 5 + b":1\r\n") == []
    assert reader.rest


CELLS = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.text(),
        st.builds(lambda text: {"double": str(text)}, st.floats(allow_nan=False)),
        st.builds(lambda text: {"simple": text}, st.from_regex(r"[ -~]{0,20}", fullmatch=True)),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.builds(lambda items: {"set": items}, st.lists(inner, max_size=3)),
        st.builds(lambda pairs: {"map": pairs}, st.lists(st.lists(inner, min_size=2, max_size=2), max_size=3)),
    ),
    max_leaves=12,
)  # fmt: skip


@given(st.lists(CELLS, min_size=1, max_size=4), st.lists(st.integers(1, 9), min_size=1))
def test_any_value_comes_back_from_its_bytes(cells: list[Any], sizes: list[int]) -> None:
    data = b"".join(write(cell, 3) for cell in cells)
    reader = ReplyReader()
    assert [each.cell for piece in pieces(data, sizes) for each in reader.feed(piece)] == cells


def pieces(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    at = number = 0
    while at < len(data):
        size = sizes[number % len(sizes)]
        yield data[at : at + size]
        at += size
        number += 1


class Followed:
    """A follower with what it saw."""

    def __init__(self) -> None:
        self.seen: dict[int, Observed] = {}
        self.booked = 0
        self.follower = RedisFollower(self._book)

    def _book(self, _begun: int) -> Emit:
        self.booked += 1
        number = self.booked

        def emit(observed: Observed) -> None:
            assert number not in self.seen
            self.seen[number] = observed

        return emit

    def told(self) -> list[tuple[str, str, Any]]:
        return [(each.command, each.status, each.answer) for _, each in sorted(self.seen.items())]


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_a_follower_takes_any_bytes_or_refuses_them(client: bytes, server: bytes) -> None:
    followed = Followed()
    try:
        followed.follower.client(write_command([b"GET", b"k"]), 1)
        followed.follower.client(client, 2)
        followed.follower.server(server, 3)
    except Malformed:
        return
    followed.follower.end(4)


def test_pipelined_replies_belong_to_their_commands_and_selects_count_in_order() -> None:
    followed = Followed()
    for command in ([b"SET", b"a", b"1"], [b"SELECT", b"3"], [b"GET", b"a"], [b"NOPE"]):
        followed.follower.client(write_command(command), 1)
    followed.follower.server(b"+OK\r\n+OK\r\n$-1\r\n-ERR unknown\r\n", 2)
    assert [each.question["db"] for each in followed.seen.values() if isinstance(each.question, dict)] == [0, 0, 3, 3]
    assert [each[:2] for each in followed.told()] == [
        ("SET", "OK"), ("SELECT", "OK"), ("GET", "OK"), ("NOPE", "ERR"),
    ]  # fmt: skip


def test_a_transaction_is_one_exchange() -> None:
    followed = Followed()
    for command in ([b"MULTI"], [b"INCR", b"n"], [b"SET", b"n"], [b"EXEC"], [b"MULTI"], [b"INCR", b"n"], [b"EXEC"]):
        followed.follower.client(write_command(command), 1)
    followed.follower.server(
        b"+OK\r\n+QUEUED\r\n-ERR wrong number\r\n-EXECABORT no\r\n+OK\r\n+QUEUED\r\n*1\r\n:1\r\n", 2
    )
    told = {each.status: each for each in followed.seen.values()}
    assert told["EXECABORT"].command == told["OK"].command == "MULTI"
    assert told["OK"].question == {"transaction": [["INCR", "n"]], "db": 0, "resp": 2}
    assert told["OK"].answer == {"reply": [1]}
    assert isinstance(told["ERR"].question, dict)
    assert told["ERR"].question["queued"] is True


def test_messages_take_no_place_among_the_replies() -> None:
    followed = Followed()
    followed.follower.client(write_command([b"SUBSCRIBE", b"a", b"b"]), 1)
    followed.follower.server(b"*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n", 2)
    followed.follower.client(write_command([b"PING"]) + write_command([b"UNSUBSCRIBE"]), 3)
    followed.follower.server(b"*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n*2\r\n$4\r\npong\r\n$0\r\n\r\n", 4)
    followed.follower.server(
        b"*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$11\r\nunsubscribe\r\n$1\r\nb\r\n:0\r\n", 5
    )
    followed.follower.client(write_command([b"LRANGE", b"l", b"0", b"-1"]), 6)
    followed.follower.server(b"*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n", 7)
    assert [(command, answer) for command, _, answer in followed.told()] == [
        ("SUBSCRIBE", {"reply": ["subscribe", "b", 2]}),
        ("PING", {"reply": ["pong", ""]}),
        ("UNSUBSCRIBE", {"reply": ["unsubscribe", "b", 0]}),
        ("MESSAGE", {"message": "hi"}),
        ("LRANGE", {"reply": ["message", "a", "hi"]}),
    ]


def test_pushes_of_resp3_are_told_apart_from_replies() -> None:
    followed = Followed()
    followed.follower.client(write_command([b"HELLO", b"3"]) + write_command([b"CLIENT", b"TRACKING", b"ON"]), 1)
    followed.follower.server(b"%1\r\n+proto\r\n:3\r\n+OK\r\n", 2)
    followed.follower.client(write_command([b"SUBSCRIBE", b"c"]) + write_command([b"GET", b"k"]), 3)
    followed.follower.server(
        b">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n>3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n", 4
    )
    followed.follower.server(b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nx\r\n$1\r\nv\r\n", 5)
    assert {(command, str(answer)) for command, _, answer in followed.told()[2:]} == {
        ("PUSH", "{'push': ['invalidate', ['k']]}"), ("SUBSCRIBE", "{'reply': ['subscribe', 'c', 1]}"),
        ("MESSAGE", "{'message': 'x'}"), ("GET", "{'reply': 'v'}"),
    }  # fmt: skip


def test_monitor_ends_the_recording_of_its_connection() -> None:
    with pytest.raises(Malformed, match="MONITOR"):
        Followed().follower.client(write_command([b"MONITOR"]), 1)


def test_a_client_that_wants_no_replies_gets_none() -> None:
    followed = Followed()
    for command in ([b"CLIENT", b"REPLY", b"OFF"], [b"SET", b"a", b"1"], [b"CLIENT", b"REPLY", b"ON"], [b"GET", b"a"]):
        followed.follower.client(write_command(command), 1)
    followed.follower.server(b"+OK\r\n$1\r\n1\r\n", 2)
    assert [(command, answer) for command, _, answer in followed.told()] == [
        ("SET", {"unreplied": True}), ("CLIENT REPLY", {"reply": {"simple": "OK"}}), ("GET", {"reply": "1"}),
    ]  # fmt: skip


def test_what_got_no_reply_is_told_at_the_end() -> None:
    followed = Followed()
    followed.follower.client(write_command([b"BLPOP", b"q", b"0"]), 1)
    followed.follower.end(2)
    (seen,) = followed.seen.values()
    assert (seen.status, seen.answer, seen.failed) == ("", None, 2)


@pytest.mark.parametrize("command", [
    "AUTH hunter2", "auth shop hunter2", "HELLO 3 AUTH shop hunter2 SETNAME x", "ACL SETUSER bob on >hunter2 ~*",
    "CONFIG SET requirepass hunter2", "CONFIG SET maxmemory 1 masterauth hunter2", "SENTINEL SET m auth-pass hunter2",
    "MIGRATE h 1 k 0 9 COPY AUTH hunter2", "MIGRATE h 1 k 0 9 AUTH2 u hunter2 KEYS a",
])  # fmt: skip
def test_passwords_are_taken_out_of_commands(command: str) -> None:
    told = without_secrets([word.encode() for word in command.split()])
    assert SECRET in b" ".join(word for word in told if isinstance(word, bytes))
    assert b"hunter2" not in b" ".join(word for word in told if isinstance(word, bytes))


def test_passwords_are_taken_out_of_answers() -> None:
    asked = [b"CONFIG", b"GET", b"*"]
    assert answer_without_secrets([*asked], ["requirepass", "hunter2", "save", ""]) == [
        "requirepass",
        "(secret)",
        "save",
        "",
    ]
    assert answer_without_secrets([*asked], {"map": [["masterauth", "hunter2"]]}) == {
        "map": [["masterauth", "(secret)"]]
    }
    users = answer_without_secrets([b"ACL", b"LIST"], [f"user a on #{'0123456789abcdef' * 4} ~*"])
    assert users == ["user a on (secret) ~*"]
    plain: Arguments = [b"SET", b"AUTH", b"x"]
    assert without_secrets(plain) is plain


def test_a_transaction_without_an_end_is_not_held() -> None:
    follower = RedisFollower(lambda _begun: lambda _observed: None)
    command, queued = write_command([b"SET", b"a", bytes(8 << 20)]), b"+QUEUED\r\n"
    follower.client(write_command([b"MULTI"]), 0)
    follower.server(b"+OK\r\n", 0)
    with pytest.raises(Malformed, match="a transaction is larger"):
        for at in range(20):
            follower.client(command, at)
            follower.server(queued, at)


@pytest.mark.parametrize("late", [True, False])
def test_a_connection_that_is_turned_away_is_one_whether_the_client_had_spoken_or_not(late: bool) -> None:
    seen: list[Observed] = []
    follower = RedisFollower(lambda _begun: seen.append)
    spoken, refusal = write_command([b"INCR", b"a"]), b"-ERR max number of clients reached\r\n"
    if late:
        follower.server(refusal, 1)
    follower.client(spoken, 2)
    if not late:
        follower.server(refusal, 3)
    follower.client(spoken, 4)
    follower.end(5)
    assert [(each.command, each.status) for each in seen] == [("CONNECT", "ERR")]


def test_such_an_error_of_a_command_is_that_command_s() -> None:
    seen: list[Observed] = []
    follower = RedisFollower(lambda _begun: seen.append)
    for reply in (b":1\r\n", b"-ERR max number of clients reached\r\n"):  # the second says it by a script
        follower.client(write_command([b"INCR", b"a"]), 1)
        follower.server(reply, 2)
    assert [(each.command, each.status) for each in seen] == [("INCR", "OK"), ("INCR", "ERR")]


def test_scripts_are_remembered_within_a_bound() -> None:
    seen: list[Observed] = []
    follower = RedisFollower(lambda _begun: seen.append)
    for number in range(5):
        follower.client(write_command([b"SCRIPT", b"LOAD", b"%d" % number + bytes(8 << 20)]), number)
        follower.server(b"$40\r\n" + b"%040d" % number + b"\r\n", number)
    for number in (0, 4):
        follower.client(write_command([b"EVALSHA", b"%040d" % number, b"0"]), 9)
        follower.server(b":1\r\n", 9)
    assert ["script" in each.question for each in seen[-2:] if isinstance(each.question, dict)] == [True, False]
