"""A snapshot of many exchanges: how long it takes to open, and to search."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.mock.recordings import endpoints, write
from wiretape_capture.snapshot.search import Query
from wiretape_capture.snapshot.tape_reader import TapeReader

SEARCHES = {
    "by path": Query(path="/shop/items/4242", limit=50),
    "by status": Query(status="404", limit=50),
    "by text in a body, first 50": Query(text="lagoon", limit=50),
}
NOWHERE = Query(text="no such text", limit=50)
"""All bodies are looked into; once, for it takes long."""


class Stored(NamedTuple):
    """Milliseconds of wall time, medians."""

    exchanges: int
    opened: float
    """Until its facts are known."""
    scanned: float
    """The reference: SQLite counts the rows of the same file."""
    searches: dict[str, float]


async def stored(folder: Path, count: int, repetitions: int) -> Stored:
    """Write a snapshot, then open and search it."""
    tape = folder / "many.tape"
    await write(tape, endpoints(count))
    opened, scanned = list[float](), list[float]()
    searches: dict[str, list[float]] = {name: [] for name in SEARCHES}
    for _ in range(repetitions):
        opened.append(await _took(lambda: _open(tape)))
        began = time.perf_counter()
        connection = sqlite3.connect(tape)
        connection.execute("SELECT count(*), sum(duration_us) FROM exchange").fetchone()
        connection.close()
        scanned.append(1000 * (time.perf_counter() - began))
        async with await TapeReader.open(tape) as reader:
            for name, query in SEARCHES.items():
                searches[name].append(await _took(lambda query=query: reader.exchanges(query, max_body=0)))  # type: ignore[misc]
    async with await TapeReader.open(tape) as reader:
        searches["by text that is nowhere"] = [await _took(lambda: reader.exchanges(NOWHERE, max_body=0))]
    return Stored(count, median(opened), median(scanned), {name: median(each) for name, each in searches.items()})


async def _open(tape: Path) -> None:
    async with await TapeReader.open(tape) as reader:
        await reader.info()


async def _took(work: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await work()
    return 1000 * (time.perf_counter() - began)
