"""Messages between the recorder and its tee, each with at most one descriptor, on a socket that keeps them apart.

Bound: what the other side has not taken yet is queued here; messages are few, one for each connection at most.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import orjson

MESSAGE_LIMIT = 128 * 1024
"""Bytes of one message."""

type Message = dict[str, Any]
type Hear = Callable[[Message, int | None], None]
"""Takes a message and the descriptor that came with it, which is then its own to close."""


def pair() -> tuple[socket.socket, socket.socket]:
    """Two ends."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    return ours, theirs


class Control:
    """One end."""

    def __init__(self, end: socket.socket, hear: Hear, lost: Callable[[], None]) -> None:
        self._end = end
        self._hear = hear
        self._lost = lost
        self._waiting: deque[tuple[bytes, socket.socket | None]] = deque()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(end, self._readable)

    def send(self, message: Mapping[str, Any], passed: socket.socket | None = None) -> None:
        """Send, with a socket that is closed here once it went."""
        self._waiting.append((orjson.dumps(message), passed))
        if len(self._waiting) == 1:
            self._write()

    def close(self) -> None:
        """End the connection; what waits is dropped."""
        self._loop.remove_reader(self._end)
        self._loop.remove_writer(self._end)
        for _, passed in self._waiting:
            if passed is not None:
                passed.close()
        self._waiting.clear()
        self._end.close()

    def _write(self) -> None:
        while self._waiting:
            data, passed = self._waiting[0]
            try:
                socket.send_fds(self._end, [data], [passed.fileno()] if passed is not None else [])
            except BlockingIOError:
                self._loop.add_writer(self._end, self._write)
                return
            except OSError:  # the other side is gone, which `_readable` tells
                pass
            if passed is not None:
                passed.close()
            self._waiting.popleft()
        self._loop.remove_writer(self._end)

    def _readable(self) -> None:
        try:
            data, descriptors, _, _ = socket.recv_fds(self._end, MESSAGE_LIMIT * 2, 1)
        except BlockingIOError:
            return
        except OSError:
            data, descriptors = b"", []
        if not data:
            self._loop.remove_reader(self._end)
            self._lost()
            return
        self._hear(orjson.loads(data), descriptors[0] if descriptors else None)
