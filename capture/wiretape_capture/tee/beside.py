"""The recorder's way to start a process beside it: `side_process.py` is the other end."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Protocol

from wiretape_capture.tee.control import pair

STALLED = 10.0
"""Seconds without a copy after which an ending process is given up."""


class Told(Protocol):
    """What takes the copies of a process."""

    ended: asyncio.Event
    """It told everything."""
    taken: int
    """How much was taken so far."""


async def start_beside(
    module: str, copies: Callable[[], asyncio.Protocol]
) -> tuple[asyncio.subprocess.Process, socket.socket]:
    """The process of a module, which writes to `copies`, and our end of its control socket."""
    control, theirs = pair()
    data, theirs_too = socket.socketpair()
    data.setblocking(False)
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, str(theirs.fileno()), str(theirs_too.fileno()),
            pass_fds=(theirs.fileno(), theirs_too.fileno()), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        )  # fmt: skip
    finally:
        theirs.close()
        theirs_too.close()
    await asyncio.get_running_loop().create_unix_connection(copies, sock=data)
    return process, control


async def until_told(copies: Told) -> None:
    """Wait for the end as long as copies keep coming."""
    taken = -1
    while taken < copies.taken:
        taken = copies.taken
        try:
            async with asyncio.timeout(STALLED):
                await copies.ended.wait()
        except TimeoutError:
            continue
        return
