"""MongoDB's messages: cut in any pieces, hostile in every field, and what a follower makes of them."""

from __future__ import annotations

import base64
import datetime
import struct
import uuid
from typing import Any

import bson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wiretape_capture.protocols.mongodb import scram, wire
from wiretape_capture.protocols.mongodb.documents import decode, document_of, encode, to_json
from wiretape_capture.protocols.mongodb.follower import MongoFollower, command_of
from wiretape_capture.protocols.mongodb.hello import asked, at_home, remembered
from wiretape_capture.protocols.mongodb.template import spelled, taken_apart
from wiretape_capture.protocols.mongodb.wire import Framer, Malformed
from wiretape_capture.protocols.observed import Emit, Observed


def msg(number: int, body: dict[str, Any], *, to: int = 0, flags: int = 0, **sequences: list[dict[str, Any]]) -> bytes:
    parts = [(name, [bson.encode(each) for each in documents]) for name, documents in sequences.items()]
    return wire.write_msg(number, to, bson.encode(body), flags, parts)


INSERT = {"insert": "t", "$db": "d"}
CLIENT = b"".join([
    wire.write_query(1, "admin.$cmd", bson.encode({"isMaster": 1})),
    msg(2, INSERT, documents=[{"_id": 1}, {"_id": 2}]),
    msg(3, {"saslStart": 1, "payload": b"secret", "$db": "admin"}),
    msg(4, {**INSERT, "writeConcern": {"w": 0}}, flags=wire.MORE_TO_COME, documents=[{"_id": 3}]),
    msg(5, {"createUser": "u", "pwd": "secret", "$db": "d"}),
    msg(6, {"getMore": bson.Int64(7), "collection": "t", "$db": "d"}, flags=wire.EXHAUST_ALLOWED),
    msg(9, {"find": "t", "$db": "d"}),
])  # fmt: skip
SERVER = b"".join([
    wire.write_reply(11, 1, bson.encode({"ok": 1.0})),
    msg(12, {"ok": 1.0, "n": 2}, to=2),
    msg(13, {"ok": 1.0, "payload": b"secret"}, to=3),
    msg(15, {"ok": 0.0, "code": 13, "codeName": "Unauthorized", "errmsg": "no"}, to=5),
    msg(16, {"ok": 1.0, "batch": 1}, to=6, flags=wire.MORE_TO_COME),
    msg(17, {"ok": 1.0, "batch": 2}, to=16),
])  # fmt: skip


class Seen:
    def __init__(self) -> None:
        self.told: dict[int, Observed] = {}
        self.follower = MongoFollower(self.book)
        self._number = 0

    def book(self, _begun: int) -> Emit:
        self._number += 1
        return lambda seen, number=self._number: self.told.__setitem__(number, seen)  # type: ignore[misc]

    def feed(self, size: int) -> list[Observed]:
        for at in range(0, len(CLIENT), size):
            self.follower.client(CLIENT[at : at + size], 1)
        for at in range(0, len(SERVER), size):
            self.follower.server(SERVER[at : at + size], 2)
        self.follower.end(3)
        return [self.told[number] for number in sorted(self.told)]


def test_a_follower_sees_the_same_in_whatever_pieces_bytes_come() -> None:
    whole = Seen().feed(1 << 20)
    assert [(each.command, each.status, each.failed) for each in whole] == [
        ("isMaster", "ok", 0), ("insert", "ok", 0), ("insert", "unacknowledged", 0), ("createUser", "Unauthorized", 1),
        ("getMore", "ok", 0), ("find", "", 2), ("getMore", "ok", 0),
    ]  # fmt: skip
    assert whole[1].question == {
        "insert": "t", "$db": "d", "documents": [{"_id": {"$numberInt": "1"}}, {"_id": {"$numberInt": "2"}}]
    }  # fmt: skip
    assert "secret" not in str(whole)
    assert base64.b64encode(b"secret").decode() not in str(whole)
    for size in (1, 2, 3, 7, 16, 100):
        assert Seen().feed(size) == whole


