"""What is the same statement and what is a miss, by a real client against the mock of a small recording."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

import asyncpg
import psycopg
import psycopg2
import pytest
from database_kit import exchanges, journal, mocking, recording
from postgres_server import Server

pytestmark = pytest.mark.xdist_group("postgres")  # one server for all

Ask = Callable[[psycopg.Connection], Any]


def recorded(connection: psycopg.Connection) -> None:
    connection.execute("drop table if exists stock")
    connection.execute("create table stock (sku text primary key, qty int, note text, key uuid, at timestamptz)")
    connection.commit()
    connection.execute("insert into stock (sku, qty) values ('a', 1), ('b', 2)")
    connection.commit()
    for sku in ("a", "b", "a"):
        connection.execute("select qty from stock where sku = %s", (sku,))
    connection.execute("update stock set qty = 5 where sku = %s", ("a",))
    connection.execute("select qty from stock where sku = %s", ("a",))
    connection.execute("select count(*) from stock where sku in (%s, %s)", ("a", "b"))
    connection.execute("update stock set key = %s, at = %s where sku = 'b'", (uuid.uuid4(), datetime.now(UTC)))
    connection.execute("select sku, key from stock where sku = 'b'")
    connection.execute("select qty from stock order by sku limit 1")
    connection.commit()


@pytest.fixture
async def tape(postgres: Server, tmp_path: Path) -> Path:
    def work(url: str) -> None:
        with psycopg.connect(url) as connection:
            recorded(connection)

    async with recording(tmp_path, postgres.dsn) as job:
        await asyncio.to_thread(work, job.environment["WIRETAPE_DB_URL"])
    return tmp_path


async def asked(folder: Path, ask: Ask, **options: Any) -> Any:
    """What a program gets from the mock."""

    def work(url: str) -> Any:
        with psycopg.connect(url, autocommit=True, **options) as connection:
            return ask(connection)

    async with mocking(folder, "postgres://127.0.0.1:9/x") as job:
        return await asyncio.to_thread(work, job.environment["WIRETAPE_DB_URL"])


def one(connection: psycopg.Connection, sql: str, *values: Any) -> Any:
    row = connection.execute(sql, values or None).fetchone()
    return row and row[0]


@pytest.mark.parametrize(
    "sql",
    [
        "select qty from stock where sku = %s",
        "SELECT qty\n FROM stock -- why\n WHERE sku=%s;",
        "/* traceparent='00-1234' */ select qty from \"stock\" where sku = %s",
    ],
)
@pytest.mark.parametrize("prepare", [True, False])
async def test_spelling_and_preparing_do_not_count(tape: Path, sql: str, prepare: bool) -> None:
    def ask(connection: psycopg.Connection) -> Any:
        row = connection.execute(sql, ("b",), prepare=prepare).fetchone()
        return row and row[0]

    assert await asked(tape, ask) == 2


async def test_a_value_in_the_text_and_a_bound_one_are_the_same(tape: Path) -> None:
    assert await asked(tape, lambda c: one(c, "select qty from stock where sku = 'b'")) == 2
    assert await asked(tape, lambda c: one(c, "select qty from stock order by sku limit %s", 1)) == 5


async def test_members_of_a_set_have_no_order(tape: Path) -> None:
    assert await asked(tape, lambda c: one(c, "select count(*) from stock where sku in (%s, %s)", "b", "a")) == 2


async def test_an_answer_after_a_write_comes_after_it(tape: Path) -> None:
    def ask(connection: psycopg.Connection) -> Any:
        before = [one(connection, "select qty from stock where sku = %s", "a") for _ in range(3)]
        connection.execute("update stock set qty = 5 where sku = %s", ("a",))
        return before, [one(connection, "select qty from stock where sku = %s", "a") for _ in range(2)]

    assert await asked(tape, ask) == ([1, 1, 1], [5, 5])


async def test_generated_values_are_normalized_and_come_back(tape: Path) -> None:
    mine = uuid.uuid4()

    def ask(connection: psycopg.Connection) -> Any:
        connection.execute("update stock set key = %s, at = %s where sku = 'b'", (mine, datetime.now(UTC)))
        return connection.execute("select sku, key from stock where sku = 'b'").fetchone()

    assert await asked(tape, ask) == ("b", mine)
    normalized = [each for each in journal(tape) if each.tier == "normalized"]
    assert normalized
    assert {one.where for one in normalized[0].normalized} == {"bind/1", "bind/2"}


@pytest.mark.parametrize(
    ("sql", "values", "detail"),
    [
        ("select qty from stock where sku = %s", ("c",), "bind/1 was 'a', is 'c'"),
        ("select qty, note from stock where sku = %s", ("a",), "statement was 'select qty from stock where sku = ?'"),
        ("update stock set qty = 6 where sku = %s", ("a",), "bind/1 was '5', is '6'"),
    ],
)
async def test_a_changed_statement_is_one_miss_that_names_the_nearest(
    tape: Path, sql: str, values: tuple[str, ...], detail: str
) -> None:
    def ask(connection: psycopg.Connection) -> Any:
        try:
            connection.execute(sql, values)
        except psycopg.Error as error:
            failed = error
        return failed.sqlstate, failed.diag.message_detail, one(connection, "select qty from stock where sku = %s", "b")

    code, told, after = await asked(tape, ask)
    assert code == "WT001"
    assert detail in told
    assert after == 2
    assert [each.tier for each in journal(tape) if each.tier != "simulated"] == ["miss", "exact"]


async def test_a_miss_fails_the_transaction_as_an_error_does(tape: Path) -> None:
    def ask(connection: psycopg.Connection) -> Any:
        seen = []
        connection.autocommit = False
        for sql in ("select 'new' from stock", "select qty from stock where sku = 'b'"):
            try:
                connection.execute(sql)
            except psycopg.Error as error:
                seen.append(error.sqlstate)
        connection.rollback()
        return seen, one(connection, "select qty from stock where sku = 'b'")

    assert await asked(tape, ask) == (["WT001", "25P02"], 2)


@pytest.mark.parametrize(
    ("sql", "answer"),
    [
        ("select 1", 1), ("select current_database()", "x"), ("show server_version", None), ("show timezone", None),
        ("show transaction isolation level", "read committed"), ("select version()", None),
    ],
)  # fmt: skip
async def test_probes_of_drivers_and_pools_are_answered(tape: Path, sql: str, answer: Any) -> None:
    found = await asked(tape, lambda c: one(c, sql))
    assert found
    assert answer is None or str(found) == str(answer)
    assert {each.tier for each in journal(tape)} == {"simulated"}


SETTINGS = (
    ("begin", "set local time zone 'Asia/Tokyo'", "commit"),
    ("begin", "set local time zone 'Asia/Tokyo'", "rollback"),
    ("begin", "set time zone 'Asia/Tokyo'", "rollback"),
    ("begin", "set time zone 'Asia/Tokyo'", "set local timezone to 'UTC'", "commit"),
    ("begin", "set local search_path = pg_catalog", "set search_path = public", "end"),
    ("set application_name = 'till'", "begin", "set local application_name = 'desk'", "select 1/0", "commit"),
    ("begin", "set local time zone 'Asia/Tokyo'", "set local time zone default", "abort"),
    ("begin", "savepoint a", "set local time zone 'Asia/Tokyo'", "savepoint b", "set time zone 'UTC'",
     "rollback to a", "set local datestyle = 'ISO, DMY'", "release a", "commit"),
    ("begin", "savepoint a", "set time zone 'Asia/Tokyo'", "release savepoint a", "commit"),
    ("begin", "set time zone 'Asia/Tokyo'", "reset all", "commit"),
    ("set local time zone 'Asia/Tokyo'", "reset timezone"),
)  # fmt: skip
"""Statements of one connection after the other's; what is in force is asked for after each."""


