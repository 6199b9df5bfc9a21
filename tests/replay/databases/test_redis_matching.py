"""Which recorded answer a Redis command gets, what is simulated, and what a miss says. Without any server."""

from __future__ import annotations

import json
from typing import Any

import pytest
from redis_kit import Client, Said, answering, command_of, hall_of, recorded

OK = {"simple": "OK"}
S = b"+OK\r\n"


def bulk(text: str) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(text.encode()), text.encode())


COUNTED: list[Said] = [
    ("SET a 1", S), ("GET a", bulk("1")), ("SET a 2", S), ("GET a", bulk("2")), ("SET b 7", S), ("MGET a b", b"*2\r\n"
     + bulk("2") + bulk("7")), ("DEL a", b":1\r\n"), ("GET a", b"$-1\r\n"), ("MGET a b", b"*2\r\n$-1\r\n" + bulk("7")),
]  # fmt: skip


def test_a_write_moves_on_what_is_read_of_its_key() -> None:
    client = answering(COUNTED)
    assert client.send("SET a 1") == [OK]
    assert client.send("GET a") + client.send("GET a") == ["1", "1"]
    assert client.send("SET b 7") == [OK]  # another key
    assert client.send("GET a") == ["1"]
    assert client.send("SET a 2", "GET a", "MGET a b") == [OK, "2", ["2", "7"]]
    assert client.send("MGET a b") == [["2", "7"]]
    assert client.send("DEL a") == [1]
    assert client.send("MGET a b", "GET a") == [[None, "7"], None]


def test_commands_get_the_same_one_by_one_pipelined_and_in_pieces() -> None:
    asked = [*(str(each[0]) for each in COUNTED), "GET a", "GET a", "GET a", "MGET a b"]
    by_one, at_once, in_pieces = answering(COUNTED), answering(COUNTED), answering(COUNTED)
    expected = [reply for each in asked for reply in by_one.send(each)]
    assert at_once.send(*asked) == expected
    for byte in b"".join(map(command_of, asked)):
        in_pieces.session.feed(bytes([byte]))
    assert in_pieces.heard() == expected
    tallies = [each.session.hall.desk.journal.tally for each in (by_one, at_once, in_pieces)]
    assert tallies[0] == tallies[1] == tallies[2]


def test_databases_are_apart() -> None:
    client = answering([("SET a 1", S), ("SELECT 3", S), ("SET a 9", S), ("GET a", bulk("9")), ("FLUSHALL", S)])
    assert client.send("SELECT 3", "SET a 9", "GET a") == [OK, OK, "9"]
    (miss,) = Client(client.session.hall).send("GET a")
    assert "db was '3', is absent or NULL" in miss["error"]


def test_case_options_and_the_spelling_of_json_do_not_count() -> None:
    client = answering([("SET a 1 EX 5 NX", S), (b'SET j {"a":1,"b":[2]}'.decode(), S)])
    assert client.send("set a 1 ex 5 nx") == [OK]
    assert client.send([b"set", b"j", b'{ "b": [2], "a": 1 }']) == [OK]


def test_a_miss_says_what_is_nearest_and_the_connection_goes_on() -> None:
    client = answering([("SET user:1 Ada", S), ("GET user:1", bulk("Ada"))])
    (miss,) = client.send("SET user:1 Bob")
    assert miss["error"] == ("WT001 wiretape: nothing recorded answers this command: SET user:{n} ?; exchange 1 is "
                             "nearest: arg/2 was 'Ada', is 'Bob'")  # fmt: skip
    assert client.send("GET user:2")[0]["error"].endswith("exchange 2 is nearest: key/1 was 'user:1', is 'user:2'")
    assert client.send("GET user:1") == ["Ada"]
    tally = client.session.hall.desk.journal.tally
    assert (tally.miss, tally.exact) == (2, 1)


def test_what_a_run_makes_afresh_is_followed_into_answers() -> None:
    was, now = "3f2504e0-4f89-41d3-9a0c-0305e82c3301", "9b2504e0-4f89-41d3-9a0c-0305e82c3302"
    session = json.dumps({"id": was, "user": "ada"})
    client = answering([([b"SET", f"session:{was}".encode(), session.encode()], S),
                        (f"GET session:{was}", bulk(session))])  # fmt: skip
    assert client.send([b"SET", f"session:{now}".encode(), session.replace(was, now).encode()]) == [OK]
    assert client.send(f"GET session:{now}") == [session.replace(was, now)]
    assert client.session.hall.desk.journal.tally.normalized >= 1


