"""A shop that keeps everything in Redis, for the verdict on its commands: `redis_shop.py PORT`. With a
`VARIANT` it is broken."""

from __future__ import annotations

import json
import os
import sys
from http.server import HTTPServer
from typing import Any

import redis
from json_app import JsonHandler

VARIANT = os.environ.get("VARIANT", "")
CACHE: Any = redis.Redis.from_url(os.environ["DATABASE_URL"], decode_responses=True)
PRICES = {"ink": 3, "pen": 2, "pad": 4, "cap": 9, "bag": 5}
BROKEN = {"ink": "missing", "pen": "extra", "pad": "changed", "cap": "reordered", "bag": "key"}
"""What a broken shop does wrong, by what is ordered; it looks up stock one by one, too."""


def setup() -> None:
    CACHE.flushall()
    for sku, price in PRICES.items():
        CACHE.set(f"price:{sku}", price)
        CACHE.set(f"stock:{sku}", 50 + price)


def create(sku: str, qty: int) -> Any:
    broken = BROKEN.get(sku, "") if VARIANT else ""
    if broken == "reordered":
        CACHE.rpush("orders", json.dumps({"sku": sku, "qty": qty}))
        return CACHE.decrby(f"stock:{sku}", qty)
    key = f"reserve:{sku}" if broken == "key" else f"stock:{sku}"
    left = 0
    if broken != "missing":
        left = CACHE.decrby(key, qty + 1 if broken == "changed" else qty)
    CACHE.rpush("orders", json.dumps({"sku": sku, "qty": qty}))
    if broken == "extra":
        CACHE.rpush("orders", json.dumps({"sku": sku, "qty": qty}))
    return left


def prices(skus: list[str]) -> Any:
    if VARIANT:
        return {sku: CACHE.get(f"price:{sku}") for sku in skus}
    return dict(zip(skus, CACHE.mget([f"price:{sku}" for sku in skus]), strict=True))


class Shop(JsonHandler):
    """JSON in, JSON out."""

    def answer(self, make: Any) -> None:
        try:
            status, data = 200, json.dumps(make()).encode()
        except redis.RedisError as error:
            status, data = 500, json.dumps({"error": str(error)}).encode()
        self.send_json(status, data)

    def do_GET(self) -> None:
        words = self.path.rpartition("/")[2]
        if self.path == "/health":
            self.answer(lambda: "ok")
        elif self.path.startswith("/price/"):
            # One of these for every price: the single lookup is recorded, so that N+1 finds its answers.
            self.answer(lambda: [CACHE.get(f"price:{words}")])
        else:
            self.answer(lambda: prices(words.split(",")))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer(lambda: {"left": create(body["sku"], body["qty"])})


setup()
HTTPServer(("127.0.0.1", int(sys.argv[1])), Shop).serve_forever()
