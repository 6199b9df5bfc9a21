"""A shop on a pool of asyncpg, which resets each connection that comes back: `pool_shop.py PORT`. `VARIANT` names what
was broken.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from collections.abc import Coroutine
from http.server import ThreadingHTTPServer
from typing import Any

import asyncpg
from json_app import JsonHandler

VARIANT = os.environ.get("VARIANT", "")
URL = os.environ["DATABASE_URL"]
LOOP = asyncio.new_event_loop()
ITEM = "select id, price from pool_item where id = $1"
HOUSEKEEPING = ("DISCARD ALL", "discard temp -- mine", "ABORT", "/* pool */ Select 1; RESET ALL", "SHOW TimeZone",
                "select pg_advisory_unlock_all()", "RESET SESSION AUTHORIZATION; DEALLOCATE ALL")  # fmt: skip


async def opened() -> Any:
    async def set_up(connection: Any) -> None:
        await connection.set_type_codec("json", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")

    pool = await asyncpg.create_pool(URL, min_size=1, max_size=3, init=set_up)
    if "wrong" not in URL:  # the real one
        await pool.execute("drop table if exists pool_item, pool_order")
        await pool.execute("create table pool_item (id int primary key, price int)")
        await pool.execute("create table pool_order (id serial primary key, item int)")
        await pool.execute("insert into pool_item values (1, 10), (2, 20), (3, 30)")
    return pool


async def item(number: int) -> Any:
    return dict(await POOL.fetchrow(ITEM, number))


async def order(number: int) -> Any:
    async with POOL.acquire() as connection, connection.transaction():
        await connection.execute("select pg_advisory_lock($1)", 5)
        made = await connection.fetchval("insert into pool_order (item) values ($1) returning id", number)
        await connection.execute("update pool_item set price = price + 1 where id = $1", number)
        if VARIANT != "locked":
            await connection.execute("select pg_advisory_unlock($1)", 5)
    if VARIANT == "acquire":
        async with POOL.acquire():
            pass
    elif VARIANT == "n+1":
        for each in (1, 2, 3, 1):
            await POOL.fetchrow(ITEM, each)
    elif VARIANT == "housekeeping":
        connection = await asyncpg.connect(URL)  # not of the pool, whose prepared statements DISCARD would take away
        for sql in HOUSEKEEPING:
            await connection.execute(sql)
        await connection.close()
    return {"id": made}


async def orders() -> Any:
    return [dict(each) for each in await POOL.fetch("select id, item from pool_order order by id")]


class Shop(JsonHandler):
    """JSON out."""

    def answer(self, work: Coroutine[Any, Any, Any]) -> None:
        try:
            status, told = 200, asyncio.run_coroutine_threadsafe(work, LOOP).result()
        except asyncpg.PostgresError as error:
            status, told = 500, {"error": str(error)}
        data = json.dumps(told).encode()
        self.send_json(status, data)

    def do_GET(self) -> None:
        if self.path == "/health":
            self.answer(asyncio.sleep(0, "ok"))
        else:
            self.answer(orders() if self.path == "/orders" else item(int(self.path.rpartition("/")[2])))

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.answer(order(int(self.path.rpartition("/")[2])))


threading.Thread(target=LOOP.run_forever, daemon=True).start()
POOL: Any = asyncio.run_coroutine_threadsafe(opened(), LOOP).result()
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Shop).serve_forever()
