"""A shop on Postgres whose customers race for the same rows: `contended_shop.py PORT`.

`FIRST` names the customer who gets to the rows first when two are there together; the other one waits for that.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections import defaultdict
from http.server import ThreadingHTTPServer
from typing import Any

import psycopg
from json_app import JsonHandler

FIRST = os.environ.get("FIRST", "")
URL = os.environ["DATABASE_URL"]
PATIENCE = 2.0
"""Seconds for the other customer to come."""
INSIDE: dict[str, threading.Event] = defaultdict(threading.Event)
DONE: dict[str, threading.Event] = defaultdict(threading.Event)


def setup() -> None:
    with psycopg.connect(URL) as db:
        db.execute("drop table if exists k_item, k_visit")
        db.execute("create table k_item (id int primary key, stock int, price int)")
        db.execute("create table k_visit (who text)")
        db.execute("insert into k_item values (1, 1, 10), (2, 5, 20), (3, 7, 30)")


def buy(number: int, who: str) -> Any:
    with psycopg.connect(URL, autocommit=True) as db:
        took = db.execute("update k_item set stock = stock - 1 where id = %s and stock > 0", (number,)).rowcount
        db.execute("insert into k_visit values (%s)", (who,))
    return {"sold": took}


def price(number: int, new: int | None) -> Any:
    with psycopg.connect(URL, autocommit=True) as db:
        if new is not None:
            db.execute("update k_item set price = %s where id = %s", (new, number))
            return {"set": True}
        return {"price": (db.execute("select price from k_item where id = %s", (number,)).fetchone() or [None])[0]}


class Shop(JsonHandler):
    """JSON in, JSON out. A customer is named by a header, and waits for the other one where `meet` asks for it."""

    def answer(self, make: Any) -> None:
        who, place = self.headers.get("X-Session-Id", ""), self.path
        if "meet" in self.path:
            place = self.path.partition("?")[0]
            INSIDE[f"{who} {place}"].set()
            if FIRST and who != FIRST:
                DONE[f"{FIRST} {place}"].wait(PATIENCE)
            elif FIRST:
                other = "bob" if FIRST == "ann" else "ann"
                INSIDE[f"{other} {place}"].wait(PATIENCE)
        self.send_json(200, json.dumps(make()).encode())
        DONE[f"{who} {place}"].set()

    def do_GET(self) -> None:
        words = self.path.partition("?")[0].split("/")
        if words[1] == "inside":  # until that customer is there
            INSIDE[f"{words[2]} /{'/'.join(words[3:])}"].wait(60)
            self.send_json(200, b"{}")
        elif words[1] == "health":
            self.send_json(200, b"{}")
        else:
            self.answer(lambda: price(int(words[2]), None))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        words = self.path.partition("?")[0].split("/")
        who = self.headers.get("X-Session-Id", "")
        if words[1] == "prices":
            self.answer(lambda: price(body["item"], body["price"]))
        else:
            self.answer(lambda: buy(body["item"], who))


setup()
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Shop).serve_forever()
