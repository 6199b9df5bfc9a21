"""MySQL's values in both protocols, its SQL, and what proves a password."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from hypothesis import given
from hypothesis import strategies as st

from wiretape_capture.databases.mysql_login import Login, Unspoken
from wiretape_capture.protocols.mysql import login, values
from wiretape_capture.protocols.mysql.cells import of_binary, to_binary, to_text
from wiretape_capture.protocols.mysql.packets import Terms
from wiretape_capture.protocols.mysql.sql import params_in, quotes_after, statement_of, statements_in
from wiretape_capture.protocols.mysql.statements import read_binary_row, read_execute, read_query, write_binary_row
from wiretape_capture.protocols.mysql.values import Kind, Type
from wiretape_capture.protocols.mysql.wire import Capability

NATIVE_PROOF = "b32bb3a583e1340c0a1108d58b1be49781ad8c2f"
SHA2_PROOF = "746ebe205d56a0707acb3e796e834e0dd7b1d61743b26bd5202c7a623230c7c9"
"""Of `secret`, as PyMySQL makes them."""
UNSIGNED, ZEROFILL = values.UNSIGNED, values.ZEROFILL


@pytest.mark.parametrize(
    ("kind", "raw", "text"),
    [
        (Kind(Type.TINY), b"\xff", "-1"), (Kind(Type.TINY, UNSIGNED), b"\xff", "255"),
        (Kind(Type.SHORT), b"\0\x80", "-32768"), (Kind(Type.YEAR, UNSIGNED), b"\xe8\x07", "2024"),
        (Kind(Type.INT24), b"\xff\xff\xff\xff", "-1"),
        (Kind(Type.LONG, ZEROFILL | UNSIGNED, 0, 6), b"\x2a\0\0\0", "000042"),
        (Kind(Type.LONGLONG, UNSIGNED), b"\xff" * 8, str(2**64 - 1)),
        (Kind(Type.FLOAT), struct.pack("<f", 1.1), "1.1"), (Kind(Type.DOUBLE), struct.pack("<d", 0.1), "0.1"),
        (Kind(Type.DOUBLE), struct.pack("<d", 5.0), "5"), (Kind(Type.DOUBLE), struct.pack("<d", 1e20), "1e20"),
        (Kind(Type.DOUBLE), struct.pack("<d", -2.5e-7), "-0.00000025"),
        (Kind(Type.DATE), b"\xe8\x07\x02\x03", "2024-02-03"), (Kind(Type.DATE), b"", "0000-00-00"),
        (Kind(Type.DATETIME, decimals=0), b"\xe8\x07\x02\x03", "2024-02-03 00:00:00"),
        (Kind(Type.DATETIME, decimals=3), b"\xe8\x07\x02\x03\4\5\6" + (7000).to_bytes(4, "little"),
         "2024-02-03 04:05:06.007"),
        (Kind(Type.TIMESTAMP), b"\xe8\x07\x02\x03\4\5\6", "2024-02-03 04:05:06"),
        (Kind(Type.TIME), b"\1\1\0\0\0\6\7\x08", "-30:07:08"), (Kind(Type.TIME), b"", "00:00:00"),
        (Kind(Type.NEWDECIMAL), b"1.500", "1.500"), (Kind(Type.JSON), b'{"a": 1}', '{"a": 1}'),
    ],
)  # fmt: skip
def test_a_binary_value_has_the_text_that_the_server_would_send(kind: Kind, raw: bytes, text: str) -> None:
    assert of_binary(kind, raw) == text
    assert to_binary(kind, text) == raw
    assert to_text(kind, text) == text.encode()


@given(st.floats())
def test_a_number_keeps_its_bits(value: float) -> None:
    raw = struct.pack("<d", value)
    assert to_binary(Kind(Type.DOUBLE), of_binary(Kind(Type.DOUBLE), raw)) == raw


@given(st.sampled_from(sorted(values.KNOWN)), st.binary(max_size=20), st.integers(0, 0xFFFF), st.integers(0, 40))
def test_any_value_comes_back(code: int, raw: bytes, flags: int, decimals: int) -> None:
    size = values.INTEGERS.get(code) or values.FLOATS.get(code)
    raw = raw.ljust(size, b"\0")[:size] if size else raw
    kind = Kind(code, flags, decimals)
    assert to_binary(kind, of_binary(kind, raw)) == raw


def test_a_binary_row_comes_back() -> None:
    kinds = [Kind(Type.LONG), Kind(Type.VAR_STRING), Kind(Type.DATETIME), Kind(Type.DOUBLE)] * 3
    raws = [b"\1\0\0\0", b"abc", None, struct.pack("<d", 2)] * 3
    row = write_binary_row([(kind.type, raw) for kind, raw in zip(kinds, raws, strict=True)])
    assert read_binary_row(row, kinds) == ["1", "abc", None, "2"] * 3


def test_attributes_are_no_parameters() -> None:
    terms = Terms(Capability.QUERY_ATTRIBUTES)
    attribute = b"\1\1\0\1\xfd\0\x05trace\x02ab"
    assert read_query(b"\x03" + attribute + b"select 1", terms).attributes == {"trace": "ab"}
    assert read_query(b"\x03" + attribute + b"select 1", terms).sql == "select 1"
    sent = b"\x17\1\0\0\0\x08\1\0\0\0\x02\0\1\x03\0\0\xfd\0\x05trace" + (9).to_bytes(4, "little") + b"\x02ab"
    executed = read_execute(sent, terms, 1, (), {})
    assert (executed.params, executed.attributes) == (["9"], {"trace": "ab"})


@pytest.mark.parametrize(
    ("sql", "template", "constants"),
    [
        ("SELECT `Id` FROM `shop`.`Items` -- no\n WHERE a='x\\'y' # end",
         "select id from shop.items where a = ?", ("x'y",)),
        ('select "a""b", \'it\'\'s\'', "select ?, ?", ('a"b', "it's")),
        ("select 5-1, -1", "select ? - ?, ?", ("5", "1", "-1")),
        ("select X'41', 0x4142, b'101', _binary'x', N'y'", "select ?, ?, ?, ?, ?", ("A", "AB", "5", "x", "y")),
        ("select 0.5e0, 1e20, 2.50", "select ?, ?, ?", ("0.5", "1e20", "2.50")),
        ("select /* trace */ /*! straight_join */ a", "select /*! straight_join */ a", ()),
        ("select /*+ NO_ICP(t) */ a from t where b <=> null",
         "select /*+ no_icp(t) */ a from t where b <=> ?", (None,)),
        ("insert into t values (?, true, @x, ?)", "insert into t values (?, ?, @x, ?)", (1, "1", 2)),
        ("select @@session.sql_mode, `odd name`", "select @@session.sql_mode, `odd name`", ()),
        ("select '\\Z\\0\\n\\%'", "select ?", ("\x1a\0\n\\%",)),
    ],
)  # fmt: skip
def test_a_statement_is_its_template_and_its_constants(sql: str, template: str, constants: tuple[Any, ...]) -> None:
    found = statement_of(sql)
    assert (found.template, found.constants) == (template, constants)


def test_what_a_statement_is_about() -> None:
    assert statement_of("replace into `a`.`B` select * from c").tables == ("b", "c")
    assert statement_of("/*!40101 SET NAMES utf8 */").session
    assert statement_of("START TRANSACTION").session
    assert statement_of("SET NAMES utf8mb4; set autocommit = 1").session
    assert not statement_of("set names utf8mb4; select @@tx_isolation, @@session.sql_mode").writes
    assert statement_of("set @a = 1; delete from t").writes
    assert statement_of("call p(1)").writes
    assert not statement_of("show tables").writes
    assert params_in(statement_of("select ? + ?, '?'")) == 2
    assert statements_in("select 1;\nselect ';' ;") == ["select 1", "select ';'"]
    assert quotes_after("set session sql_mode = 'ANSI_QUOTES,STRICT_ALL_TABLES'", ansi=False)
    assert not quotes_after("set sql_mode=''", ansi=True)
    assert statement_of('select "a" from "T" where b = \'x\'', ansi=True).template == "select a from t where b = ?"


@given(st.text(max_size=80))
def test_any_text_is_taken_apart(sql: str) -> None:
    found = statement_of(sql)
    assert statement_of(sql) == found


def test_a_password_is_proved_as_the_server_expects() -> None:
    scramble = bytes(range(1, 21))
    assert login.proof_of(login.NATIVE, "secret", scramble) == bytes.fromhex(NATIVE_PROOF)
    assert login.proof_of(login.CACHING_SHA2, "secret", scramble) == bytes.fromhex(SHA2_PROOF)
    assert login.proof_of(login.NATIVE, "", scramble) == b""


def test_a_full_login_goes_encrypted_or_through_tls() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    scramble, oaep = bytes(range(1, 21)), padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)
    one = Login("s3cret", scramble, secure=False)
    assert one.first("caching_sha2_password")[0] == "caching_sha2_password"
    assert one.reply(b"\x01\x03") is None
    assert one.reply(b"\x01\x04") == b"\x02"
    sent = key.decrypt(one.reply(b"\x01" + pem) or b"", oaep)
    assert bytes(a ^ b for a, b in zip(sent, scramble, strict=False)) == b"s3cret\0"
    secure = Login("s3cret", scramble, secure=True)
    secure.first("caching_sha2_password")
    assert secure.reply(b"\x01\x04") == b"s3cret\0"
    with pytest.raises(Unspoken, match="client_ed25519"):
        one.reply(b"\xfeclient_ed25519\0" + bytes(32))
