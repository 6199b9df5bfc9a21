"""Servers that have begun to listen."""

from __future__ import annotations

import asyncio


async def listening(port: int, seconds: float = 120) -> None:
    """Return when somebody listens. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.1)
            else:
                writer.close()
                return
