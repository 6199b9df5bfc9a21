"""Makes tests/replay/databases/golden: the bytes of real drivers and a real server, for tests without a server.

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
from pathlib import Path
from typing import Any

from database_kit import recording, run
from postgres_server import binaries, running

from wiretape_capture.protocols.postgres import follower
from wiretape_capture.protocols.postgres.follower import PostgresFollower

HERE = Path(__file__).parents[1] / "replay" / "databases"
PROGRAMS: dict[str, tuple[str, ...]] = {name: (sys.executable, str(HERE / "programs" / f"{name}.py"))
            for name in ("with_psycopg", "with_asyncpg", "with_psycopg2", "with_pg8000")}  # fmt: skip
PROGRAMS["with_jdbc"] = ("java", "-cp", "/usr/share/java/postgresql.jar", str(HERE / "programs" / "WithJdbc.java"))


class Keeping(PostgresFollower):
    """Keeps what it reads."""

    lines: list[tuple[int, str, str]] = []  # noqa: RUF012 - one list for the one recording of this script
    opened = 0

    def __init__(self, *words: Any) -> None:
        super().__init__(*words)
        Keeping.opened += 1
        self._number = Keeping.opened
        self.lines.append((self._number, "startup", json.dumps(words[1])))

    def client(self, data: bytes, at: int) -> None:
        self.lines.append((self._number, "c", data.hex()))
        super().client(data, at)

    def server(self, data: bytes, at: int) -> None:
        self.lines.append((self._number, "s", data.hex()))
        super().server(data, at)


async def main() -> None:
    folder = binaries()
    assert folder is not None
    vars(follower)["PostgresFollower"] = Keeping
    for name in sys.argv[1:] or PROGRAMS:
        Keeping.lines.clear()
        with running(folder) as server, tempfile.TemporaryDirectory() as work:
            async with recording(Path(work), server.dsn) as job:
                variables = {"DB_URL": job.environment["WIRETAPE_DB_URL"], **os.environ}
                await run(PROGRAMS[name], variables)
        text = "".join(json.dumps(line) + "\n" for line in Keeping.lines)
        (HERE / "golden" / f"{name}.jsonl.gz").write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    asyncio.run(main())