def test_a_transaction_is_matched_as_a_unit() -> None:
    client = answering([
        ("WATCH n", S), ("MULTI", S), ("INCR n", b"+QUEUED\r\n"), ("EXEC", b"*-1\r\n"), ("WATCH n", S), ("MULTI", S),
        ("INCR n", b"+QUEUED\r\n"), ("EXEC", b"*1\r\n:5\r\n"), ("GET n", bulk("5")),
    ])  # fmt: skip
    assert client.send("WATCH n", "MULTI", "INCR n", "EXEC") == [OK, OK, {"simple": "QUEUED"}, {"null": "array"}]
    assert client.send("WATCH n", "MULTI", "INCR n", "EXEC")[3] == [5]
    assert client.send("GET n") == ["5"]
    assert client.send("MULTI", "INCR other", "EXEC")[2]["error"].startswith("WT001")
    assert client.send("GET n") == ["5"]
    assert client.send("EXEC")[0]["error"] == "ERR EXEC without MULTI"
    assert client.send("MULTI", "DISCARD", "DISCARD")[2]["error"] == "ERR DISCARD without MULTI"


def test_a_transaction_with_a_command_that_was_refused_is_aborted() -> None:
    client = answering([("MULTI", S), ("SET a", b"-ERR wrong number of arguments\r\n"), ("EXEC", b"-EXECABORT no\r\n")])
    assert [next(iter(each.items())) for each in client.send("MULTI", "SET a", "EXEC")] == [
        ("simple", "OK"), ("error", "ERR wrong number of arguments"),
        ("error", "EXECABORT Transaction discarded because of previous errors."),
    ]  # fmt: skip


SCRIPT = [b"EVAL", b"return 1", b"0"]
SHA = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"


def test_a_script_is_the_same_by_text_and_by_hash() -> None:
    client = answering([(SCRIPT, b":1\r\n")])
    assert client.send(f"EVALSHA {SHA} 0") == [1]
    assert client.send(SCRIPT) == [1]


def test_a_script_that_was_not_known_is_not_known_again_until_it_is_loaded() -> None:
    client = answering([
        (f"EVALSHA {SHA} 0", b"-NOSCRIPT No matching script.\r\n"), ([b"SCRIPT", b"LOAD", b"return 1"], bulk(SHA)),
        (f"EVALSHA {SHA} 0", b":1\r\n"),
    ])  # fmt: skip
    assert client.send(f"EVALSHA {SHA} 0")[0]["error"].startswith("NOSCRIPT")
    assert client.send([b"SCRIPT", b"LOAD", b"return 1"], f"EVALSHA {SHA} 0") == [SHA, 1]
    assert client.send(f"SCRIPT EXISTS {SHA}") == [[1]]
    assert client.send(f"EVALSHA {'a' * 40} 0")[0]["error"].startswith("NOSCRIPT")


def test_a_blocking_command_waits_for_the_write_that_it_waited_for() -> None:
    hall = hall_of(recorded(
        ("BLPOP q 5", b"", 1), ("RPUSH q job", b":1\r\n", 2), ("", b"*2\r\n" + bulk("q") + bulk("job"), 1),
    ))  # fmt: skip
    worker, app = Client(hall), Client(hall)
    worker.session.feed(b"*3\r\n$5\r\nBLPOP\r\n$1\r\nq\r\n$1\r\n5\r\n")
    assert 0 < worker.session.delay <= 5
    assert worker.session.awaits
    assert app.send("RPUSH q job") == [1]
    assert not worker.session.awaits
    assert worker.heard() == [["q", "job"]]


def test_a_blocking_command_without_an_answer_waits_a_second_at_most() -> None:
    client = answering([("BLPOP q 9", b""), ("", b"*-1\r\n")])
    client.session.feed(b"*3\r\n$5\r\nBLPOP\r\n$1\r\nq\r\n$1\r\n9\r\n")
    assert client.session.delay == 1.0


PUBLISHED: list[Said] = [
    ("SUBSCRIBE news", b"*3\r\n" + bulk("subscribe") + bulk("news") + b":1\r\n", 2), ("SET a 1", S),
    ("", b"*3\r\n" + bulk("message") + bulk("news") + bulk("from elsewhere"), 2), ("GET a", bulk("1")),
    ("PUBLISH news mine", b":1\r\n"), ("", b"*3\r\n" + bulk("message") + bulk("news") + bulk("mine"), 2),
]  # fmt: skip


