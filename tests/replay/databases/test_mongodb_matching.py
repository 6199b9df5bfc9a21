"""Which recorded reply a MongoDB command gets, what is simulated, and what a miss says. Without any server."""

from __future__ import annotations

import datetime
import random
import uuid
from typing import Any

import bson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mongodb_kit import GOLDEN, HERE, Client, Followed, Said, answering, lines, recorded, server_of

from wiretape_capture.protocols.mongodb import wire
from wiretape_capture.protocols.mongodb.documents import decode
from wiretape_capture.protocols.mongodb.scram import Login
from wiretape_capture.protocols.mongodb.wire import Malformed

LSID = {"id": bson.Binary.from_uuid(uuid.UUID(int=1))}
OTHER = {"id": bson.Binary.from_uuid(uuid.UUID(int=2))}


def find(filter_: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"find": "t", "filter": filter_, **more}


def batch(*documents: dict[str, Any], number: int = 0, key: str = "firstBatch") -> dict[str, Any]:
    return {"cursor": {key: list(documents), "id": bson.Int64(number), "ns": "d.t"}}


def update(query: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    return {"update": "t", "updates": [{"q": query, "u": change}]}


STOCK: list[Said] = [
    (find({"_id": "a"}), batch({"_id": "a", "n": 1})), (find({"_id": "b"}), batch({"_id": "b", "n": 5})),
    (update({"_id": "a"}, {"$set": {"n": 2}}), {"n": 1, "nModified": 1}),
    (find({"_id": "a"}), batch({"_id": "a", "n": 2})),
]  # fmt: skip


def first(reply: dict[str, Any]) -> Any:
    return reply["cursor"]["firstBatch"]


def test_a_reply_after_a_write_comes_after_it_and_other_documents_stay() -> None:
    client = answering(STOCK)
    assert [first(client.ask(find({"_id": "a"})))[0]["n"] for _ in range(3)] == [1, 1, 1]
    assert client.ask(update({"_id": "a"}, {"$set": {"n": 2}}))["nModified"] == 1
    assert first(client.ask(find({"_id": "a"})))[0]["n"] == 2
    assert first(client.ask(find({"_id": "b"})))[0]["n"] == 5


@pytest.mark.parametrize("command", [
    find({"_id": "a"}, lsid=LSID, batchSize=7, singleBatch=True, maxTimeMS=5, comment="x"),
    {"find": "t", "$readPreference": {"mode": "primary"}, "filter": {"_id": "a"}, "$clusterTime": {"x": 1},
     "readConcern": {"afterClusterTime": bson.Timestamp(1, 1)}, "projection": {}},
])  # fmt: skip
def test_what_concerns_the_session_does_not_count(command: dict[str, Any]) -> None:
    assert first(answering(STOCK).ask(command))[0]["n"] == 1


def test_numbers_are_one_type_and_members_of_filters_and_sets_have_no_order() -> None:
    client = answering([(find({"n": {"$in": [1, 2]}, "m": bson.Int64(5)}), batch({"_id": 1}))])
    assert first(client.ask(find({"m": 5.0, "n": {"$in": [2.0, 1]}}))) == [{"_id": 1}]


@pytest.mark.parametrize(("command", "said"), [
    (find({"_id": "c"}), "bind/filter/_id was 'a', is 'c'"),
    (find({"key": "a"}), "command was 'find d.t filter={_id: ?}', is 'find d.t filter={key: ?}'"),
    (update({"_id": "a"}, {"$set": {"n": 3}}), "bind/updates/0/u/$set/n was '2', is '3'"),
    (find({"_id": bson.ObjectId()}), "is 'find d.t filter={_id: ObjectId(?)}'"),
    (find({"_id": "a"}, limit=3), "is 'find d.t filter={_id: ?} limit=?'"),
])  # fmt: skip
def test_a_miss_is_an_error_that_names_the_nearest_and_the_connection_goes_on(
    command: dict[str, Any], said: str
) -> None:
    client = answering(STOCK)
    miss = client.ask(command)
    assert (miss["ok"], miss["codeName"]) == (0, "WT001")
    assert miss["errmsg"].startswith("wiretape: nothing recorded answers this command: ")
    assert said in miss["errmsg"]
    assert first(client.ask(find({"_id": "b"})))[0]["n"] == 5
    assert (client.tally.miss, client.tally.exact) == (1, 1)


def test_what_a_run_makes_afresh_is_followed_into_replies() -> None:
    made, key = bson.ObjectId("6b0b3ac7546f015fd0e887a4"), uuid.UUID("3f2504e0-4f89-41d3-9a0c-0305e82c3301")
    at = datetime.datetime(2026, 9, 21, 13, 33, 20, tzinfo=datetime.UTC)
    document = {"_id": made, "key": bson.Binary.from_uuid(key), "at": at, "sku": "ink"}
    client = answering([({"insert": "t", "documents": [document]}, {"n": 1}), (find({"_id": made}), batch(document))])
    mine, other = bson.ObjectId(), uuid.uuid4()
    now = datetime.datetime.now(datetime.UTC)
    live = {"_id": mine, "key": bson.Binary.from_uuid(other), "at": now, "sku": "ink"}
    assert client.ask({"insert": "t", "documents": [live]})["n"] == 1
    (found,) = first(client.ask(find({"_id": mine})))
    assert (found["_id"], found["key"].as_uuid(), found["sku"]) == (mine, other, "ink")
    assert client.tally.normalized == 2
    assert client.ask({"insert": "t", "documents": [{**live, "sku": "pen"}]})["codeName"] == "WT001"


def more(number: int, **fields: Any) -> dict[str, Any]:
    return {"getMore": bson.Int64(number), "collection": "t", **fields}


BATCHES: list[Said] = [
    (find({"x": 1}, batchSize=1), batch({"n": 1}, number=77)), (more(77), batch({"n": 2}, number=77, key="nextBatch")),
    (more(77), batch({"n": 3}, key="nextBatch")), (find({"x": 2}), batch({"n": 9}, number=78)),
]  # fmt: skip


def test_cursors_are_numbered_anew_and_each_reads_its_own_batches() -> None:
    client = answering(BATCHES)
    one, two = (client.ask(find({"x": 1}))["cursor"]["id"] for _ in range(2))
    assert len({one, two, 77}) == 3
    assert client.ask(more(one))["cursor"] == {"nextBatch": [{"n": 2}], "id": one, "ns": "d.t"}
    assert client.ask(more(two))["cursor"]["nextBatch"] == [{"n": 2}]
    assert client.ask(more(one))["cursor"] == {"nextBatch": [{"n": 3}], "id": 0, "ns": "d.t"}
    assert client.ask(more(one))["codeName"] == "CursorNotFound"
    killed = client.ask({"killCursors": "t", "cursors": [two, bson.Int64(5)]})
    assert (killed["cursorsKilled"], killed["cursorsNotFound"]) == ([two], [5])
    assert client.ask(more(two))["codeName"] == "CursorNotFound"


def test_a_cursor_that_was_not_read_to_its_end_is_a_miss_there() -> None:
    client = answering(BATCHES)
    number = client.ask(find({"x": 2}))["cursor"]["id"]
    assert "reads more of a cursor than was recorded" in client.ask(more(number))["errmsg"]


def test_a_change_stream_gives_what_came_and_then_waits() -> None:
    watch = {"aggregate": "t", "pipeline": [{"$changeStream": {}}], "cursor": {}}
    client = answering([
        (watch, batch(number=5)), (more(5), batch(number=5, key="nextBatch")),
        (more(5), batch({"operationType": "insert"}, number=5, key="nextBatch")),
    ])  # fmt: skip
    number = client.ask(watch)["cursor"]["id"]
    assert client.ask(more(number, maxTimeMS=50))["cursor"]["nextBatch"] == [{"operationType": "insert"}]
    assert client.session.delay == 0
    assert client.ask(more(number, maxTimeMS=50))["cursor"] == {"ns": "d.t", "id": number, "nextBatch": []}
    assert client.session.delay == 0.05


def inside(command: dict[str, Any], number: int = 1, **fields: Any) -> dict[str, Any]:
    return {**command, "lsid": LSID, "txnNumber": bson.Int64(number), "autocommit": False, **fields}


INSERT = {"insert": "t", "documents": [{"_id": 1}]}
COMMIT = {"commitTransaction": 1}


def test_transactions_are_simulated_whatever_their_session_and_number() -> None:
    client = answering([(inside(INSERT, startTransaction=True), {"n": 1}), (inside(COMMIT), {})])
    live = {"lsid": OTHER, "txnNumber": bson.Int64(9), "autocommit": False}
    assert client.ask({**INSERT, **live, "startTransaction": True})["n"] == 1
    assert client.ask({**COMMIT, **live, "$db": "admin"})["ok"] == 1
    assert (client.tally.exact, client.tally.simulated) == (1, 1)
    assert client.ask({**COMMIT, **live, "txnNumber": bson.Int64(10)})["codeName"] == "NoSuchTransaction"


def test_a_miss_ends_its_transaction_as_an_error_does() -> None:
    client = answering([(inside(INSERT, startTransaction=True), {"n": 1}), (inside(COMMIT), {})])
    assert client.ask(inside(find({"y": 1}), startTransaction=True))["codeName"] == "WT001"
    assert client.ask(inside(INSERT))["codeName"] == "NoSuchTransaction"
    assert client.ask(inside(COMMIT))["codeName"] == "NoSuchTransaction"
    assert client.ask(inside({"abortTransaction": 1}))["ok"] == 1
    assert client.ask(inside(INSERT, 2, startTransaction=True))["n"] == 1


def test_a_commit_that_failed_fails_at_the_same_place_and_is_tried_again() -> None:
    conflict = {"ok": 0.0, "code": 112, "codeName": "WriteConflict", "errorLabels": ["TransientTransactionError"]}
    client = answering([
        (inside(INSERT, startTransaction=True), {"n": 1}), (inside(COMMIT), conflict),
        (inside(INSERT, 2, startTransaction=True), {"n": 1}), (inside(COMMIT, 2), {}),
    ])  # fmt: skip
    assert client.ask(inside(INSERT, startTransaction=True))["n"] == 1
    assert client.ask(inside(COMMIT))["codeName"] == "WriteConflict"
    assert client.ask(inside(INSERT, 2, startTransaction=True))["n"] == 1
    assert client.ask(inside(COMMIT, 2))["ok"] == 1


def test_a_command_to_which_no_reply_was_wanted_gets_none() -> None:
    client = answering([({**INSERT, "writeConcern": {"w": 0}}, {})])
    assert client.send(INSERT, wire.MORE_TO_COME) == []
    assert client.tally.exact == 1


def test_errors_come_again_and_what_never_got_a_reply_breaks_off() -> None:
    exchanges = recorded([(INSERT, {"ok": 1.0, "writeErrors": [{"index": 0, "code": 11000, "errmsg": "dup"}]})])
    client = Client(server_of(exchanges))
    assert client.ask(INSERT)["writeErrors"][0]["code"] == 11000
    followed = Followed()
    followed.feed([(1, "c", wire.write_msg(1, 0, bson.encode({**INSERT, "$db": "d"})).hex())])
    client = Client(server_of(followed.exchanges()))
    assert client.send(INSERT) == []
    assert client.session.closing


@pytest.mark.parametrize("legacy", [True, False])
def test_a_greeting_leads_here_and_streams_nothing(legacy: bool) -> None:
    client = answering([])
    hello = {"isMaster": 1} if legacy else {"hello": 1, "compression": ["zlib"], "$db": "admin"}
    if legacy:
        client.session.feed(wire.write_query(1, "admin.$cmd", bson.encode(hello)))
        (reply,) = client.heard()
        assert reply["ismaster"]
    else:
        (reply,) = client.send(hello, wire.EXHAUST_ALLOWED)
    assert not {"compression", "topologyVersion"} & reply.keys()
    followed = Followed()
    told = '{"setName": "rs", "hosts": ["wiretape:27017"], "me": "wiretape:27017", "ok": {"$numberDouble": "1.0"}}'
    followed.feed([(1, "hello", told)])
    reply = Client(server_of(followed.exchanges())).ask(hello)
    assert (reply["setName"], reply["hosts"], reply["me"]) == ("rs", [HERE], HERE)


def test_a_login_with_a_password_nobody_knows_says_what_to_do() -> None:
    for password, accepted in (("wiretape", True), ("its own", False)):
        client = answering([])
        login = Login("shop", password, "admin", ["SCRAM-SHA-256"])
        command: dict[str, Any] | None = login.first()
        reply: dict[str, Any] = {}
        while command is not None:
            reply = client.ask(command)
            command = login.next(reply) if reply["ok"] else None
        assert bool(reply["ok"]) is accepted
        assert accepted or "leave user and password out" in reply["errmsg"]


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.name.partition(".")[0])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_follower_sees_the_same_of_a_driver_in_whatever_pieces_bytes_come(path: Any, seed: int) -> None:
    whole, cut_up = Followed(), Followed()
    whole.feed(lines(path))
    cut_up.feed(lines(path), random.Random(seed))
    assert len(whole.seen) > 10
    assert cut_up.seen == whole.seen