@pytest.mark.parametrize("to", [6, 16, 0])
def test_streamed_replies_belong_to_their_command_whatever_they_name(to: int) -> None:
    seen = Seen()
    seen.follower.client(msg(6, {"getMore": bson.Int64(7), "collection": "t", "$db": "d"}), 1)
    seen.follower.server(msg(16, {"ok": 1.0, "batch": 1}, to=6, flags=wire.MORE_TO_COME), 2)
    seen.follower.server(msg(17, {"ok": 1.0, "batch": 2}, to=to), 3)
    seen.follower.client(msg(7, {"ping": 1, "$db": "d"}), 4)
    seen.follower.server(msg(18, {"ok": 1.0}, to=7), 5)
    seen.follower.end(6)
    assert [(each.command, each.status) for each in seen.told.values()] == [
        ("getMore", "ok"), ("getMore", "ok"), ("ping", "ok"),
    ]  # fmt: skip


def test_a_checksum_is_left_unread() -> None:
    body = bson.encode({"ping": 1})
    payload = struct.pack("<I", wire.CHECKSUM_PRESENT) + b"\0" + body + b"\1\2\3\4"
    assert wire.read_msg(payload) == wire.Sections(wire.CHECKSUM_PRESENT, body)


@pytest.mark.parametrize(("data", "said"), [
    (struct.pack("<iiii", 1 << 30, 1, 0, wire.OP_MSG), "claims a length of 1073741824"),
    (struct.pack("<iiii", 15, 1, 0, wire.OP_MSG), "claims a length of 15"),
    (struct.pack("<iiii", -1, 1, 0, wire.OP_MSG), "claims a length of -1"),
    (struct.pack("<iiii", 20, 1, 0, 4711), "unknown opcode 4711"),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(9), "it is TLS"),
    (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "claims a length"),
    (wire.message(1, 0, wire.OP_COMPRESSED, bytes(20)), "leave compressors out"),
    (wire.message(1, 0, 2004, b"\1" * 5), "an OP_QUERY without a collection"),
    (wire.message(1, 0, 2004, bytes(5)), "ends before its length"),
    (wire.message(1, 0, wire.OP_MSG, bytes(4)), "without a section"),
    (wire.message(1, 0, wire.OP_MSG, struct.pack("<I", 1 << 5) + b"\0" + bson.encode({})), "flags 0x20"),
    (wire.message(1, 0, wire.OP_MSG, bytes(4) + b"\0" + struct.pack("<i", 1 << 30)), "claims 1073741824 bytes"),
    (wire.message(1, 0, wire.OP_MSG, bytes(4) + b"\7" + bson.encode({})), "section of kind 7"),
    (wire.message(1, 0, wire.OP_MSG, bytes(4) + b"\0" + b"\x0c\0\0\0\x10a\0\1\0\0\0\7"), "no BSON"),
])  # fmt: skip
def test_what_is_no_message_is_refused_by_what_is_wrong(data: bytes, said: str) -> None:
    with pytest.raises(Malformed, match=said):
        MongoFollower(lambda _: lambda _: None).client(data, 0)


def test_a_document_that_is_nested_too_deeply_is_refused() -> None:
    data = bson.encode({})
    for _ in range(20_000):
        inner = b"\3a\0" + data + b"\0"
        data = struct.pack("<i", len(inner) + 4) + inner
        if len(data) > 60_000:
            break
    with pytest.raises(Malformed):
        to_json(decode(data))


@settings(max_examples=150)
@given(st.integers(0, len(CLIENT) - 1), st.binary(min_size=1, max_size=6), st.integers(1, 64))
def test_damaged_bytes_are_refused_or_read(at: int, damage: bytes, size: int) -> None:
    data = CLIENT[:at] + damage + CLIENT[at + len(damage) :]
    follower = MongoFollower(lambda _: lambda _: None)
    try:
        for start in range(0, len(data), size):
            follower.client(data[start : start + size], 0)
    except Malformed:
        return
    follower.end(1)