def test_messages_come_after_what_they_followed_and_to_whom_it_concerns() -> None:
    hall = hall_of(recorded(*PUBLISHED))
    app, listener, by_pattern = Client(hall), Client(hall), Client(hall)
    assert listener.send("SUBSCRIBE news") == [["subscribe", "news", 1]]
    assert by_pattern.send("PSUBSCRIBE n[a-e]?s") == [["psubscribe", "n[a-e]?s", 1]]
    assert listener.heard() == []
    app.send("SET a 1")
    assert listener.heard() == [["message", "news", "from elsewhere"]]
    app.send("SET a 1")  # once
    assert listener.heard() == []
    app.send("PUBLISH news mine")
    assert listener.heard() == [["message", "news", "mine"]]
    assert by_pattern.heard() == [["pmessage", "n[a-e]?s", "news", "from elsewhere"],
                                  ["pmessage", "n[a-e]?s", "news", "mine"]]  # fmt: skip


def test_a_message_waits_for_its_subscriber() -> None:
    hall = hall_of(recorded(*PUBLISHED))
    app, listener = Client(hall), Client(hall)
    app.send("SET a 1")
    assert listener.send("SUBSCRIBE news") == [["subscribe", "news", 1], ["message", "news", "from elsewhere"]]


def test_subscriptions_are_counted_and_allow_little_else_in_resp2() -> None:
    client = answering([])
    assert client.send("SUBSCRIBE a b", "PSUBSCRIBE c*", "SSUBSCRIBE d") == [
        ["subscribe", "a", 1], ["subscribe", "b", 2], ["psubscribe", "c*", 3], ["ssubscribe", "d", 1],
    ]  # fmt: skip
    assert client.send("PING", "PING x") == [["pong", ""], ["pong", "x"]]
    assert client.send("GET a")[0]["error"].startswith("ERR Can't execute 'get'")
    assert client.send("UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE", "UNSUBSCRIBE") == [
        ["unsubscribe", "a", 2], ["unsubscribe", "b", 1], ["punsubscribe", "c*", 0], ["sunsubscribe", "d", 0],
        ["unsubscribe", None, 0],
    ]  # fmt: skip


def test_the_connection_is_simulated() -> None:
    client = answering([])
    assert client.send("AUTH x", "AUTH u x", "PING", "ECHO hi", "SELECT 2", "CLIENT SETNAME me", "CLIENT GETNAME") == [
        OK, OK, {"simple": "PONG"}, "hi", OK, OK, "me",
    ]  # fmt: skip
    (hello,) = client.send("HELLO 3 AUTH u x SETNAME you")
    assert dict(map(tuple, hello["map"]))["proto"] == 3
    assert client.send("CLIENT GETNAME", "RESET", "CLIENT GETNAME") == ["you", {"simple": "RESET"}, None]
    assert client.send("HELLO 9")[0]["error"].startswith("NOPROTO")
    assert client.send("CLIENT REPLY OFF", "PING", "CLIENT REPLY ON", "PING") == [OK, {"simple": "PONG"}]
    assert client.send("CLIENT REPLY SKIP", "PING", "ECHO x") == ["x"]
    assert client.send("INFO")[0].startswith("# Server")
    assert client.send("CONFIG GET save", "COMMAND", "SLOWLOG GET")[:2] == [[], []]
    assert client.send("QUIT") == [OK]
    assert client.session.closing


def test_what_the_server_said_of_itself_comes_again() -> None:
    client = answering([
        ("INFO", bulk("redis_version:9\r\n")), ("CONFIG GET maxmemory", b"*2\r\n" + bulk("maxmemory") + bulk("7")),
        ("CLIENT SETINFO LIB-NAME x", b"-ERR unknown subcommand\r\n"),
        ("SELECT 99", b"-ERR DB index is out of range\r\n"),
    ])  # fmt: skip
    assert client.send("info", "config get maxmemory") == ["redis_version:9\r\n", ["maxmemory", "7"]]
    assert client.send("CLIENT SETINFO LIB-NAME x", "SELECT 99") == [
        {"error": "ERR unknown subcommand"}, {"error": "ERR DB index is out of range"},
    ]  # fmt: skip
    assert client.send("HELLO 3", "config get maxmemory")[1] == {"map": [["maxmemory", "7"]]}


