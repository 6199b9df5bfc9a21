"""An app that reads one value of its database for each request, and says 503 where it cannot: `outage_app.py PORT`.

Its database is that of DATABASE_URL. A connection that broke is made anew once.
"""

from __future__ import annotations

import json
import os
import sys
from http.server import ThreadingHTTPServer
from threading import Lock
from typing import Any
from urllib.parse import unquote, urlsplit

from json_app import JsonHandler

URL = os.environ["DATABASE_URL"]
PARTS = urlsplit(URL)


def redis_client() -> Any:
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return redis.Redis.from_url(URL, retry=Retry(NoBackoff(), 1), socket_timeout=20)


def mongo_client() -> Any:
    import pymongo

    return pymongo.MongoClient(URL, serverSelectionTimeoutMS=700)


def postgres_client() -> Any:
    import psycopg

    return psycopg.connect(URL, autocommit=True)


def mysql_client() -> Any:
    import pymysql

    user, password = PARTS.username, unquote(PARTS.password or "")
    return pymysql.connect(host=PARTS.hostname, port=PARTS.port or 3306, user=user, password=password,
                           database=PARTS.path[1:], autocommit=True)  # fmt: skip


def read_sql(client: Any, n: int) -> Any:
    with client.cursor() as cursor:
        cursor.execute("select %s + 1000", (n,))
        return int(cursor.fetchone()[0])


CLIENTS: dict[str, tuple[Any, Any]] = {
    "redis": (redis_client, lambda client, n: client.incrby(f"n{n}", n)),
    "mongodb": (mongo_client, lambda client, n: client.shop.numbers.count_documents({"n": n})),
    "postgres": (postgres_client, read_sql), "postgresql": (postgres_client, read_sql),
    "mysql": (mysql_client, read_sql), "mariadb": (mysql_client, read_sql),
}  # fmt: skip
CONNECT, READ = CLIENTS[PARTS.scheme]
LOCK = Lock()
client: Any = None


def value_of(n: int) -> Any:
    global client
    for attempt in range(2):
        try:
            if client is None:
                client = CONNECT()
            return READ(client, n)
        except Exception:
            if PARTS.scheme not in ("redis", "mongodb"):  # these connect anew by themselves
                client = None
            if attempt or PARTS.scheme in ("redis", "mongodb"):
                raise
    return None


class Handler(JsonHandler):
    """JSON out."""

    def do_GET(self) -> None:
        status, said = 200, {"fine": True}
        if self.path != "/health":
            try:
                with LOCK:
                    said = {"value": value_of(int(self.path.rpartition("/")[2]))}
            except Exception as error:  # noqa: BLE001 - whatever the driver raises, the app says 503
                sys.stderr.write(f"{type(error).__name__}: {error}\n")
                status, said = 503, {"fine": False}
        data = json.dumps(said).encode()
        self.send_json(status, data)


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
