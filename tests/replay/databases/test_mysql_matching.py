"""What is the same statement and what is a miss, by real clients against the mock of a small recording."""

from __future__ import annotations

import asyncio
import ssl
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mysql.connector
import pymysql
import pytest
from database_kit import journal, mocking, recording
from mysql_client import Client
from mysql_server import PASSWORD, MysqlServer

from wiretape_capture.protocols.mysql import login, packets
from wiretape_capture.protocols.mysql.login import Response
from wiretape_capture.protocols.mysql.values import Type
from wiretape_capture.protocols.mysql.wire import ERR, Capability, Extended, Framer, Status, packet
from wiretape_replay.match.index import IndexBuilder
from wiretape_replay.match.matcher import Matcher
from wiretape_replay.mock.journal import Journal
from wiretape_replay.mock.mysql.desk import MysqlDesk
from wiretape_replay.mock.mysql.recording import MysqlRecording
from wiretape_replay.mock.mysql.session import Session

pytestmark = pytest.mark.xdist_group("mysql")  # one server for all

NOWHERE = "mysql://127.0.0.1:9/shop"
type Cursor = pymysql.cursors.Cursor
type Ask = Callable[[Cursor], Any]


def connect(port: int, **options: Any) -> pymysql.Connection[Any]:
    given = {"user": "shop", "password": PASSWORD, "database": "shop", "autocommit": True, **options}
    return pymysql.connect(host="127.0.0.1", port=port, local_infile=True, **given)


def rows(cursor: Cursor, sql: str, *values: Any) -> Any:
    cursor.execute(sql, values or None)
    return cursor.fetchall()


def recorded(cursor: Cursor, folder: Path) -> None:
    cursor.execute("drop table if exists stock")
    cursor.execute("create table stock (id int auto_increment primary key, sku varchar(20), qty int, price double, "
                   "at datetime(3), code varchar(40), raw blob)")  # fmt: skip
    cursor.execute("insert into stock (sku, qty, price, at, raw) values ('a', 1, 0.5, '2024-02-03 04:05:06.5', X'ff'), "
                   "('b', 2, 1.25, null, null)")  # fmt: skip
    for sku in ("a", "b", "a"):
        cursor.execute("select qty, price, at, raw from stock where sku = %s", (sku,))
    cursor.execute("update stock set qty = 5 where sku = %s", ("a",))
    cursor.execute("select qty, price, at, raw from stock where sku = %s", ("a",))
    cursor.execute("update stock set code = %s where sku = 'b'", (str(uuid.uuid4()),))
    cursor.execute("select sku, code from stock where sku = 'b'")
    cursor.execute("insert into stock (sku) values ('c')")
    cursor.execute("select @@sql_mode")
    (folder / "lines.csv").write_text("l1\nl2\n")
    cursor.execute(f"load data local infile '{folder}/lines.csv' into table stock (sku)")
    for sql in ("insert into stock (id) values (1)", "select missing from stock"):
        with pytest.raises(pymysql.Error):
            cursor.execute(sql)


def prepared(port: int) -> Any:
    login = {"host": "127.0.0.1", "port": port, "user": "shop", "password": PASSWORD, "database": "shop"}
    with mysql.connector.connect(use_pure=True, collation="utf8mb4_general_ci", **login) as connection:
        cursor = connection.cursor(prepared=True)
        cursor.execute("select id, sku, qty, price, at, raw from stock where sku = ? and qty < ?", ("b", 9))
        return cursor.fetchall()


async def bulk(port: int, second: bytes = b"\0\x03two") -> bytes:
    client = await Client.connect(port, extended=Extended.BULK)
    told = await client.prepare("insert into stock (qty, sku) values (?, ?)")
    data = b"".join(b"\0" + n.to_bytes(4, "little") + word for n, word in ((1, b"\0\x03one"), (2, second)))
    client.say(b"\xfa" + told.statement.to_bytes(4, "little") + b"\x80\0" + b"\x03\0\xfe\0" + data)
    said = await client.hear()
    await client.close()
    return said


