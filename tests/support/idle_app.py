"""An app that keeps one connection to Postgres and reads one value for each request: `idle_app.py PORT`.

DRIVER is psycopg, which hears of the end of an idle connection with its next statement, or asyncpg, which hears at
once.
Where a statement fails the app says with which SQLSTATE, and connects anew for the next.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from http.server import HTTPServer
from typing import Any

import asyncpg
import psycopg
from json_app import JsonHandler

URL = os.environ["DATABASE_URL"]
ANEW = os.environ.get("ANEW", "")
"""Changed code: tries once more."""


class ByPsycopg:
    """A connection that is made where there is none."""

    def __init__(self) -> None:
        self._connection: psycopg.Connection[Any] | None = None

    def read(self, n: int) -> Any:
        if self._connection is None:
            self._connection = psycopg.connect(URL, autocommit=True)
        try:
            found = self._connection.execute("select %s + 1000", (n,)).fetchone()
        except psycopg.OperationalError as error:
            self._connection = None
            return self.read(n) if ANEW else error.sqlstate
        return found and found[0]


class ByAsyncpg:
    """A pool of one connection."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._pool: Any = None

    def read(self, n: int) -> Any:
        return self._loop.run_until_complete(self._read(n))

    async def _read(self, n: int) -> Any:
        if self._pool is None:
            self._pool = await asyncpg.create_pool(URL.partition("?")[0], ssl=False, min_size=1, max_size=1)
        await asyncio.sleep(0.05)  # what came meanwhile is heard
        try:
            async with self._pool.acquire() as connection:
                return await connection.fetchval("select $1::int + 1000", n)
        except asyncpg.PostgresError as error:
            return error.sqlstate


DATABASE = ByAsyncpg() if os.environ.get("DRIVER") == "asyncpg" else ByPsycopg()


class Handler(JsonHandler):
    """JSON out."""

    def do_GET(self) -> None:
        said = "fine" if self.path == "/health" else DATABASE.read(int(self.path.rpartition("/")[2]))
        data = json.dumps({"value": said}).encode()
        self.send_json(200, data)


HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
