"""What Redis's commands mean: their keys, whether they write, and what is left of them without their values."""

from __future__ import annotations

import pytest

from wiretape_capture.protocols.redis.commands import meaning_of
from wiretape_capture.protocols.redis.template import key_shape, template_of


def words(text: str) -> list[bytes | int]:
    return [word.encode() for word in text.split()]


@pytest.mark.parametrize(("command", "keys", "writes"), [
    ("get a", "a", False), ("SET a 1", "a", True), ("MGET a b", "a b", False), ("MSET a 1 b 2", "a b", True),
    ("DEL a b", "a b", True), ("BLPOP a b 0", "a b", True), ("LMOVE a b LEFT RIGHT", "a b", True),
    ("EVAL script 2 a b c", "a b", True), ("EVAL_RO script 1 a", "a", False), ("ZUNIONSTORE d 2 a b", "d a b", True),
    ("ZUNION 2 a b WEIGHTS 1 2", "a b", False), ("XREAD COUNT 1 STREAMS a b 0 0", "a b", False),
    ("XREADGROUP GROUP g c STREAMS a >", "a", True), ("XGROUP CREATE a g $", "a", True),
    ("OBJECT ENCODING a", "a", False),
    ("BITOP AND d a b", "d a b", True), ("SORT a STORE d", "a d", True), ("SORT a BY w", "a", False),
    ("MIGRATE h 1 a 0 9", "a", True), ("MIGRATE h 1 x 0 9 KEYS a b", "a b", True), ("PUBLISH c m", "", True),
    ("FLUSHALL", "", True), ("KEYS *", "", False), ("INFO", "", False), ("CONFIG SET x y", "", True),
    ("CONFIG GET x", "", False), ("SUBSCRIBE c", "", False), ("JSON.GET a", "a", False), ("JSON.SET a $ 1", "a", True),
    ("NEWCOMMAND a", "a", True), ("EVAL script", "", True), ("GET", "", False), ("LCS a b", "a b", False),
])  # fmt: skip
def test_a_command_has_keys_and_writes_or_does_not(command: str, keys: str, writes: bool) -> None:
    arguments = words(command)
    meaning = meaning_of(arguments)
    assert [arguments[at] for at in meaning.keys] == words(keys)
    assert meaning.writes is writes


@pytest.mark.parametrize(("command", "template"), [
    ("set user:17 x EX 60", "SET user:{n} ? EX ?"), ("MGET user:1 user:2 cart:9", "MGET user:{n} cart:{n}"),
    ("HSET cart:9 a 1 b 2", "HSET cart:{n} ?"), ("HSET cart:9 a 1", "HSET cart:{n} ?"),
    ("ZADD board GT CH 5 a 6 b", "ZADD board GT CH ?"), ("CONFIG GET maxmemory", "CONFIG GET ?"),
    ("XREAD COUNT 2 STREAMS s:1 0", "XREAD COUNT ? STREAMS s:{n} ?"), ("PUBLISH news:9 hi", "PUBLISH news:{n} ?"),
    ("EVAL return 1 k:1", "EVAL 63143b6f ? k:{n}"), ("PING", "PING"), ("SET nx nx", "SET nx ?"),
])  # fmt: skip
def test_a_template_has_no_values(command: str, template: str) -> None:
    assert template_of(words(command)) == template


def test_a_script_has_one_name_however_it_is_called() -> None:
    by_text = template_of([b"EVAL", b"return 1", b"1", b"k"])
    by_hash = template_of([b"EVALSHA", b"e0e1f9fabfc9d4800c877a703b823ac0578ff8db", b"1", b"k"])
    assert by_text == by_hash == "EVAL e0e1f9fa ? k"


@pytest.mark.parametrize(("key", "shape"), [
    ("user:17", "user:{n}"), ("user:17:cart", "user:{n}:cart"),
    ("session:3f2504e0-4f89-11d3-9a0c-0305e82c3301", "session:{uuid}"),
    ("mail:ada@example.org", "mail:{mail}"), ("views:2024-01-02", "views:{time}"),
    ("cache:5f4dcc3b5aa765d61d8327deb882cf99", "cache:{id}"),
    ("product_details_page", "product_details_page"), ("celery", "celery"), ("{user:1}:x", "(user:{n}):x"),
    ("a b", "a_b"),
    ("x" * 300, "x" * 200 + "…"),
])  # fmt: skip
def test_a_key_keeps_what_its_kind_has_in_common(key: str, shape: str) -> None:
    assert key_shape(key.encode()) == shape


def test_a_key_that_is_no_text_has_a_shape() -> None:
    assert key_shape(b"\xff\xfe") == "{binary}"
