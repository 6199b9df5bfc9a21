"""A shop that keeps everything in MongoDB, for the verdict on its commands: `mongo_shop.py PORT`. `VARIANT` names what
was broken."""

from __future__ import annotations

import json
import os
import sys
from http.server import HTTPServer
from typing import Any

from json_app import JsonHandler
from pymongo import MongoClient

VARIANT = os.environ.get("VARIANT", "")
CLIENT: MongoClient[dict[str, Any]] = MongoClient(os.environ["DATABASE_URL"])
SHOP = CLIENT.get_default_database()
STOCK, ORDERS = SHOP.shop_stock, SHOP.shop_order


def setup() -> None:
    STOCK.drop()
    ORDERS.drop()
    STOCK.insert_many([{"_id": sku, "qty": qty} for sku, qty in (("ink", 90), ("pen", 80), ("pad", 70), ("cap", 60))])


def create(sku: str, qty: int) -> Any:
    if VARIANT == "apart":
        return _create(sku, qty, None)
    with CLIENT.start_session() as session:
        session.start_transaction()
        made = _create(sku, qty, session)
        if VARIANT == "aborted":
            session.abort_transaction()
        elif VARIANT != "forgotten":
            session.commit_transaction()
        return made


def _create(sku: str, qty: int, session: Any) -> Any:
    if VARIANT == "reordered":
        made = ORDERS.insert_one({"sku": sku, "qty": qty}, session=session)
        STOCK.update_one({"_id": sku}, {"$inc": {"qty": -qty}}, session=session)
        return str(made.inserted_id)
    if VARIANT != "missing":
        less = {"$inc": {"qty": -qty - 1 if VARIANT == "changed" else -qty}}
        STOCK.update_one({"_id": sku}, less, session=session)
    made = ORDERS.insert_one({"sku": sku, "qty": qty}, session=session)
    if VARIANT == "extra":
        STOCK.update_one({"_id": sku}, {"$inc": {"qty": -qty}}, session=session)
    found = ORDERS.find_one({"_id": made.inserted_id}, session=session)
    assert found is not None
    assert found["_id"] == made.inserted_id
    return found["sku"]


def stock(skus: list[str]) -> Any:
    if VARIANT == "n+1":
        found = [STOCK.find_one({"_id": sku}) for sku in skus]
    else:
        found = list(STOCK.find({"_id": {"$in": skus}}))
    return {each["_id"]: each["qty"] for each in found if each}


class Shop(JsonHandler):
    """JSON in, JSON out."""

    def answer(self, make: Any) -> None:
        try:
            status, data = 200, json.dumps(make()).encode()
        except Exception as error:  # noqa: BLE001 - a server that goes on
            status, data = 500, json.dumps({"error": str(error)}).encode()
        self.send_json(status, data)

    def do_GET(self) -> None:
        if self.path == "/health":
            self.answer(lambda: "ok")
        elif self.path.startswith("/price"):
            # The single lookup is recorded, so that N+1 finds its answers.
            self.answer(lambda: STOCK.find_one({"_id": self.path.rpartition("/")[2]}))
        else:
            self.answer(lambda: stock(self.path.rpartition("/")[2].split(",")))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer(lambda: {"id": create(body["sku"], body["qty"])})


setup()
HTTPServer(("127.0.0.1", int(sys.argv[1])), Shop).serve_forever()
