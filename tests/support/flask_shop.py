"""A Flask app on Postgres and Redis whose requests take less than a millisecond or two: `flask_shop.py PORT`.

Every call to a database carries the number of the request that made it.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import psycopg
import redis
from flask import Flask

app = Flask(__name__)
keys: Any = redis.Redis.from_url(os.environ["REDIS_URL"])
rows = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True, prepare_threshold=0)
rows.execute("create table if not exists seen (n int, note text)")


@app.get("/health")
def health() -> str:
    return "fine"


@app.get("/one/<int:n>")
def one(n: int) -> str:
    return str(keys.incrby("sum", n))


@app.get("/two/<int:n>")
def two(n: int) -> str:
    keys.set(f"seen:{n}", "x")
    return str(rows.execute("select %s::int", (n,)).fetchone())


@app.get("/three/<int:n>")
def three(n: int) -> str:
    rows.execute("insert into seen values (%s, 'x')", (n,))
    keys.rpush("seen", n)
    return str(rows.execute("select note from seen where n = %s", (n,)).fetchone())


app.run("127.0.0.1", int(sys.argv[1]), threaded=True)
