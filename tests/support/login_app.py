"""An app that logs in to its database for each request and reads one value: `login_app.py PORT`.

Its database is that of DATABASE_URL. Where a login is refused it says BUSY (503). LOGIN, SECRET
and RESP are for one whose URL has no login.
"""

from __future__ import annotations

import json
import os
import sys
from http.server import HTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from json_app import JsonHandler

URL = os.environ["DATABASE_URL"]
PARTS = urlsplit(URL)
BUSY = int(os.environ.get("BUSY", "503"))


def read_redis(n: int) -> Any:
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    own: dict[str, Any] = (
        {"username": os.environ["LOGIN"], "password": os.environ["SECRET"]} if "LOGIN" in os.environ else {}
    )
    own |= {"protocol": int(os.environ.get("RESP", "2"))}
    with redis.Redis.from_url(URL, retry=Retry(NoBackoff(), 0), socket_timeout=20, **own) as client:
        return client.incrby(f"login{n}", n)


def read_postgres(n: int) -> Any:
    import psycopg

    with psycopg.connect(URL, autocommit=True) as client:
        found = client.execute("select %s + 1000", (n,)).fetchone()
        return found and found[0]


def read_mysql(n: int) -> Any:
    import pymysql

    user, password = PARTS.username, unquote(PARTS.password or "")
    client = pymysql.connect(host=PARTS.hostname, port=PARTS.port or 3306, user=user, password=password,
                             database=PARTS.path[1:], autocommit=True)  # fmt: skip
    with client, client.cursor() as cursor:
        cursor.execute("select %s + 1000", (n,))
        found = cursor.fetchone()
        return found and found[0]


READ = {"redis": read_redis, "postgres": read_postgres, "mysql": read_mysql}[PARTS.scheme]


class Handler(JsonHandler):
    """JSON out."""

    def do_GET(self) -> None:
        status, said = 200, {"fine": True}
        if self.path != "/health":
            try:
                said = {"value": READ(int(self.path.rpartition("/")[2]))}
            except Exception as error:  # noqa: BLE001 - whatever the driver raises, the app is busy
                sys.stderr.write(f"{type(error).__name__}: {error}\n")
                status, said = BUSY, {"fine": False}
        data = json.dumps(said).encode()
        self.send_json(status, data)


HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
