"""A snapshot of many exchanges: how long it takes to open, to make the index of its texts, and to search."""

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
from wiretape_capture.snapshot.text_cache import TextCache

SEARCHES = {
    "by path": Query(path="/shop/items/4242", limit=50),
    "by status": Query(status="404", limit=50),
    "by text of many bodies, first 50": Query(text="lagoon", limit=50),
    "by text of one target": Query(text="/shop/items/4242\n", limit=50),
    "by text that is nowhere": Query(text="no such text", limit=50),
}
NOWHERE = SEARCHES["by text that is nowhere"]


class Stored(NamedTuple):
    """Milliseconds of wall time, medians."""

    exchanges: int
    opened: float
    """Until its facts are known."""
    scanned: float
    """The reference: SQLite counts the rows of the same file."""
    searches: dict[str, float]
    indexed: float
    """Until the index of all texts was made, once."""
    index_bytes: int
    tape_bytes: int
    unindexed: float
    """Looking for a text that is nowhere in the tape itself, once."""


async def stored(folder: Path, count: int, repetitions: int) -> Stored:
    """Write a snapshot, then open and search it."""
    tape = folder / "many.tape"
    await write(tape, endpoints(count))
    opened, scanned = list[float](), list[float]()
    searches: dict[str, list[float]] = {name: [] for name in SEARCHES}
    cache = TextCache(folder / "cache")
    async with await TapeReader.open(tape, cache=cache) as reader:
        indexed = await _took(reader.make_index)
    for _ in range(repetitions):
        opened.append(await _took(lambda: _open(tape)))
        began = time.perf_counter()
        connection = sqlite3.connect(tape)
        connection.execute("SELECT count(*), sum(duration_us) FROM exchange").fetchone()
        connection.close()
        scanned.append(1000 * (time.perf_counter() - began))
        async with await TapeReader.open(tape, cache=cache) as reader:
            for name, query in SEARCHES.items():
                searches[name].append(await _took(lambda query=query: reader.exchanges(query, max_body=0)))  # type: ignore[misc]
    async with await TapeReader.open(tape) as reader:
        unindexed = await _took(lambda: reader.exchanges(NOWHERE, max_body=0))
    return Stored(
        count, median(opened), median(scanned), {name: median(each) for name, each in searches.items()}, indexed,
        sum(file.stat().st_size for file in cache.folder.glob("*.text")), tape.stat().st_size, unindexed,
    )  # fmt: skip


async def _open(tape: Path) -> None:
    async with await TapeReader.open(tape) as reader:
        await reader.info()


async def _took(work: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await work()
    return 1000 * (time.perf_counter() - began)
