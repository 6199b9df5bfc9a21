"""Values in both formats, and statements taken apart."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wiretape_capture.protocols.postgres import values
from wiretape_capture.protocols.postgres.cells import from_cell, to_cell
from wiretape_capture.protocols.postgres.sql import cursor_of, statement_of, statements_in

KNOWN = sorted({*values._DECODE, *values.ARRAYS, values.FIRST_OWN})


@pytest.mark.parametrize(
    ("oid", "text"),
    [
        (values.BOOL, "t"), (values.INT2, "-32768"), (values.INT8, "9223372036854775807"), (values.OID, "4294967295"),
        (values.FLOAT8, "1e+20"), (values.FLOAT8, "-0"), (values.FLOAT8, "NaN"), (values.FLOAT8, "0.0001"),
        (values.FLOAT8, "1.2345678901234568e+17"), (values.FLOAT4, "0.1"), (values.FLOAT8, "1e-05"),
        (values.NUMERIC, "-12345.6700"), (values.NUMERIC, "0.0001"), (values.NUMERIC, "10000"), (values.NUMERIC, "0"),
        (values.NUMERIC, "0.00"), (values.NUMERIC, "NaN"), (values.NUMERIC, "100000000.5"), (values.DATE, "1969-12-31"),
        (values.TIME, "23:59:59.000001"), (values.TIMESTAMP, "2024-02-29 00:00:00"), (values.TIMESTAMP, "infinity"),
        (values.TIMESTAMPTZ, "1999-12-31 23:59:59.5+00"), (values.INTERVAL, "1 year 2 mons -3 days 04:05:06.5"),
        (values.INTERVAL, "-00:00:01"), (values.INTERVAL, "00:00:00"), (values.INTERVAL, "30:00:00"),
        (values.UUID, "12345678-1234-4234-8234-1234567890ab"), (values.INET, "10.0.0.1/8"), (values.INET, "::1"),
        (values.CIDR, "10.0.0.0/8"), (values.JSONB, '{"a": [1, null]}'), (values.BYTEA, "\\x00ff"),
        (1009, '{a,"b c",NULL,"NULL","q\\"x\\\\"}'), (1007, "{{1,2},{3,4}}"), (1007, "{}"), (2951, "{}"),
        (1185, '{"2024-02-03 04:05:06+00"}'),
    ],
)  # fmt: skip
def test_a_value_has_one_text_and_one_binary_form(oid: int, text: str) -> None:
    binary = values.to_binary(oid, text)
    assert values.to_text(oid, binary) == text
    cell = to_cell(oid, 1, binary)
    assert cell == text
    assert from_cell(oid, 1, cell) == binary
    assert from_cell(oid, 0, cell) == text.encode()


@example(1700, 1, bytes.fromhex("0000000000010000"))  # a numeric of a sign that does not exist
@given(st.sampled_from([*KNOWN, 0, 3904]), st.integers(0, 1), st.none() | st.binary(max_size=60))
def test_a_cell_gives_its_bytes_back(oid: int, form: int, raw: bytes | None) -> None:
    assert from_cell(oid, form, to_cell(oid, form, raw)) == raw


def test_what_is_only_known_in_binary_is_not_made_up_as_text() -> None:
    cell = to_cell(3904, 1, b"\x02\x00")
    assert cell == {"hex": "0200", "format": 1}
    with pytest.raises(ValueError, match="other format"):
        from_cell(3904, 0, cell)


@given(st.text(max_size=200))
def test_any_text_is_taken_apart(text: str) -> None:
    statement = statement_of(text)
    assert statement.template.count("?") >= len(statement.constants)
    statements_in(text)
    cursor_of(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("select a from t where b = $1", "SELECT  a\nFROM t /* why /* nested */ */ WHERE b='x''y'; -- end"),
        ("select * from t limit $1", "select * from t limit 5"),
        ("insert into t values ($1, $2, $3)", "insert into t values (true, null, -5)"),
        ("select $1", "select E'\\n\\x41'"),
        ("select $1", "select $tag$ it's -- text $tag$"),
        ("select $1", "select U&'d\\0061t'"),
        ('select "id" from "t"', "select id from t"),
        ("select a - $1", "select a - 5"),
    ],
)
def test_statements_that_are_the_same(one: str, other: str) -> None:
    assert statement_of(one).template == statement_of(other).template


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("select a, b", "select b, a"),
        ("select a in (1, 2)", "select a in (1, 2, 3)"),
        ('select "A"', "select a"),
        ("select $1", "select $1::text"),
        ("select a is null", "select a is not null"),
        ("select '--', a", "select a"),
    ],
)
def test_statements_that_are_not(one: str, other: str) -> None:
    assert statement_of(one).template != statement_of(other).template


@pytest.mark.parametrize(
    ("sql", "command", "tables", "writes"),
    [
        ("select * from a join public.b on true", "SELECT", ("a", "b"), False),
        ("insert into a select * from b", "INSERT", ("a", "b"), True),
        ("with x as (select 1 from b) update a set c = 1", "UPDATE", ("a", "b"), True),
        ("delete from only a using b", "DELETE", ("a", "b"), True),
        ("copy a (x) from stdin", "COPY", ("a",), True),
        ("select count(*) from unnest($1)", "SELECT", (), False),
        ("select 1; select 2", "SELECT", (), True),
        ("", "EMPTY", (), False),
    ],
)
def test_command_tables_and_writes(sql: str, command: str, tables: tuple[str, ...], writes: bool) -> None:
    statement = statement_of(sql)
    assert (statement.command, statement.tables, statement.writes) == (command, tables, writes)


RESET = "SELECT pg_advisory_unlock_all();\nCLOSE ALL;\nUNLISTEN *;\nRESET ALL;"


@pytest.mark.parametrize(
    ("sql", "session", "writes"),
    [
        (RESET, True, False),
        ("ROLLBACK;\n" + RESET, True, False),
        ("-- of the pool\n" + RESET.lower() + " /* ; insert */ ;", True, False),
        ("select pg_catalog.pg_advisory_unlock_all(); reset all", True, False),
        ("RESET SESSION AUTHORIZATION; DEALLOCATE ALL; DISCARD TEMP", True, False),
        ("ABORT; DISCARD ALL", True, False),
        ("select 1; RESET ALL", False, False),
        ("show transaction_read_only; select version(); reset all", False, False),
        ("RESET ALL", True, False),
        ("select pg_advisory_unlock_all()", False, False),
        ("select pg_advisory_unlock(5); reset all", False, True),
        ("select pg_advisory_lock(5); select pg_advisory_unlock_all()", False, True),
        ("reset all; select count(*) from a", False, True),
        ("reset all; insert into a values (1)", False, True),
        ("begin; insert into a values (1); commit", False, True),
    ],
)
def test_what_pools_send_of_themselves_concerns_the_connection(sql: str, session: bool, writes: bool) -> None:
    statement = statement_of(sql)
    assert (statement.session, statement.writes) == (session, writes)


def test_constants_are_told_in_order_of_appearance() -> None:
    assert statement_of("select 'it''s', $2, 1.5, -3, null, false, E'\\t', $$x$$").constants == (
        "it's", 2, "1.5", "-3", None, "f", "\t", "x",
    )  # fmt: skip


@pytest.mark.parametrize(
    "sql", ["-- /*", "/* open", "'open", '"open', "$$open", "E'\\", "$", "\0", "select 'a' 'b'", "::"]
)
def test_text_that_is_cut_short_is_no_trouble(sql: str) -> None:
    assert isinstance(statement_of(sql).template, str)
