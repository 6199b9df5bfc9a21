"""A shop on Postgres or MySQL, for the verdict on SQL: `sql_shop.py PORT`. `VARIANT` names what was broken."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager, nullcontext
from http.server import HTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import psycopg
import pymysql
from json_app import JsonHandler

if TYPE_CHECKING:
    from collections.abc import Iterator


class Mysql:
    """As much of psycopg's connection as this shop uses, on PyMySQL."""

    def __init__(self, url: str) -> None:
        place = urlsplit(url)
        login: dict[str, Any] = {"host": place.hostname, "port": place.port, "user": place.username}
        self._connection = pymysql.connect(password=unquote(place.password or ""), database=place.path[1:],
                                           autocommit=True, **login)  # fmt: skip

    def execute(self, sql: str, values: Any = None) -> Any:
        cursor = self._connection.cursor()
        cursor.execute(sql, values)
        return cursor

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._connection.begin()
        try:
            yield
        except BaseException:
            self._connection.rollback()
            raise
        if VARIANT == "undone":
            self._connection.rollback()
        else:
            self._connection.commit()


VARIANT = os.environ.get("VARIANT", "")
URL = os.environ["DATABASE_URL"]
ON_MYSQL = URL.startswith("mysql")
DATABASE: Any = Mysql(URL) if ON_MYSQL else psycopg.connect(URL, autocommit=True)
KEY, SERIAL = ("varchar(9)", "int auto_increment") if ON_MYSQL else ("text", "serial")
STOCK = "update shop_stock set qty = qty - %s where sku = %s"
ORDER = "insert into shop_order (sku, qty) values (%s, %s) returning id"


def setup() -> None:
    DATABASE.execute("drop table if exists shop_stock, shop_order")
    DATABASE.execute(f"create table shop_stock (sku {KEY} primary key, qty int)")
    DATABASE.execute(f"create table shop_order (id {SERIAL} primary key, sku {KEY}, qty int)")
    DATABASE.execute("insert into shop_stock values ('ink', 90), ('pen', 80), ('pad', 70), ('cap', 60)")


def create(sku: str, qty: int) -> Any:
    with nullcontext() if VARIANT == "apart" else DATABASE.transaction():
        if VARIANT == "reordered":
            row = DATABASE.execute(ORDER, (sku, qty)).fetchone()
            DATABASE.execute(STOCK, (qty, sku))
            return row and row[0]
        if VARIANT != "missing":
            DATABASE.execute(STOCK, (qty + 1 if VARIANT == "changed" else qty, sku))
        row = DATABASE.execute(ORDER, (sku, qty)).fetchone()
        if VARIANT == "extra":
            DATABASE.execute("update shop_stock set qty = qty - %s where sku = %s", (qty, sku))
        return row and row[0] + (VARIANT == "otherid")


def stock(skus: list[str]) -> Any:
    if VARIANT == "n+1":
        query = "select sku, qty from shop_stock where sku = %s"
        rows = [DATABASE.execute(query, (sku,)).fetchone() for sku in skus]
    else:
        values = (skus,)
        some = "in %s" if ON_MYSQL else "= any(%s)"
        rows = list(DATABASE.execute(f"select sku, qty from shop_stock where sku {some} order by sku", values))
    return {row[0]: row[1] for row in rows if row}


class Shop(JsonHandler):
    """JSON in, JSON out."""

    def answer(self, make: Any) -> None:
        try:
            status, data = 200, json.dumps(make()).encode()
        except (psycopg.Error, pymysql.Error) as error:
            status, data = 500, json.dumps({"error": str(error)}).encode()
        self.send_json(status, data)

    def do_GET(self) -> None:
        if self.path == "/health":
            self.answer(lambda: "ok")
        elif self.path.startswith("/price"):
            # One of these for every price: the single lookup is recorded, so that N+1 finds its answers.
            self.answer(lambda: [DATABASE.execute("select sku, qty from shop_stock where sku = %s",
                                                  (self.path.rpartition("/")[2],)).fetchone()])  # fmt: skip
        else:
            self.answer(lambda: stock(self.path.rpartition("/")[2].split(",")))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer(lambda: {"id": create(body["sku"], body["qty"])})


setup()
HTTPServer(("127.0.0.1", int(sys.argv[1])), Shop).serve_forever()