def settled(connection: psycopg.Connection) -> list[Any]:
    """What a client is told of its settings, by reports and when it asks."""
    told: list[Any] = []
    connection.add_notice_handler(lambda notice: told.append(notice.sqlstate))
    for sql in (sql for script in SETTINGS for sql in (*script, "reset all")):
        try:
            connection.execute(sql, prepare=False)
        except psycopg.Error as error:
            told.append(error.sqlstate)
        names = ("TimeZone", "application_name", "DateStyle")
        told.append([sql, *(connection.info.parameter_status(name) for name in names)])
        if connection.info.transaction_status is not psycopg.pq.TransactionStatus.INERROR:
            told[-1] += [one(connection, f"show {name}") for name in ("timezone", "search_path", "application_name")]
    return told


async def test_settings_end_with_their_transaction_as_at_the_server(postgres: Server, tmp_path: Path) -> None:
    def divide(url: str) -> None:
        with psycopg.connect(url, autocommit=True) as connection, pytest.raises(psycopg.Error):
            connection.execute("select 1/0")

    def real() -> list[Any]:
        with psycopg.connect(postgres.dsn, autocommit=True, application_name="app") as connection:
            return settled(connection)

    async with recording(tmp_path, postgres.dsn) as job:
        await asyncio.to_thread(divide, job.environment["WIRETAPE_DB_URL"])
    assert await asked(tmp_path, settled, application_name="app") == await asyncio.to_thread(real)


