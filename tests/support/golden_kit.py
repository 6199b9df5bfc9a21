"""Kept bytes of real drivers and real servers, and the exchanges that are seen in them."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from wiretape_capture.databases.exchanges import exchange_of
from wiretape_capture.protocols.mysql.follower import MysqlFollower
from wiretape_capture.protocols.observed import Book, Emit, Follower, Observed
from wiretape_capture.protocols.postgres.follower import PostgresFollower
from wiretape_capture.snapshot.exchange import Exchange, Protocol

FOLDER = Path(__file__).parents[1] / "replay" / "databases" / "golden"
GOLDEN = sorted(FOLDER.glob("*.jsonl.gz"))
GOLDEN_MYSQL = sorted((FOLDER / "mysql").glob("*.jsonl.gz"))
EPOCH_NS = 1_790_000_000 * 10**9

type Line = tuple[int, str, str]
type Follow = Callable[[Book, Any, int], Follower]


def follow_postgres(book: Book, startup: Any, at: int) -> Follower:
    """Reads a connection to Postgres."""
    return PostgresFollower(book, startup, at)


def follow_mysql(book: Book, opening: Any, at: int) -> Follower:
    """Reads a connection to MySQL."""
    return MysqlFollower(book, opening | {"started": at, "ready": at})


def lines(path: Path) -> list[Line]:
    """Connection, sender and bytes in hexadecimal, as `make_golden.py` wrote them."""
    return [tuple(json.loads(line)) for line in gzip.decompress(path.read_bytes()).splitlines()]


class Followed:
    """Exchanges of a golden recording, numbered as they begin."""

    def __init__(self, protocol: Protocol = Protocol.POSTGRES, follow: Follow = follow_postgres) -> None:
        self._protocol = protocol
        self._follow = follow
        self.seen: dict[int, Observed] = {}
        self._number = 0

    def book(self, _begun: int) -> Emit:
        self._number += 1
        number = self._number

        def emit(seen: Observed) -> None:
            self.seen[number] = seen

        return emit

    def feed(self, told: list[Line], pieces: random.Random | None = None) -> None:
        followers: dict[int, Follower] = {}
        for at, (connection, sender, content) in enumerate(told):
            if sender == "startup":
                followers[connection] = self._follow(self.book, json.loads(content), at)
                continue
            follower = followers[connection]
            for piece in cut(bytes.fromhex(content), pieces):
                (follower.client if sender == "c" else follower.server)(piece, at)
        for follower in followers.values():
            follower.end(len(told))

    def exchanges(self) -> list[Exchange]:
        return [
            exchange_of(
                seen,
                sequence=number,
                protocol=self._protocol,
                service="db",
                connection="d1",
                started_ns=seen.started + EPOCH_NS,
            )
            for number, seen in sorted(self.seen.items())
        ]


def cut(data: bytes, pieces: random.Random | None) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        size = len(data) if pieces is None else pieces.choice((1, 1, 2, 5, 7, 60))
        yield data[at : at + size]
        at += size
