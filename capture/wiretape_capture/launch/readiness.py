"""Whether an app answers on loopback: one attempt at a time, by TCP connect or by an HTTP request.

It knows nothing of processes and of how long to keep trying.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

LOOPBACKS = ("127.0.0.1", "::1")
"""Node resolves `localhost` to ::1 on many machines, so an app may listen there only."""

READY_BELOW = 500


async def loopback_of(port: int) -> str | None:
    """The loopback address on which `port` accepts connections, or None."""
    for host in LOOPBACKS:
        with suppress(OSError):
            _, writer = await asyncio.open_connection(host, port)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
            return host
    return None


async def status_of(host: str, port: int, path: str) -> int | None:
    """Status code of `GET path`; None if what listens there gave no HTTP answer."""
    try:
        reader, writer = await asyncio.open_connection(host, port)
    except OSError:
        return None
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        return _status(await reader.readline())
    except (OSError, ValueError):  # ValueError: a first line longer than the reader's limit
        return None
    finally:
        writer.close()


def _status(line: bytes) -> int | None:
    words = line.split(maxsplit=2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
        return None
    return int(words[1])