@pytest.mark.parametrize(("command", "two", "three"), [
    ("HGETALL h", ["a", "1"], {"map": [["a", "1"]]}),
    ("SMEMBERS s", ["a"], {"set": ["a"]}),
    ("ZSCORE z a", "1.5", {"double": "1.5"}),
    ("ZRANGE z 0 -1 WITHSCORES", ["a", "1.5"], [["a", {"double": "1.5"}]]),
    ("ZRANGE z 0 -1", ["a"], ["a"]),
    ("ZPOPMIN z", ["a", "1"], ["a", {"double": "1"}]),
    ("ZPOPMIN z 2", ["a", "1", "b", "2"], [["a", {"double": "1"}], ["b", {"double": "2"}]]),
    ("XREAD STREAMS s 0", [["s", [["1-1", ["k", "v"]]]]], {"map": [["s", [["1-1", ["k", "v"]]]]]}),
    ("XREAD STREAMS s 9", {"null": "array"}, None),
    ("GEOPOS g a b", [["1.5", "2"], {"null": "array"}], [[{"double": "1.5"}, {"double": "2"}], None]),
    ("GET a", None, None),
    ("BLPOP a 1", {"null": "array"}, None),
    ("HRANDFIELD h 1 WITHVALUES", ["a", "1"], [["a", "1"]]),
    ("BZPOPMIN z 1", ["z", "a", "1"], ["z", "a", {"double": "1"}]),
    ("ZADD z INCR 1 a", "2", {"double": "2"}),
    ("MGET a b", ["1", None], ["1", None]),
])  # fmt: skip
def test_an_answer_is_given_in_the_other_version(command: str, two: Any, three: Any) -> None:
    from wiretape_capture.protocols.redis.writing import write

    up = answering([(command, write(two, 2))])
    up.send("HELLO 3")
    assert up.send(command) == [three]
    down = answering([(command, write(three, 3))], resp=3)
    assert down.send(command) == [two]


def test_a_command_that_was_part_of_a_transaction_is_told_beside_that() -> None:
    queued = b"+QUEUED\r\n"
    client = answering([("INCRBY other:1 2", b":2\r\n"), ("MULTI", S), ("RPUSH queue job", queued),
                        ("INCRBY sold:3 2", queued), ("EXEC", b"*2\r\n:1\r\n:2\r\n")])  # fmt: skip
    (miss,) = client.send("INCRBY sold:3 2")
    assert "transaction was 'MULTI RPUSH queue ?; INCRBY sold:{n} ?', is absent or NULL" in miss["error"]
    (other,) = client.send("INCRBY sold:4 2")
    assert "transaction was" not in other["error"]


def test_what_is_not_known_in_the_other_version_is_a_miss_and_no_guess() -> None:
    client = answering([("XINFO STREAM s", b"*2\r\n" + bulk("length") + b":1\r\n"), ("MODULE.GET x", bulk("1"))])
    client.send("HELLO 3")
    for command in ("XINFO STREAM s", "MODULE.GET x"):
        assert "was recorded in RESP2 and is not known in RESP3" in client.send(command)[0]["error"]
    assert client.session.hall.desk.journal.tally.miss == 2


def test_what_was_too_large_to_keep_is_a_miss() -> None:
    client = answering([("GET large", b"$%d\r\n" % (17 << 20) + bytes(17 << 20) + b"\r\n")])
    assert "too large to keep" in client.send("GET large")[0]["error"]


def test_an_invalidation_comes_to_who_tracks() -> None:
    hall = hall_of(recorded(
        ("CLIENT TRACKING ON", S), ("GET a", bulk("1")), ("SET a 2", S, 2),
        ("", b">2\r\n" + bulk("invalidate") + b"*1\r\n" + bulk("a"), 1), resp=3,
    ))  # fmt: skip
    tracking, other = Client(hall), Client(hall)
    tracking.send("HELLO 3", "CLIENT TRACKING ON", "GET a")
    other.send("SET a 2")
    assert tracking.heard() == [{"push": ["invalidate", ["a"]]}]
    assert other.heard() == []


def test_what_changes_the_server_is_matched_and_not_simulated() -> None:
    client = answering([("CONFIG SET maxmemory 7", S), ("CONFIG SET requirepass hunter2", S)])
    assert client.send("config set maxmemory 7", "CONFIG SET requirepass another") == [OK, OK]
    assert "arg/3 was '7', is '8'" in client.send("CONFIG SET maxmemory 8")[0]["error"]
    tally = client.session.hall.desk.journal.tally
    assert (tally.exact, tally.miss, tally.simulated) == (2, 1, 0)