async def test_what_a_reset_takes_from_a_connection_is_gone(tape: Path) -> None:
    async def work(url: str) -> None:
        connection = await asyncpg.connect(url.replace("sslmode=disable", "ssl=disable"))
        zone = connection.get_settings().TimeZone
        await connection.execute("set time zone 'Asia/Tokyo'; set my.own = 'x'; listen news")
        assert (connection.get_settings().TimeZone, await connection.fetchval("show my.own")) == ("Asia/Tokyo", "x")
        await connection.execute("set time zone default")
        assert connection.get_settings().TimeZone == zone
        await connection.execute("set time zone 'Asia/Tokyo'")
        await connection.reset()
        assert connection.get_settings().TimeZone == zone
        with pytest.raises(asyncpg.PostgresError):
            await connection.fetchval("show my.own")
        await connection.execute("set my.own = 'y'; listen news")  # after a reset that found nothing to do
        await connection.reset()
        await connection.reset()
        await connection.execute("set my.own = 'z'")
        await connection.reset()
        with pytest.raises(asyncpg.PostgresError):
            await connection.fetchval("show my.own")
        held = await connection.prepare("select 1")
        assert await held.fetchval() == 1
        await connection.execute("DISCARD PLANS; DISCARD TEMP -- not all")
        assert await held.fetchval() == 1
        await connection.execute("DEALLOCATE ALL -- really")
        with pytest.raises(asyncpg.InvalidSQLStatementNameError):
            await held.fetchval()
        assert await connection.fetchval("select pg_advisory_unlock_all()") is None  # in binary: void
        async with connection.transaction():
            with pytest.raises(asyncpg.ActiveSQLTransactionError):
                await connection.execute("discard all")
        await connection.close()

    async with mocking(tape, "postgres://127.0.0.1:9/x") as job:
        await work(job.environment["WIRETAPE_DB_URL"])
    assert {each.tier for each in journal(tape)} == {"simulated", "miss"}
    assert "select pg_advisory_unlock_all()" in {each.location for each in journal(tape)}


async def test_the_row_that_a_write_finds_is_not_told_from_what_it_makes_of_it(
    postgres: Server, tmp_path: Path
) -> None:
    def quantities(connection: psycopg.Connection[Any], *numbers: int) -> list[Any]:
        return [one(connection, "select qty from raised where id = %s", each) for each in numbers]

    def first(url: str) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("create temporary table raised as select n as id, n as qty from generate_series(1, 2) n")
            assert quantities(connection, 2, 1, 2) == [2, 1, 2]
            connection.execute("update raised set qty = qty + 1 where id = 2")
            assert quantities(connection, 2, 2) == [3, 3]

    def work(url: str) -> list[Any]:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("update raised set qty = qty + 1 where id = 2")
            return quantities(connection, 2, 1, 2)

    async with recording(tmp_path, postgres.dsn) as job:
        await asyncio.to_thread(first, job.environment["WIRETAPE_DB_URL"])
    async with mocking(tmp_path, "postgres://127.0.0.1:9/x") as mock:
        assert await asyncio.to_thread(work, mock.environment["WIRETAPE_DB_URL"]) == [3, 1, 3]


async def test_threads_read_what_they_wrote(postgres: Server, tmp_path: Path) -> None:
    def one(url: str, number: int) -> list[Any]:
        seen = []
        with psycopg.connect(url) as connection:
            for turn in range(10):
                sku = f"w{number}-{turn}"
                connection.execute("insert into stock (sku, qty) values (%s, %s)", (sku, turn))
                seen.append(connection.execute("select qty from stock where sku = %s", (sku,)).fetchone())
                connection.execute("update stock set qty = qty + %s where sku = %s", (number, sku))
                seen.append(connection.execute("select qty from stock where sku = %s", (sku,)).fetchone())
                connection.commit()
        return seen

    async def all_of_them(url: str) -> list[list[Any]]:
        return await asyncio.gather(*(asyncio.to_thread(one, url, number) for number in range(6)))

    def table(url: str) -> None:
        with psycopg.connect(url) as connection:
            connection.execute("drop table if exists stock")
            connection.execute("create table stock (sku text primary key, qty int)")

    async with recording(tmp_path, postgres.dsn) as job:
        await asyncio.to_thread(table, job.environment["WIRETAPE_DB_URL"])
        recorded = await all_of_them(job.environment["WIRETAPE_DB_URL"])
    async with mocking(tmp_path, "postgres://127.0.0.1:9/x") as mock:
        assert await all_of_them(mock.environment["WIRETAPE_DB_URL"]) == recorded
    assert mock.result is not None
    assert mock.result.tally.exact == 6 * 10 * 4


