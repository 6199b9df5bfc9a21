"""A desk that takes orders, on Postgres and Redis: `desk_app.py PORT`. `VARIANT` names what was broken.

It has what apps have: a pool that probes its connections, settings that are loaded when they are first needed, a cache
in the process, a cache in Redis, answers to many requests at once.
"""

from __future__ import annotations

import json
import os
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from queue import Empty, LifoQueue
from typing import Any

import psycopg
import redis
from json_app import JsonHandler

VARIANT = os.environ.get("VARIANT", "")
URL = os.environ["DATABASE_URL"]
CACHE: Any = redis.Redis.from_url(os.environ["REDIS_URL"], decode_responses=True)
POOL: LifoQueue[psycopg.Connection[Any]] = LifoQueue()
ITEM = "select name, price from desk_item where id = %s"
SETTINGS: dict[str, str] = {}
RATES: dict[int, Any] = {}


@contextmanager
def database() -> Iterator[psycopg.Connection[Any]]:
    """A connection of the pool, which answers."""
    try:
        connection = POOL.get_nowait()
        connection.execute("select 1")
    except Empty:
        connection = psycopg.connect(URL, autocommit=True)
    yield connection
    POOL.put(connection)


def setup() -> None:
    CACHE.flushall()
    with database() as db:
        db.execute("drop table if exists desk_item, desk_order, desk_outbox, desk_setting, desk_rate")
        db.execute("create table desk_item (id int primary key, name text, price int)")
        db.execute("create table desk_order (id uuid primary key, item int)")
        db.execute("create table desk_outbox (id uuid primary key, order_id uuid)")
        db.execute("create table desk_setting (name text primary key, value text)")
        db.execute("create table desk_rate (id int primary key, rate int)")
        db.execute("insert into desk_item values (1, 'ink', 3), (2, 'pen', 2), (3, 'pad', 4), (4, 'cap', 9)")
        db.execute("insert into desk_setting values ('currency', 'EUR')")
        db.execute("insert into desk_rate values (1, 7), (2, 19), (3, 21)")
    for number in range(1, 5):
        CACHE.set(f"item:{number}", f"seen {number}")


def setting(db: psycopg.Connection[Any]) -> dict[str, str]:
    """Settings, loaded when they are first needed."""
    if not SETTINGS:
        SETTINGS.update({row[0]: row[1] for row in db.execute("select name, value from desk_setting")})
    return SETTINGS


def items() -> Any:
    with database() as db:
        rows = db.execute("select id, name, price from desk_item order by id").fetchall()
        if VARIANT == "n+1":
            rows = [(row[0], *(db.execute(ITEM, (row[0],)).fetchone() or ())) for row in rows]
        if VARIANT == "n+1 cache":
            for row in rows:
                CACHE.get(f"item:{row[0]}")
        if VARIANT == "n+1 filling":
            for row in rows[:3]:
                label(row[0])
        if VARIANT == "one read":
            db.execute(ITEM, (2,)).fetchone()
        return {"items": rows, "currency": setting(db)["currency"]}


def item(number: int) -> Any:
    with database() as db:
        row = db.execute(ITEM, (number,)).fetchone()
        return {"item": row, "note": CACHE.get(f"item:{number}"), "currency": setting(db)["currency"]}


def rate(number: int) -> Any:
    """Kept in the process once it was read."""
    if number not in RATES:
        with database() as db:
            RATES[number] = db.execute("select rate from desk_rate where id = %s", (number,)).fetchone()
    return {"rate": RATES[number]}


def label(number: int) -> Any:
    """Kept in Redis once it was read."""
    told = CACHE.get(f"label:{number}")
    if told is None:
        with database() as db:
            row = db.execute("select name from desk_item where id = %s", (number,)).fetchone()
        told = row and row[0]
        CACHE.setex(f"label:{number}", 600, told)
    return {"label": told}


def create(number: int) -> Any:
    order, event = uuid.uuid4(), uuid.uuid4()
    other = uuid.uuid4()
    with database() as db:
        db.execute("insert into desk_order (id, item) values (%s, %s)", (order, number))
        outbox = "insert into desk_outbox (id, order_id) values (%s, %s)"
        db.execute(outbox, (order if VARIANT == "one id" else event, other if VARIANT == "two ids" else order))
    CACHE.setex(f"order:{other if VARIANT == 'two ids cache' else order}", 600, number)
    return {"id": str(other if VARIANT == "other answer" else order)}


def order(number: str) -> Any:
    with database() as db:
        row = db.execute("select id, item from desk_order where id = %s", (number,)).fetchone()
        sent = db.execute("select order_id from desk_outbox where order_id = %s", (number,)).fetchall()
    return {"order": [str(each) for each in row or ()], "sent": [str(each[0]) for each in sent],
            "cached": CACHE.get(f"order:{number}")}  # fmt: skip


class Desk(JsonHandler):
    """JSON in, JSON out."""

    def answer(self, make: Any) -> None:
        try:
            status, data = 200, json.dumps(make()).encode()
        except (psycopg.Error, redis.RedisError) as error:
            status, data = 500, json.dumps({"error": str(error)}).encode()
        self.send_json(status, data)

    def do_GET(self) -> None:
        _, what, *more = self.path.split("/")
        if what == "health":
            self.answer(lambda: "ok")
        elif what == "items" and not more:
            self.answer(items)
        else:
            one = {"items": item, "rates": rate, "labels": label}.get(what)
            self.answer(lambda: one(int(more[0])) if one else order(more[0]))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer(lambda: create(body["item"]))


setup()
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Desk).serve_forever()