@settings(max_examples=100)
@given(st.binary(max_size=200))
def test_no_bytes_break_the_framing(data: bytes) -> None:
    framer = Framer()
    try:
        for start in range(len(data)):
            for each in framer.feed(data[start : start + 1]):
                command_of(each)
    except Malformed:
        return


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**31), 2**31 - 1) | st.floats() | st.text(st.characters(codec="utf-8"))
    | st.binary(max_size=20) | st.builds(bson.Int64, st.integers(-(2**63), 2**63 - 1)) | st.builds(bson.ObjectId)
    | st.builds(bson.Timestamp, st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
    | st.builds(bson.Regex, st.just("a"))
    | st.builds(bson.Decimal128, st.sampled_from(["1.50", "NaN", "-0", "1E+3"])) | st.builds(bson.MinKey)
    | st.builds(bson.DatetimeMS, st.integers(-(2**63), 2**63 - 1)) | st.builds(bson.Code, st.just("x"))
    | st.uuids().map(bson.Binary.from_uuid),
    lambda inside: st.lists(inside, max_size=3)
    | st.dictionaries(st.sampled_from(["a", "b", "$gt", "c.d"]), inside, max_size=3),
    max_leaves=10,
)  # fmt: skip


NANS = [struct.unpack(">d", bytes.fromhex(bits))[0] for bits in ("fff8000000000000", "7ff80000000007a2")]
"""The one that processors make, and R's missing value."""


@settings(max_examples=200)
@example({"x": NANS[0], "y": [NANS[1], float("nan")]})
@given(st.dictionaries(st.sampled_from(["x", "y", "z"]), VALUES, max_size=3))
def test_every_document_comes_back_from_extended_json_byte_by_byte(document: dict[str, Any]) -> None:
    data = bson.encode(document)
    assert encode(document_of(to_json(decode(data)))) == data


