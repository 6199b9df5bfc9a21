"""Opening SQLite files through aiosqlite, the one way that leaves no thread behind when it fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiosqlite


async def connected(target: str | Path, **options: Any) -> aiosqlite.Connection:
    """A connection, to be closed by the caller; raises `sqlite3.OperationalError` where SQLite cannot open `target`.

    aiosqlite 0.22 does not wait for its thread when the connection fails; the thread then dies noisily if the event
    loop is closed before it has told its result.
    """
    connection = aiosqlite.connect(target, **options)
    try:
        return await connection
    except BaseException:
        await asyncio.to_thread(connection._thread.join)
        raise


@asynccontextmanager
async def opened(target: str | Path, **options: Any) -> AsyncIterator[aiosqlite.Connection]:
    """The same, closed when the block ends."""
    connection = await connected(target, **options)
    try:
        yield connection
    finally:
        await connection.close()