async def fetched(port: int, count: int) -> list[int]:
    """Numbers of packets that three fetches of `count` rows give, and the flags at the end of the last."""
    client = await Client.connect(port)
    told = await client.prepare("select seq from seq_1_to_5")
    number = told.statement.to_bytes(4, "little")
    (columns,) = await client.ask(b"\x17" + number + b"\x01\x01\0\0\0")
    await client.columns(columns)
    given = []
    for _ in range(2):
        client.say(b"\x1c" + number + count.to_bytes(4, "little"))
        given.append(len(last := await client.rows()))
    await client.close()
    return [*given, packets.read_end(last[-1], client.terms).status & Status.LAST_ROW_SENT]


@pytest.fixture(scope="module")
def tape(mysql: MysqlServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stock")

    def text(port: int) -> None:
        with connect(port) as connection, connection.cursor() as cursor:
            recorded(cursor, folder)

    async def record() -> None:
        async with recording(folder, mysql.dsn) as job:
            await asyncio.to_thread(text, job.port)
            await asyncio.to_thread(prepared, job.port)
            await bulk(job.port)
            assert await fetched(job.port, 3) == [4, 3, Status.LAST_ROW_SENT]
            with pytest.raises(pymysql.OperationalError):
                await asyncio.to_thread(connect, job.port, user="nobody")
        assert job.result is not None
        assert job.result.notes == ()

    asyncio.run(record())
    return folder


async def asked(folder: Path, ask: Ask, **options: Any) -> Any:
    """What a program gets from the mock."""

    def work(port: int) -> Any:
        with connect(port, password="any", **options) as connection, connection.cursor() as cursor:
            return ask(cursor)

    async with mocking(folder, NOWHERE) as job:
        return await asyncio.to_thread(work, job.port)


STOCK = "select qty, price, at, raw from stock where sku = %s"


async def test_spelling_does_not_count(tape: Path) -> None:
    def ask(cursor: Cursor) -> Any:
        return [
            rows(cursor, 'SELECT qty, price,\n at, raw FROM `stock` # why\n WHERE `sku`="b"')[0][0],
            rows(cursor, "/* traceparent='00-1234' */ select qty, price, at, raw from stock where sku = 'b' -- ")[0][0],
            rows(cursor, "select qty, price, at, raw from stock where sku = X'62'")[0][0],
        ]

    assert await asked(tape, ask) == [2, 2, 2]


async def test_a_text_recording_serves_a_client_of_the_binary_protocol_and_the_reverse(tape: Path) -> None:
    async with mocking(tape, NOWHERE) as job:
        client = await Client.connect(job.port, more=Capability.DEPRECATE_EOF)
        told = await client.prepare("select qty, price, at, raw from stock where sku = ?")
        execute = b"\x17" + told.statement.to_bytes(4, "little") + b"\0\1\0\0\0\0\1\xfd\0\1b"
        (count,) = await client.ask(execute)
        columns = await client.columns(count)
        row = (await client.rows())[0]
        await client.close()

        def text(port: int) -> Any:
            with connect(port) as connection, connection.cursor() as cursor:
                return rows(cursor, "select id, sku, qty, price, at, raw from stock where sku = 'b' and qty < 9")

        assert await asyncio.to_thread(text, job.port) == ((2, "b", 2, 1.25, None, None),)
        assert await asyncio.to_thread(prepared, job.port) == [(2, "b", 2, 1.25, None, None)]
    assert [each.type for each in columns] == [Type.LONG, Type.DOUBLE, Type.DATETIME, Type.BLOB]
    assert row == b"\0\x30\2\0\0\0" + bytes(6) + b"\xf4\x3f"


async def test_an_answer_after_a_write_comes_after_it(tape: Path) -> None:
    def ask(cursor: Cursor) -> Any:
        before = [rows(cursor, STOCK, "a")[0][0] for _ in range(3)]
        cursor.execute("update stock set qty = 5 where sku = %s", ("a",))
        return before, [rows(cursor, STOCK, "a")[0][0] for _ in range(2)]

    assert await asked(tape, ask) == ([1, 1, 1], [5, 5])


async def test_generated_values_are_normalized_and_come_back(tape: Path) -> None:
    mine = str(uuid.uuid4())

    def ask(cursor: Cursor) -> Any:
        cursor.execute("update stock set code = %s where sku = 'b'", (mine,))
        return rows(cursor, "select sku, code from stock where sku = 'b'")

    assert await asked(tape, ask) == (("b", mine),)
    assert "normalized" in [each.tier for each in journal(tape)]


@pytest.mark.parametrize(
    ("sql", "values", "detail"),
    [
        (STOCK, ("z",), "bind/1 was 'a', is 'z'"),
        ("select qty, code from stock where sku = %s", ("a",), "statement was"),
        ("update stock set qty = 6 where sku = %s", ("a",), "bind/1 was '5', is '6'"),
    ],
)
async def test_a_changed_statement_is_one_miss_that_names_the_nearest(
    tape: Path, sql: str, values: tuple[str, ...], detail: str
) -> None:
    def ask(cursor: Cursor) -> Any:
        with pytest.raises(pymysql.Error) as missed:
            cursor.execute(sql, values)
        return missed.value.args, rows(cursor, STOCK, "b")[0][0]

    (code, told), after = await asked(tape, ask)
    assert code == 1105
    assert told.startswith("WT001 wiretape: nothing recorded answers this statement")
    assert "is nearest" in told
    assert detail in told
    assert after == 2
    assert [each.tier for each in journal(tape) if each.tier != "simulated"][-2:] == ["miss", "exact"]


async def test_errors_come_back_where_they_came(tape: Path) -> None:
    def ask(cursor: Cursor) -> Any:
        codes = []
        for sql in ("insert into stock (id) values (1)", "select missing from stock"):
            with pytest.raises(pymysql.Error) as failed:
                cursor.execute(sql)
            codes.append(failed.value.args[0])
        return codes

    assert await asked(tape, ask) == [1062, 1054]
    async with mocking(tape, NOWHERE) as job:
        client = await Client.connect(job.port)
        client.say(b"\x16select missing from stock")
        assert packets.read_error(await client.hear()).code == 1054
        client.say(b"\x17\7\0\0\0\0\1\0\0\0")
        assert packets.read_error(await client.hear()).code == 1243
        await client.close()


async def test_the_state_of_a_connection_is_simulated(tape: Path) -> None:
    def ask(cursor: Cursor) -> Any:
        seen: list[Any] = []
        connection = cursor.connection

        def told() -> None:
            seen.append(connection.server_status & (Status.IN_TRANSACTION | Status.AUTOCOMMIT))  # type: ignore[attr-defined]

        for sql in ("begin", "savepoint s", "rollback to savepoint s", "release savepoint s", "commit",
                    "set autocommit = 0", "update stock set qty = 5 where sku = 'a'", "rollback"):  # fmt: skip
            cursor.execute(sql)
            told()
        with pytest.raises(pymysql.OperationalError, match="SAVEPOINT s does not exist"):
            cursor.execute("rollback to s")
        cursor.execute("insert into stock (sku) values ('c')")
        seen.append((cursor.lastrowid, rows(cursor, "select last_insert_id() as id")))
        cursor.execute("set session time_zone = '+02:00', sql_mode = 'ANSI_QUOTES'")
        seen.append(rows(cursor, 'select sku, "code" from "stock" where sku = \'b\'')[0][0])
        seen.append(rows(cursor, "select @@session.time_zone tz, @@transaction_isolation"))
        return seen

    first, last = Status.IN_TRANSACTION | Status.AUTOCOMMIT, Status.AUTOCOMMIT
    assert await asked(tape, ask) == [
        first, first, first, first, last, 0, Status.IN_TRANSACTION, 0, (3, ((3,),)), "b",
        (("+02:00", "REPEATABLE-READ"),),
    ]  # fmt: skip


async def test_probes_of_drivers_are_answered_where_nobody_recorded_them(tape: Path) -> None:
    def ask(cursor: Cursor) -> Any:
        with pytest.raises(pymysql.Error, match="WT001"):
            cursor.execute("select @@nobody_knows")
        return [
            rows(cursor, "select 1"), rows(cursor, "select database()"), rows(cursor, "show warnings"),
            rows(cursor, "show variables like 'lower\\_case%'"), "MariaDB" in rows(cursor, "select version()")[0][0],
            rows(cursor, "SELECT @@session.auto_increment_increment AS inc, @@sql_mode AS m")[0][0],
            cursor.description[0][0],
        ]  # fmt: skip

    assert await asked(tape, ask) == [
        ((1,),), (("shop",),), (), (("lower_case_table_names", "0"),), True, 1, "inc",
    ]  # fmt: skip


async def test_files_bulks_and_cursors_are_matched_by_what_is_in_them(tape: Path) -> None:
    lines = tape / "lines.csv"

    def load(cursor: Cursor) -> Any:
        cursor.execute(f"load data local infile '{lines}' into table stock (sku)")
        return cursor.rowcount

    assert await asked(tape, load) == 2
    lines.write_text("l1\nchanged\n")
    with pytest.raises(pymysql.Error, match="infile was"):
        await asked(tape, load)
    lines.write_text("l1\nl2\n")
    async with mocking(tape, NOWHERE) as job:
        assert (await bulk(job.port))[:2] == b"\0\2"
        other = await bulk(job.port, b"\0\x03six")
        assert other[0] == ERR
        assert "bulk/2 was" in packets.read_error(other).message
        assert await fetched(job.port, 3) == [4, 3, Status.LAST_ROW_SENT]
        assert await fetched(job.port, 4) == [5, 2, Status.LAST_ROW_SENT]


async def test_logins_are_accepted_but_for_one_that_was_refused(tape: Path) -> None:
    async with mocking(tape, NOWHERE) as job:
        with pytest.raises(pymysql.OperationalError, match="Access denied for user 'nobody'"):
            await asyncio.to_thread(connect, job.port, user="nobody")
        context = ssl.create_default_context(cafile=str(tape / "ca" / "bundle.pem"))
        secure = await asyncio.to_thread(connect, job.port, user="else", password="x", ssl=context)
        assert type(secure._sock).__name__ == "SSLSocket"  # type: ignore[attr-defined]
        secure.close()
        client = await Client.connect(job.port)
        client.say(b"\x11else\0\x01ashop\0\x2d\0caching_sha2_password\0")
        assert [await client.good(), (await client.good())[0]] == [b"\x01\x03", 0]
        assert (await client.ask(b"\x1f"))[0] == 0
        client.say(b"\x42")
        assert packets.read_error(await client.hear()).code == 1047
        await client.close()


def test_without_a_recorded_connection_clients_are_greeted_as_mysql_8_does() -> None:
    index = IndexBuilder().finish((), ())
    desk = MysqlDesk("db", index, Matcher(index), MysqlRecording(), Journal(None))
    session = Session(desk, desk.greeting(1, bytes(range(33, 53))))
    greeting = login.read_greeting(session.take()[4:])
    assert (greeting.version, greeting.plugin) == ("8.0.40-wiretape", "caching_sha2_password")
    response = Response(greeting.capabilities & ~Capability.SSL, 1 << 24, 45, "u", b"any", "x", greeting.plugin)
    session.feed(packet(1, login.write_response(response)) + packet(0, b"\x0e"))
    assert [each.beginning[:2] for each in Framer().feed(session.take())] == [b"\1\3", b"\0\0", b"\0\0"]


async def test_many_connections_see_their_own_writes(mysql: MysqlServer, tmp_path: Path) -> None:
    def one(port: int, number: int) -> list[Any]:
        seen = []
        with connect(port) as connection, connection.cursor() as cursor:
            for turn in range(5):
                sku = f"w{number}-{turn}"
                cursor.execute("insert into crowd (sku, qty) values (%s, %s)", (sku, turn))
                seen.append(rows(cursor, "select qty from crowd where sku = %s", sku))
                cursor.execute("update crowd set qty = qty + %s where sku = %s", (number, sku))
                seen.append(rows(cursor, "select qty from crowd where sku = %s", sku))
        return seen

    async def all_of_them(port: int) -> list[list[Any]]:
        return await asyncio.gather(*(asyncio.to_thread(one, port, number) for number in range(5)))

    def table(port: int) -> None:
        with connect(port) as connection, connection.cursor() as cursor:
            cursor.execute("create or replace table crowd (sku varchar(20) primary key, qty int)")

    async with recording(tmp_path, mysql.dsn) as job:
        await asyncio.to_thread(table, job.port)
        first = await all_of_them(job.port)
    async with mocking(tmp_path, NOWHERE) as mock:
        assert await all_of_them(mock.port) == first
    assert mock.result is not None
    assert mock.result.tally.exact == 5 * 5 * 4
