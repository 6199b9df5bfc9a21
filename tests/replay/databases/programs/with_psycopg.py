"""psycopg 3: formats, preparing, pipelines, COPY, cursors, errors, savepoints, notifications. Prints what it sees."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.types.enum import EnumInfo
from psycopg.types.json import Jsonb

URL = sys.argv[1] if len(sys.argv) > 1 else os.environ["DB_URL"]


def failing(connection: psycopg.Connection, what: Callable[[], Any]) -> None:
    try:
        what()
    except psycopg.Error as error:
        print(type(error).__name__, error.sqlstate, error.diag.message_primary)
    connection.rollback()


def tables(connection: psycopg.Connection) -> None:
    connection.execute("drop table if exists item")
    connection.execute("drop type if exists mood")
    connection.execute("create type mood as enum ('sad', 'ok')")
    connection.execute(
        "create table item (id serial primary key, sku text unique, price numeric(8,2), at timestamptz, tags text[],"
        " extra jsonb, mood mood, score float8, raw bytea)"
    )
    connection.commit()


def rows(connection: psycopg.Connection) -> None:
    at = datetime(2024, 2, 3, 4, 5, 6, 700, tzinfo=UTC)
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into item (sku, price, at, tags, extra, mood, score, raw) values (%s,%s,%s,%s,%s,%s,%s,%s)",
            [(f"s{n}", Decimal("1.50") * n, at, ["a", "b c", None], Jsonb({"n": n, "x": [1, None]}), "ok", n / 3,
              b"\0\xff") for n in range(8)],
        )  # fmt: skip
    connection.commit()
    for binary in (False, True):
        with connection.cursor(binary=binary) as cursor:
            cursor.execute("select * from item where price > %s order by id", (Decimal("8"),))
            print([column.name for column in cursor.description or ()])
            print([[str(cell) for cell in row] for row in cursor.fetchall()])
    for n in range(8):
        print(connection.execute("select sku, score from item where id = %s", (n,)).fetchone())
    print(connection.execute("select n, n::text, null from generate_series(1, 500) n").fetchall()[-2:])
    print(psycopg.ClientCursor(connection).execute("select %s, %s, %s::int", ("it's", True, 3)).fetchone())
    info = EnumInfo.fetch(connection, "mood")
    print(info.name if info else None, info.labels if info else None)
    connection.commit()


def errors(connection: psycopg.Connection) -> None:
    failing(connection, lambda: connection.execute("insert into item (sku) values ('s1')"))
    failing(connection, lambda: connection.execute("select * from nowhere"))
    failing(connection, lambda: connection.execute("selec 1"))
    failing(connection, lambda: connection.execute("select 1 / %s", (0,)))
    failing(connection, lambda: connection.execute("select %s::int", ("x",)))
    with connection.transaction():
        try:
            with connection.transaction():
                connection.execute("insert into item (sku) values ('s1')")
        except psycopg.errors.UniqueViolation as error:
            print("inner", error.diag.constraint_name)
        connection.execute("update item set price = price + 1 where sku = 's2'")
    print(connection.execute("select price from item where sku = %s", ("s2",)).fetchone())
    try:
        connection.execute("select 1 from nowhere")
    except psycopg.Error as error:
        print(error.sqlstate)
    try:
        connection.execute("select 1")
    except psycopg.errors.InFailedSqlTransaction as error:
        print(error.sqlstate)
    connection.rollback()


def cursors(connection: psycopg.Connection) -> None:
    with connection.cursor(name=f"c{os.getpid()}") as cursor:
        cursor.itersize = 3
        cursor.execute("select sku from item order by id")
        print([row[0] for row in cursor])
    with connection.cursor(name="scrolled", scrollable=True) as cursor:
        cursor.execute("select id from item order by id")
        print(cursor.fetchmany(2), cursor.fetchone())
        cursor.scroll(0, mode="absolute")
        print(cursor.fetchone())
    connection.commit()
    with connection.pipeline():
        one = connection.execute("select count(*) from item")
        two = connection.execute("select max(price) from item")
        print(one.fetchone(), two.fetchone())
    try:
        with connection.pipeline() as pipeline:
            connection.execute("select 1 / 0")
            connection.execute("select 'skipped'")
            pipeline.sync()
    except psycopg.Error as error:
        print("pipeline", error.sqlstate)
    connection.rollback()
    print([cursor.fetchone() for cursor in [connection.execute("select 1; select 2")]])
    connection.commit()


def copies(connection: psycopg.Connection) -> None:
    with connection.cursor() as cursor:
        with cursor.copy("copy item (sku, price) from stdin") as copy:
            for n in range(3):
                copy.write_row((f"c{n}\t\n", n))
        with cursor.copy("copy (select sku, price, at from item order by id) to stdout") as copy:
            print(list(copy.rows())[-4:])
        with cursor.copy("copy (select id, score from item order by id) to stdout with (format binary)") as copy:
            copy.set_types(["int4", "float8"])
            print(list(copy.rows())[:3])
    connection.commit()
    try:
        with connection.cursor() as cursor, cursor.copy("copy item (id, sku) from stdin") as copy:
            copy.write("nonsense\n")
    except psycopg.Error as error:
        print("copy", error.sqlstate)
    connection.rollback()


def notifications(connection: psycopg.Connection) -> None:
    connection.autocommit = True
    with psycopg.connect(URL, autocommit=True) as listener:
        listener.execute("listen news")
        connection.execute("notify news, 'hello'")
        connection.execute("select pg_notify('news', %s)", ("again",))
        print([(each.channel, each.payload) for each in listener.notifies(timeout=5, stop_after=2)])
    notices: list[str] = []
    connection.add_notice_handler(lambda told: notices.append(str(told.message_primary)))
    connection.execute("do $$ begin raise notice 'seen'; end $$")
    print(notices, connection.info.parameter_status("TimeZone"))
    connection.execute("set time zone 'Europe/Paris'")
    print(connection.info.parameter_status("TimeZone"), connection.execute("show timezone").fetchone())
    connection.execute("select 1", prepare=True)


def main() -> None:
    with psycopg.connect(URL, prepare_threshold=3) as connection:
        for part in (tables, rows, errors, cursors, copies, notifications):
            print("-", part.__name__)
            part(connection)


main()
