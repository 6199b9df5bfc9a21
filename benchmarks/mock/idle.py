"""Connections that are open and silent, held by a process of its own."""

from __future__ import annotations

import asyncio
import resource
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from benchmarks.mock.pinned import CLIENT_CORE, on_core

ASKED = b"GET /shop/items/1 HTTP/1.1\r\nHost: api.example.com\r\n\r\n"
AT_ONCE = 100


@asynccontextmanager
async def held_connections(url: str, count: int) -> AsyncIterator[int]:
    """Hold so many connections, each answered once; yields how many were."""
    process = await asyncio.create_subprocess_exec(
        *on_core(CLIENT_CORE, [sys.executable, "-m", "benchmarks.mock.idle", url, str(count)]),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield int(await asyncio.wait_for(process.stdout.readline(), 120))
    finally:
        process.kill()
        await process.wait()


async def hold(url: str, count: int) -> None:
    """Open them, say how many were answered, and wait for the end of stdin."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    host, port = urlsplit(url).hostname, urlsplit(url).port
    turns = asyncio.Semaphore(AT_ONCE)
    kept = []

    async def one() -> None:
        async with turns:
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(ASKED)
            await reader.readuntil(b"\r\n\r\n")
            kept.append(writer)

    await asyncio.gather(*(one() for _ in range(count)), return_exceptions=True)
    print(len(kept), flush=True)  # noqa: T201
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(hold(sys.argv[1], int(sys.argv[2])))
