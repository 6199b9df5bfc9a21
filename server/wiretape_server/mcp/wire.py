"""Stdin and stdout of a stdio server: read by a thread from the first moment on, so that no client waits for imports.

The thread answers what a client opens with and keeps the rest, in order, until the SDK takes it. There is one reader
from the first byte to the last, so nothing can be lost between the two.
"""

from __future__ import annotations

import functools
import os
import signal
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from wiretape_server.mcp.about import version
from wiretape_server.mcp.opening import Opening

MOST_WAITING = 256
"""Lines kept for the SDK; then nothing more is read, and the client's own pipe fills."""
CHUNK = 64 * 1024
LONGEST = 64 * 1024 * 1024
"""Bytes of one line; a longer one is not kept, and its sender told."""
TOO_LONG = (b'{"jsonrpc":"2.0","id":null,"error":{"code":-32600,'
            b'"message":"Invalid request: a line above 64 MiB is not read"}}')  # fmt: skip


@functools.cache
def standard_wire() -> Wire:
    """This process's own, being read from the first call on.

    From then on descriptor 0 is empty and 1 is stderr, so that neither a child process nor a stray print can speak to
    the client. Signals end the process at once until the server, which has something to end first, takes them over.

    Raises:
        OSError: stdin or stdout is closed.
    """
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _leave)
    wire = Wire(_taken(0, os.open(os.devnull, os.O_RDONLY)), _taken(1, os.dup(2)), Opening(version()))
    wire.start()
    return wire


class Wire:
    """Lines from and to one client."""

    def __init__(self, source: int, sink: int, opening: Opening) -> None:
        self._source = source
        self._sink = sink
        self._opening = opening
        self._lines: deque[bytes | None] = deque()
        self._room = threading.Semaphore(MOST_WAITING)
        self._writing = threading.Lock()
        self._wake: Callable[[], object] = lambda: None

    def start(self) -> None:
        """Begin to read; the thread ends with its input or with the process."""
        threading.Thread(target=self._read, name="wiretape stdin", daemon=True).start()

    def call_on_line(self, wake: Callable[[], object]) -> None:
        """Have `wake` called, by the reading thread, whenever there is something to take."""
        self._wake = wake

    @property
    def waiting(self) -> bool:
        """Whether there is something to take."""
        return bool(self._lines)

    def take(self) -> bytes | None:
        """The next line without its end; None, again and again, when the client has closed its side."""
        line = self._lines[0]
        if line is not None:
            self._lines.popleft()
            self._room.release()
        return line

    def send(self, line: bytes) -> None:
        """Write a line, after those before it.

        Raises:
            OSError: the client is gone.
        """
        rest = memoryview(line + b"\n")
        with self._writing:
            while rest:
                rest = rest[os.write(self._sink, rest) :]

    def _read(self) -> None:
        lines = Lines()
        while chunk := self._chunk():
            self._open(lines.take(chunk))
        self._open(lines.end())
        self._lines.append(None)
        self._tell()

    def _chunk(self) -> bytes:
        with suppress(OSError):  # a terminal or a socket that broke: its client is gone
            return os.read(self._source, CHUNK)
        return b""

    def _open(self, lines: list[bytes | None]) -> None:
        answers, passed = self._opening.take([line for line in lines if line is not None])
        answers += [TOO_LONG] * lines.count(None)
        with suppress(OSError):  # a client that is gone also closes its other side
            for answer in answers:
                self.send(answer)
        for line in passed:
            self._room.acquire()
            self._lines.append(line)
            self._tell()

    def _tell(self) -> None:
        with suppress(RuntimeError):  # the loop that waited has ended
            self._wake()


class Lines:
    """Chunks as lines. Pure."""

    def __init__(self, longest: int = LONGEST) -> None:
        self._longest = longest
        self._parts: list[bytes] = []
        self._size = 0
        """Bytes since the last line's end; beyond the longest line none is kept."""

    def take(self, chunk: bytes) -> list[bytes | None]:
        """The lines that a chunk completes, without their ends; None for one that was too long."""
        ends = chunk.split(b"\n")
        whole: list[bytes | None] = []
        for piece in ends[:-1]:
            self._add(piece)
            whole.append(self._line())
        self._add(ends[-1])
        return whole

    def end(self) -> list[bytes | None]:
        """What stands after the last line's end, if anything."""
        return [self._line()] if self._size else []

    def _add(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._longest:
            self._parts.clear()
        elif piece:
            self._parts.append(piece)

    def _line(self) -> bytes | None:
        line = b"".join(self._parts) if self._size <= self._longest else None
        self._parts.clear()
        self._size = 0
        return line


def _taken(number: int, instead: int) -> int:
    """A private copy of a standard descriptor, which becomes `instead`; children inherit no copy."""
    import fcntl

    private = fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, 3)
    os.set_blocking(private, True)
    os.dup2(instead, number)
    os.close(instead)
    return private


def _leave(number: int, _frame: object) -> NoReturn:
    os._exit(128 + number)