async def test_another_driver_gets_the_same(tape: Path) -> None:
    async def with_asyncpg(url: str) -> Any:
        connection = await asyncpg.connect(url)
        found = [await connection.fetchval("select qty from stock where sku = $1", sku) for sku in ("a", "b")]
        await connection.close()
        return found

    def with_psycopg2(url: str) -> Any:
        with psycopg2.connect(url) as connection, connection.cursor() as cursor:
            cursor.execute("select qty from stock where sku = %s", ("b",))
            return cursor.fetchone()

    async with mocking(tape, "postgres://127.0.0.1:9/x") as job:
        url = job.environment["WIRETAPE_DB_URL"]
        assert await with_asyncpg(url.replace("sslmode=disable", "ssl=disable")) == [1, 2]
        assert await asyncio.to_thread(with_psycopg2, url) == (2,)


async def test_an_unknown_database_is_recorded_and_refused_again(postgres: Server, tmp_path: Path) -> None:
    def login(url: str) -> str:
        with pytest.raises(psycopg.OperationalError) as raised:
            psycopg.connect(url, user="shop")
        return str(raised.value).rpartition("FATAL:")[2]

    url = postgres.dsn.rpartition("/")[0] + "/nowhere"
    async with recording(tmp_path, url) as job:
        first = await asyncio.to_thread(login, job.environment["WIRETAPE_DB_URL"])
    assert 'database "nowhere" does not exist' in first
    (refused,) = await exchanges(tmp_path / "tape.tape")
    assert (refused.command, refused.location, refused.status) == ("CONNECT", "nowhere", "3D000")
    async with mocking(tmp_path, "postgres://127.0.0.1:9/nowhere") as mock:
        assert await asyncio.to_thread(login, mock.environment["WIRETAPE_DB_URL"]) == first
    assert [(each.command, each.tier, each.status) for each in journal(tmp_path)] == [("CONNECT", "simulated", "3D000")]


async def test_an_error_on_an_idle_connection_comes_after_what_it_had_run(postgres: Server, tmp_path: Path) -> None:
    ended = Event()

    def work(url: str) -> list[Any]:
        came: list[Any] = []
        with psycopg.connect(url, autocommit=True) as other, psycopg.connect(url) as connection:
            pid = connection.execute("select pg_backend_pid(), 'mine'").fetchone()
            connection.execute("select 1 + 1")
            connection.commit()
            connection.execute("select 2 + 2")
            connection.rollback()
            if not ended.is_set():
                with psycopg.connect(postgres.dsn, autocommit=True) as admin:
                    assert pid is not None
                    admin.execute("select pg_terminate_backend(%s, 20000)", (pid[0],))
                ended.set()
            came.append(one(other, "select 3 + 3"))
            try:
                connection.execute("select 4 + 4")
            except psycopg.OperationalError as error:
                came += [error.sqlstate, connection.closed]
        return [*came, len(came)]

    async with recording(tmp_path, postgres.dsn) as job:
        first = await asyncio.to_thread(work, job.environment["WIRETAPE_DB_URL"])
    assert first == [6, "57P01", True, 3]
    told = [each for each in await exchanges(tmp_path / "tape.tape") if each.command == "DISCONNECT"]
    assert [each.status for each in told] == ["57P01"]
    async with mocking(tmp_path, "postgres://127.0.0.1:9/x") as mock:
        assert await asyncio.to_thread(work, mock.environment["WIRETAPE_DB_URL"]) == first
    assert "miss" not in [each.tier for each in journal(tmp_path)]


async def test_a_login_that_was_refused_is_refused(postgres: Server, tmp_path: Path) -> None:
    def login(url: str) -> str:
        try:
            psycopg.connect(url, user="nobody", password="x")
        except psycopg.OperationalError as error:
            return str(error).rpartition("FATAL:")[2]
        return ""

    async with recording(tmp_path, postgres.dsn) as job:
        first = await asyncio.to_thread(login, job.environment["WIRETAPE_DB_URL"])
    assert "nobody" in first
    async with mocking(tmp_path, "postgres://127.0.0.1:9/shop") as mock:
        assert await asyncio.to_thread(login, mock.environment["WIRETAPE_DB_URL"]) == first