def apart(command: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    told = to_json(decode(bson.encode({**command, "$db": "d"})))
    assert isinstance(told, dict)
    template, values = taken_apart(told)
    return template, dict(spelled(values))


def test_a_nan_is_one_value_whatever_its_bits() -> None:
    assert [apart({"find": "t", "filter": {"a": nan}})[1] for nan in (*NANS, float("nan"))] == [{"filter/a": "NaN"}] * 3


OID = bson.ObjectId("6b0b3ac7546f015fd0e887a4")


@pytest.mark.parametrize(("command", "template", "values"), [
    ({"find": "t", "filter": {"b": {"$gt": 5}, "a": "x"}, "sort": {"b": -1, "a": 1}, "limit": 3, "lsid": {"id": 1}},
     "find d.t filter={a: ?, b: {$gt: ?}} limit=? sort={b: -1, a: 1}",
     {"filter/a": "x", "filter/b/$gt": 5, "limit": 3}),
    ({"find": "t", "filter": {"_id": OID, "n": {"$in": [3, 1]}}, "batchSize": 5, "$readPreference": {}},
     "find d.t filter={_id: ObjectId(?), n: {$in: [? x2]}}",
     {"filter/_id": str(OID), "filter/n/$in/0": 1, "filter/n/$in/1": 3}),
    ({"insert": "t", "ordered": True, "documents": [{"a": 1}, {"a": 2.0}]},
     "insert d.t documents=[{a: ?} x2]", {"documents/0/a": 1, "documents/1/a": 2}),
    ({"update": "t", "updates": [{"q": {"a/b": 1}, "u": {"$set": {"c": None}}, "multi": False}]},
     "update d.t updates=[{q: {a/b: ?}, u: {$set: {c: ?}}}]", {"updates/0/q/a~1b": 1, "updates/0/u/$set/c": None}),
    ({"aggregate": "t", "cursor": {},
      "pipeline": [{"$match": {"a": True}}, {"$group": {"_id": "$a", "n": {"$sum": 1}}}]},
     'aggregate d.t pipeline=[{$match: {a: ?}}, {$group: {_id: "$a", n: {$sum: 1}}}]', {"pipeline/0/$match/a": True}),
    ({"find": "t", "filter": {"k": bson.Binary.from_uuid(uuid.UUID(int=5)),
                              "at": datetime.datetime(2024, 1, 2, tzinfo=datetime.UTC)}},
     "find d.t filter={at: Date(?), k: UUID(?)}",
     {"filter/at": "2024-01-02T00:00:00.000Z", "filter/k": "00000000-0000-0000-0000-000000000005"}),
    # Fields of the app's own that are called as members of commands are.
    ({"insert": "t", "documents": [{"key": "k", "to": "x", "multi": False, "sort": {"b": 1, "a": 2}}]},
     "insert d.t documents=[{key: ?, multi: ?, sort: {a: ?, b: ?}, to: ?}]",
     {"documents/0/key": "k", "documents/0/multi": False, "documents/0/sort/a": 2, "documents/0/sort/b": 1,
      "documents/0/to": "x"}),
    ({"createIndexes": "t", "indexes": [{"key": {"b": 1, "a": 1}, "name": "b_a"}]},
     'createIndexes d.t indexes=[{key: {b: 1, a: 1}, name: "b_a"}]', {}),
    ({"drop": "t"}, "drop d.t", {}), ({"dropDatabase": 1}, "dropDatabase d", {}),
])  # fmt: skip
def test_a_command_is_its_template_and_its_values(command: dict[str, Any], template: str, values: Any) -> None:
    assert apart(command) == (template, values)


def test_a_long_template_is_cut_and_stays_its_own() -> None:
    one, other = (apart({"find": "t", "filter": {f"field{n}": 1 for n in range(400, last)}})[0] for last in (800, 801))
    assert len(one) < 2100
    assert one != other


def test_a_greeting_agrees_on_nothing_and_leads_back() -> None:
    hello = {"hello": 1, "compression": ["zlib"], "speculativeAuthenticate": {"payload": b"x"}, "client": {}}
    assert asked(hello, logs_in=True) == {"hello": 1, "client": {}}
    assert "speculativeAuthenticate" in asked(hello, logs_in=False)
    reply = {"setName": "rs", "hosts": ["a:1", "b:2"], "me": "a:1", "primary": "b:2", "passives": ["c:3"], "ok": 1.0}
    assert at_home(reply, "here:9") == {
        "setName": "rs",
        "hosts": ["here:9"],
        "me": "here:9",
        "primary": "here:9",
        "ok": 1.0,
    }
    assert "topologyVersion" not in remembered({"topologyVersion": {}, "ok": 1.0})


@pytest.mark.parametrize("mechanism", scram.MECHANISMS)
@pytest.mark.parametrize("skips", [True, False])
def test_our_login_is_accepted_at_our_door_with_a_known_password_only(mechanism: str, skips: bool) -> None:
    for password, ends in (("s3cr=t,ü", True), ("other", False)):
        door = scram.Door(["another", "s3cr=t,ü"])
        login = scram.Login("a=b,c", password, "admin", [mechanism])
        command: dict[str, Any] | None = login.first()
        replies: list[dict[str, Any]] = []
        while command is not None and (not replies or replies[-1]["ok"]):
            command["options"] = {"skipEmptyExchange": skips}
            replies.append(door.answer(command))
            command = login.next(replies[-1]) if replies[-1]["ok"] else None
        assert bool(replies[-1].get("done")) is ends
        assert len(replies) == (2 if skips or not ends else 3)
        if not ends:
            assert replies[-1]["code"] == scram.FAILED
            assert "does not know" in replies[-1]["errmsg"]
