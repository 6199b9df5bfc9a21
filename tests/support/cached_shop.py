"""A shop on Postgres with its cache and its queue in Redis, for the verdict: `cached_shop.py PORT`.

`VARIANT` names what was broken. Connections come from a pool that sends ROLLBACK when one is given back, as most do.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import HTTPServer
from typing import Any

import psycopg
import redis
from json_app import JsonHandler

VARIANT = os.environ.get("VARIANT", "")
DATABASE = psycopg.connect(os.environ["DATABASE_URL"])
CACHE: Any = redis.Redis.from_url(os.environ["REDIS_URL"], decode_responses=True)
WARES = ("ink", "pen", "pad", "cap", "bag", "mug")


class NoSuch(Exception):
    """An item that is not there."""


def setup() -> None:
    CACHE.flushall()
    with DATABASE.transaction():
        DATABASE.execute("drop table if exists c_item, c_order, c_audit")
        DATABASE.execute("create table c_item (id int primary key, name text, stock int)")
        DATABASE.execute("create table c_order (id serial primary key, item int, qty int)")
        DATABASE.execute("create table c_audit (id serial primary key, item int, what text)")
        for number, name in enumerate(WARES, 1):
            DATABASE.execute("insert into c_item values (%s, %s, %s)", (number, name, 10 * number))


@contextmanager
def connected() -> Iterator[Any]:
    """A connection of the pool."""
    try:
        yield DATABASE
    finally:
        if VARIANT != "open":
            DATABASE.rollback()


def commit() -> None:
    if VARIANT == "rollback":
        DATABASE.rollback()
    elif VARIANT not in ("lost", "open"):
        DATABASE.commit()


def item(number: int) -> Any:
    cached = CACHE.get(f"item:{number}")
    if cached is not None:
        return json.loads(cached)
    with connected() as db:
        asked = number + 1 if VARIANT == "where" else number
        row = db.execute("select id, name, stock from c_item where id = %s", (asked,)).fetchone()
    if row is None:
        raise NoSuch
    found = {"id": row[0], "name": row[1], "stock": row[2]}
    if VARIANT != "nosetex":
        CACHE.setex(f"item:{number}", 60, json.dumps(found))
    return found


def items(numbers: list[int]) -> Any:
    with connected() as db:
        if VARIANT == "n+1":
            query = "select id, name, stock from c_item where id = %s"
            rows = [db.execute(query, (number,)).fetchone() for number in numbers]
        else:
            rows = db.execute("select id, name, stock from c_item where id = any(%s) order by id", (numbers,))
        return [{"id": row[0], "name": row[1], "stock": row[2]} for row in rows]


def restock(number: int, stock: int) -> Any:
    with connected() as db:
        db.execute("update c_item set stock = %s where id = %s", (stock, number))
        if VARIANT == "split":
            commit()
        db.execute("insert into c_audit (item, what) values (%s, %s)", (number, f"stock {stock}"))
        commit()
    if VARIANT != "nodel":
        CACHE.delete(f"item:{number}")
    return {"id": number, "stock": stock}


def order(number: int, qty: int) -> Any:
    with connected() as db:
        row = db.execute("insert into c_order (item, qty) values (%s, %s) returning id", (number, qty)).fetchone()
        commit()
    queue(number, qty)
    return {"order": row and row[0], "item": number, "qty": qty}


def queue(number: int, qty: int) -> None:
    with CACHE.pipeline(transaction=VARIANT != "nomulti") as pipe:
        if VARIANT == "discard":
            pipe.watch("queue")
            pipe.immediate_execute_command("MULTI")
            pipe.immediate_execute_command("RPUSH", "queue", f"order {number} {qty}")
            pipe.immediate_execute_command("INCRBY", f"sold:{number}", qty)
            pipe.immediate_execute_command("DISCARD")
            return
        pipe.rpush("queue", f"order {number} {qty}")
        pipe.incrby(f"sold:{number}", qty)
        pipe.execute()


def quote(number: int, qty: int) -> Any:
    """Tries an order and undoes it."""
    with connected() as db:
        db.execute("insert into c_audit (item, what) values (%s, %s)", (number, f"quote {qty}"))
        if VARIANT == "kept":
            db.commit()
        elif VARIANT != "open":
            db.rollback()
    return {"item": number, "price": qty * number}


class Shop(JsonHandler):
    """JSON in, JSON out."""

    def answer(self, make: Callable[[], Any]) -> None:
        try:
            status, data = 200, json.dumps(make()).encode()
        except NoSuch:
            status, data = 404, b'{"error": "no such item"}'
        except (psycopg.Error, redis.RedisError) as error:
            status, data = 500, json.dumps({"error": str(error)}).encode()
        self.send_json(status, data)

    def do_GET(self) -> None:
        words = self.path.rpartition("/")[2]
        if self.path == "/health":
            self.answer(lambda: "ok")
        elif "," in words:
            self.answer(lambda: items([int(each) for each in words.split(",")]))
        else:
            self.answer(lambda: item(int(words)))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        does = {"/orders": order, "/quotes": quote, "/stock": restock}[self.path]
        self.answer(lambda: does(body["item"], body["qty"]))


if __name__ == "__main__":
    setup()
    HTTPServer(("127.0.0.1", int(sys.argv[1])), Shop).serve_forever()
