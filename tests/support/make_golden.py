"""Makes tests/replay/databases/golden: the bytes of real drivers and real servers, for tests without a server.

Run from the repository root: `PYTHONPATH=tests/support uv run python tests/support/make_golden.py [NAME…]`.
A line is `[connection, sender, bytes in hexadecimal]`, in the order in which the bytes passed; `sender` is `c` or `s`.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import sys
import tempfile
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import mysql_server
import postgres_server
from database_kit import Command, recording, run
from golden_kit import FOLDER, Line

from wiretape_capture.protocols.mysql import follower as mysql
from wiretape_capture.protocols.postgres import follower as postgres

PROGRAMS = FOLDER.parent / "programs"
NODE_MODULES = FOLDER.parents[2] / "outside" / "node_modules"
POSTGRES: dict[str, Command] = {
    **{name: (sys.executable, str(PROGRAMS / f"{name}.py"))
       for name in ("with_psycopg", "with_asyncpg", "with_psycopg2", "with_pg8000")},
    "with_jdbc": ("java", "-cp", "/usr/share/java/postgresql.jar", str(PROGRAMS / "WithJdbc.java")),
}  # fmt: skip
MYSQL: dict[str, Command] = {
    **{name: (sys.executable, str(PROGRAMS / f"{name}.py"))
       for name in ("with_pymysql", "with_asyncmy", "with_mysql_connector")},
    "with_mysql2": ("node", str(PROGRAMS / "with_mysql2.cjs")),
}  # fmt: skip


def keeping(base: Any, kept: list[Line]) -> Any:
    """A follower that keeps what it reads, beginning with what it was made of."""
    opened = 0

    class Keeping(base):  # type: ignore[misc]
        def __init__(self, *words: Any) -> None:
            nonlocal opened
            super().__init__(*words)
            opened += 1
            self._golden = opened
            kept.append((opened, "startup", json.dumps(words[1])))

        def client(self, data: bytes, at: int) -> None:
            kept.append((self._golden, "c", data.hex()))
            super().client(data, at)

        def server(self, data: bytes, at: int) -> None:
            kept.append((self._golden, "s", data.hex()))
            super().server(data, at)

    return Keeping


async def make(name: str, command: Command, server: AbstractContextManager[Any], folder: Path) -> None:
    """Record a program and keep its bytes."""
    kept: list[Line] = []
    vars(postgres)["PostgresFollower"] = keeping(ORIGINALS[0], kept)
    vars(mysql)["MysqlFollower"] = keeping(ORIGINALS[1], kept)
    with server as running, tempfile.TemporaryDirectory() as work:
        async with recording(Path(work), running.dsn) as job:
            variables = {"DB_URL": job.environment["WIRETAPE_DB_URL"], "NODE_PATH": str(NODE_MODULES), **os.environ}
            await run(command, variables)
    text = "".join(json.dumps(line) + "\n" for line in kept)
    (folder / f"{name}.jsonl.gz").write_bytes(gzip.compress(text.encode(), mtime=0))


ORIGINALS = (postgres.PostgresFollower, mysql.MysqlFollower)


async def main() -> None:
    binaries = postgres_server.binaries()
    assert binaries is not None
    for name in sys.argv[1:] or (*POSTGRES, *MYSQL):
        if name in POSTGRES:
            await make(name, POSTGRES[name], postgres_server.running(binaries), FOLDER)
        else:
            await make(name, MYSQL[name], mysql_server.running(), FOLDER / "mysql")


if __name__ == "__main__":
    asyncio.run(main())
