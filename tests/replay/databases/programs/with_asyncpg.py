"""asyncpg: a pool, introspection of an enum, prepared statements, cursors, COPY, a listener, concurrency."""

from __future__ import annotations

import asyncio
import os
import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import asyncpg


async def tables(connection: asyncpg.Connection) -> None:
    await connection.execute(
        """drop table if exists a_item; drop type if exists a_mood; create type a_mood as enum ('sad', 'ok');
        create table a_item (id serial primary key, sku text unique, mood a_mood, price numeric(8,2), at timestamptz,
        day date, span interval, key uuid, tags text[], extra jsonb, moods a_mood[])"""
    )


async def values(connection: asyncpg.Connection) -> None:
    at = datetime(2024, 2, 3, 4, 5, 6, 700, tzinfo=UTC)
    key = uuid.UUID("12345678-1234-4234-8234-1234567890ab")
    for n in range(4):
        await connection.execute(
            "insert into a_item (sku, mood, price, at, day, span, key, tags, extra, moods)"
            " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            f"s{n}", "ok", Decimal("1.50") * n, at, date(2024, 2, n + 1), timedelta(days=n, seconds=5), key,
            ["a", None], f'{{"n": {n}}}', ["sad", "ok"],
        )  # fmt: skip
    print([dict(each) for each in await connection.fetch("select * from a_item order by id")])
    print(await connection.fetchval("select count(*) from a_item where id = any($1::int[])", [1, 2, 9]))
    await connection.executemany("insert into a_item (sku) values ($1)", [("m1",), ("m2",)])
    statement = await connection.prepare("select sku from a_item where id = $1")
    print([each.name for each in statement.get_attributes()], [each.name for each in statement.get_parameters()])
    print([await statement.fetchval(n) for n in (1, 2, 77)])


async def flow(connection: asyncpg.Connection) -> None:
    async with connection.transaction(isolation="serializable"):
        print([each["id"] async for each in connection.cursor("select id from a_item order by id", prefetch=2)])
    for wrong in ("select * from nowhere", "insert into a_item (sku) values ('s1')", "selec"):
        try:
            await connection.fetch(wrong)
        except asyncpg.PostgresError as error:
            print(type(error).__name__, error.sqlstate)
    try:
        async with connection.transaction():
            await connection.execute("update a_item set price = 9 where id = 1")
            raise ValueError
    except ValueError:
        print(await connection.fetchval("select price from a_item where id = 1"))
    print(await connection.copy_records_to_table("a_item", records=[("k1",), ("k2",)], columns=["sku"]))
    print(await connection.execute("delete from a_item where sku like 'k%'"))


async def listening(pool: asyncpg.Pool) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    async with pool.acquire() as listener, pool.acquire() as speaker:
        await listener.add_listener("a_news", lambda *told: heard.put_nowait(told[3]))
        await speaker.execute("select pg_notify('a_news', 'hello')")
        print(await asyncio.wait_for(heard.get(), 10))


async def main() -> None:
    async with asyncpg.create_pool(os.environ["DB_URL"], min_size=1, max_size=3) as pool:
        async with pool.acquire() as connection:
            await tables(connection)
            await values(connection)
            await flow(connection)
        await listening(pool)
        found = await asyncio.gather(*(pool.fetchval("select $1::int * 2", n) for n in range(20)))
        print(found)


asyncio.run(main())
