"""Makes tests/replay/databases/golden_mongodb: the bytes of real drivers and a server, for tests without a server.

Run from the repository root: `PYTHONPATH=tests/support uv run python tests/support/mongodb_golden.py`. Only what is
followed is kept, so no greeting and no login; what the server said of itself is a line with the sender `hello`.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from database_kit import answer, exchanges, recording, run
from mongodb_kit import FOLDER
from mongodb_server import running

from wiretape_capture.protocols.mongodb import follower

HERE = Path(__file__).parents[1] / "replay" / "databases" / "programs"
NODE_MODULES = Path(__file__).parents[1] / "outside" / "node_modules"
PROGRAMS = {"with_pymongo": (sys.executable, "py"), "with_node_mongodb": (shutil.which("node") or "node", "cjs")}


class Keeping(follower.MongoFollower):
    """Keeps what it reads."""

    lines: list[tuple[int, str, str]] = []  # noqa: RUF012 - one list for the one recording of this script
    opened = 0

    def __init__(self, *words: Any) -> None:
        super().__init__(*words)
        Keeping.opened += 1
        self._number = Keeping.opened

    def client(self, data: bytes, at: int) -> None:
        self.lines.append((self._number, "c", data.hex()))
        super().client(data, at)

    def server(self, data: bytes, at: int) -> None:
        self.lines.append((self._number, "s", data.hex()))
        super().server(data, at)


async def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    vars(follower)["MongoFollower"] = Keeping
    for name, (program, suffix) in PROGRAMS.items():
        Keeping.lines.clear()
        with running() as server, tempfile.TemporaryDirectory() as work:
            async with recording(Path(work), server.url) as job:
                variables = {"DB_URL": job.environment["WIRETAPE_DB_URL"], "NODE_PATH": str(NODE_MODULES), **os.environ}
                await run((program, str(HERE / f"{name}.{suffix}")), variables)
            greeting = next(each for each in await exchanges(Path(work) / "tape.tape") if each.command == "CONNECT")
        told = [(0, "hello", json.dumps(answer(greeting))), *Keeping.lines]
        text = "".join(json.dumps(line) + "\n" for line in told)
        (FOLDER / f"{name}.jsonl.gz").write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    asyncio.run(main())
