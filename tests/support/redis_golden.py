"""Kept bytes of a real Redis client and server, for tests without a server; run it to make them anew.

From the repository root: `PYTHONPATH=tests/support uv run python tests/support/redis_golden.py`. A line is
`[connection, sender, bytes in hexadecimal]`, in the order in which the bytes passed; `sender` is `c` or `s`.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wiretape_capture.databases.exchanges import exchange_of
from wiretape_capture.protocols.observed import Book, Emit, Observed
from wiretape_capture.protocols.redis import follower
from wiretape_capture.protocols.redis.follower import RedisFollower
from wiretape_capture.snapshot.exchange import Exchange, Protocol

HERE = Path(__file__).parents[1] / "replay" / "databases"
FOLDER = HERE / "golden_redis"
GOLDEN = sorted(FOLDER.glob("*.jsonl.gz"))
EPOCH_NS = 1_790_000_000 * 10**9
PROGRAMS = {"redis_py_2": ("with_redis.py", "2"), "redis_py_3": ("with_redis.py", "3"),
            "asyncio_2": ("with_redis_asyncio.py", "2")}  # fmt: skip

type Line = tuple[int, str, str]


def lines(path: Path) -> list[Line]:
    """What is kept in a file."""
    return [tuple(json.loads(line)) for line in gzip.decompress(path.read_bytes()).splitlines()]


class Followed:
    """Exchanges of kept bytes, numbered as they begin."""

    def __init__(self) -> None:
        self.seen: dict[int, Observed] = {}
        self._connections: dict[int, int] = {}
        self._number = 0

    def feed(self, told: list[Line], pieces: random.Random | None = None) -> None:
        """Follow every connection."""
        followers: dict[int, RedisFollower] = {}
        for at, (connection, sender, content) in enumerate(told, 1):
            one = followers.get(connection)
            if one is None:
                one = followers[connection] = RedisFollower(self._booking(connection))
            for piece in cut(bytes.fromhex(content), pieces):
                (one.client if sender == "c" else one.server)(piece, at)
        for one in followers.values():
            one.end(len(told) + 1)

    def _booking(self, connection: int) -> Book:
        return lambda _begun: self._book(connection)

    def _book(self, connection: int) -> Emit:
        self._number += 1
        number = self._number
        self._connections[number] = connection

        def emit(seen: Observed) -> None:
            self.seen[number] = seen

        return emit

    def exchanges(self) -> list[Exchange]:
        """As they would be on a tape."""
        return [
            exchange_of(seen, sequence=number, protocol=Protocol.REDIS, service="db",
                        connection=f"d{self._connections[number]}", started_ns=seen.started + EPOCH_NS)
            for number, seen in sorted(self.seen.items())
        ]  # fmt: skip


def cut(data: bytes, pieces: random.Random | None) -> Iterator[bytes]:
    """The bytes whole, or in small pieces."""
    at = 0
    while at < len(data):
        size = len(data) if pieces is None else pieces.choice((1, 1, 2, 5, 7, 60))
        yield data[at : at + size]
        at += size


class Keeping(RedisFollower):
    """Keeps what it reads."""

    lines: list[Line] = []  # noqa: RUF012 - one list for the one recording of this script
    opened = 0

    def __init__(self, *words: Any) -> None:
        super().__init__(*words)
        Keeping.opened += 1
        self._number = Keeping.opened

    def client(self, data: bytes, at: int) -> None:
        """Bytes from the client."""
        self.lines.append((self._number, "c", data.hex()))
        super().client(data, at)

    def server(self, data: bytes, at: int) -> None:
        """Bytes from the server."""
        self.lines.append((self._number, "s", data.hex()))
        super().server(data, at)


async def main() -> None:
    """Make the files anew."""
    from database_kit import recording, run
    from redis_server import binary, running

    server = binary()
    assert server is not None
    vars(follower)["RedisFollower"] = Keeping
    FOLDER.mkdir(exist_ok=True)
    for name, (program, *words) in PROGRAMS.items():
        Keeping.lines.clear()
        with running(server) as made, tempfile.TemporaryDirectory() as work:
            async with recording(Path(work), made.url) as job:
                command = (sys.executable, str(HERE / "programs" / program), *words)
                await run(command, {"DB_URL": job.environment["WIRETAPE_DB_URL"]})
        text = "".join(json.dumps(line) + "\n" for line in Keeping.lines)
        (FOLDER / f"{name}.jsonl.gz").write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    asyncio.run(main())
