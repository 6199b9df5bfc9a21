"""asyncmy: a pool, transactions on several connections, a cursor that streams, errors."""

from __future__ import annotations

import asyncio
import os
from typing import Any
from urllib.parse import unquote, urlsplit

import asyncmy
from asyncmy.cursors import DictCursor, SSCursor


async def main() -> None:
    place = urlsplit(os.environ["DB_URL"])
    pool = await asyncmy.create_pool(
        host=place.hostname, port=place.port, user=place.username, password=unquote(place.password or ""),
        db=place.path[1:], minsize=1, maxsize=4, autocommit=True,
    )  # fmt: skip
    async with pool.acquire() as connection, connection.cursor() as cursor:
        await cursor.execute("drop table if exists m_item")
        await cursor.execute("create table m_item (id int auto_increment primary key, sku varchar(20), qty int)")
        await cursor.executemany("insert into m_item (sku, qty) values (%s, %s)", [(f"s{n}", n) for n in range(9)])
        print(cursor.rowcount, cursor.lastrowid)

    async def move(number: int) -> Any:
        async with pool.acquire() as connection, connection.cursor(DictCursor) as cursor:
            await connection.begin()
            await cursor.execute("update m_item set qty = qty + %s where sku = %s", (10, f"s{number}"))
            await cursor.execute("select sku, qty from m_item where sku = %s", (f"s{number}",))
            found = await cursor.fetchone()
            await (connection.commit() if number % 2 else connection.rollback())
            await cursor.execute("select qty from m_item where sku = %s", (f"s{number}",))
            return found, await cursor.fetchall()

    print(await asyncio.gather(*(move(number) for number in range(6))))
    async with pool.acquire() as connection, connection.cursor(SSCursor) as cursor:
        await cursor.execute("select id, sku from m_item where qty > %s order by id", (3,))
        print(await cursor.fetchmany(2), await cursor.fetchall())
        try:
            await cursor.execute("insert into m_item (id) values (%s)", (1,))
        except asyncmy.errors.IntegrityError as error:
            print(error)
    pool.close()
    await pool.wait_closed()


asyncio.run(main())