NOT_COMPARED = ("$clusterTime", "operationTime", "localTime", "lastWrite", "connectionId", "topologyVersion")


def compared(reply: dict[str, Any]) -> dict[str, Any]:
    """A reply without clocks, and with one number for all cursors."""
    kept = {name: value for name, value in reply.items() if name not in NOT_COMPARED}
    if isinstance(kept.get("cursor"), dict):
        kept["cursor"] = {**kept["cursor"], "id": bool(kept["cursor"]["id"])}
        kept["cursor"].pop("postBatchResumeToken", None)
    return kept


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.name.partition(".")[0])
def test_the_mock_answers_message_by_message_as_the_server_did(path: Any) -> None:
    told = lines(path)
    followed = Followed()
    followed.feed(told)
    server = server_of(followed.exchanges())
    clients: dict[int, Client] = {}
    framers: dict[tuple[int, str], wire.Framer] = {}
    ids: dict[int, int] = {}
    asked: dict[tuple[int, int], Any] = {}
    answers = 0
    for connection, sender, content in told:
        if sender == "hello":
            continue
        client = clients.setdefault(connection, Client(server))
        for message in framers.setdefault((connection, sender), wire.Framer()).feed(bytes.fromhex(content)):
            document = decode(wire.read_msg(message.payload).body)
            if sender == "c":
                sections = wire.read_msg(message.payload)
                command = {**document, **{name: [decode(each) for each in found] for name, found in sections.sequences}}
                number = command.get("getMore")
                if number is not None:
                    command["getMore"] = bson.Int64(ids.get(number, number))
                if "killCursors" in command:
                    continue
                replies = client.send(command, sections.flags)
                asked[connection, message.request_id] = replies[0] if replies else None
                continue
            mine = asked.get((connection, message.response_to))
            if mine is None:
                continue
            answers += 1
            cursor = document.get("cursor")
            if isinstance(cursor, dict) and cursor["id"] and "cursor" in mine:
                ids[cursor["id"]] = mine["cursor"]["id"]
            assert compared(mine) == compared(document)
    assert answers > 10
    assert server.desk.journal.tally.miss == 0


def test_there_is_a_golden_recording_of_each_kind_of_driver() -> None:
    assert {path.name.partition(".")[0] for path in GOLDEN} == {"with_pymongo", "with_node_mongodb"}


SPOKEN = b"".join(wire.write_msg(number, 0, bson.encode({**command, "$db": "d"})) for number, (command, _) in
                  enumerate([*STOCK, ({"hello": 1}, {}), ({"saslStart": 1, "mechanism": "SCRAM-SHA-1",
                                                           "payload": b"n,,n=a,r=b"}, {})], 1))  # fmt: skip


@settings(max_examples=60)
@given(st.integers(0, len(SPOKEN) - 1), st.binary(min_size=1, max_size=5), st.integers(1, 90))
def test_no_bytes_break_the_mock(at: int, damage: bytes, size: int) -> None:
    data = SPOKEN[:at] + damage + SPOKEN[at + len(damage) :]
    client = answering(STOCK)
    try:
        for start in range(0, len(data), size):
            client.session.feed(data[start : start + size])
    except Malformed:
        return
    client.heard()
