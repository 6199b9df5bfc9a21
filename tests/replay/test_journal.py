"""The mock's journal loses no line."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

from wiretape_replay.mock.journal import Entry, Journal


def entry(number: int) -> Entry:
    return Entry(at_ns=number, service="pay.test:80", command="GET", location=f"/{number}", tier="exact")


async def test_a_journal_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    await Journal(path).close()
    assert path.stat().st_mode & 0o777 == 0o600


async def test_a_cancelled_flush_loses_nothing(tmp_path: Path) -> None:
    """The mock's sweep is cancelled at its end, and may be so while its batch waits for a thread."""
    path, free = tmp_path / "journal", Event()
    threads = ThreadPoolExecutor(max_workers=1)
    asyncio.get_running_loop().set_default_executor(threads)
    busy = threads.submit(free.wait, 10)
    journal = Journal(path)
    journal.record(entry(1))
    flush = asyncio.create_task(journal.flush())
    for _ in range(10):
        await asyncio.sleep(0)
    flush.cancel()
    await asyncio.gather(flush, return_exceptions=True)
    journal.record(entry(2))
    free.set()
    async with asyncio.timeout(60):
        await journal.close()
    assert busy.done()
    assert [line[:11] for line in path.read_bytes().splitlines()] == [b'{"at_ns":1,', b'{"at_ns":2,']
