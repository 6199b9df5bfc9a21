"""A busy conversation in a thread of its own: receive, answer, send, with no event loop in between.

Only answers that are settled are given here. Whatever else comes, or nothing for a while, goes back to the loop, which
owns the session; while a line is open nobody but its thread touches it.
"""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from wiretape_replay.mock.journal import Journal, Pen

LINES = 2
"""Lines open at once for the clients of one database. More are slower than the loop: they wait for the interpreter."""
BUSY = 64
"""Settled answers in a row, with nobody else's in between, after which a conversation gets a line."""
BUSIEST = 4096
"""The same, at most, where lines were of little use before."""
IDLE_SECONDS = 0.05
"""After this long without a word the line goes to somebody else."""
END_SECONDS = 1.0
_PIECE = 64 << 10


class Settled(Protocol):
    """The part of a session that knows what stays as it is."""

    @property
    def alone(self) -> bool:
        """Whether nothing can come to the client but answers to what it sends."""
        ...

    def again(self, data: bytes, pen: Journal | Pen) -> bytes | None:
        """The answer to what is settled, with its lines in the journal; None for anything else."""
        ...


class Lines:
    """The lines of one database's clients."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.last: Direct | None = None
        """Who was answered last in the loop."""
        self._pens = [journal.pen() for _ in range(LINES)]

    def take(self) -> Pen | None:
        """A place; None while all are taken."""
        return self._pens.pop() if self._pens else None

    def give_back(self, pen: Pen) -> None:
        """A line has ended: its place is free."""
        self._pens.append(pen)


class Direct:
    """One client's settled answers: in the loop until there are many in a row, then over a line."""

    def __init__(self, session: Settled, lines: Lines) -> None:
        self._session = session
        self._again = session.again
        self._lines = lines
        self._journal = lines.journal
        self._row = 0
        self._wanted = BUSY

    def answer(self, data: bytes) -> bytes | None:
        """What is settled; None for anything else. In the thread of the loop."""
        answer = self._again(data, self._journal)
        if self._lines.last is not self:
            self._lines.last, self._row = self, 0
        self._row = self._row + 1 if answer is not None else 0
        return answer

    @property
    def busy(self) -> bool:
        """Whether it is time for a line."""
        return self._row >= self._wanted

    def line(self, file: int, back: Callable[[bytes], object]) -> Line | None:
        """A line on a socket, if there is a free one; nobody else may read or write the socket then.

        `back` is called once, in the line's thread, with what was not answered.
        """
        if not self._session.alone or (pen := self._lines.take()) is None:
            return None
        self._row = 0
        return Line(os.dup(file), self._again, pen, back)

    def close(self, line: Line) -> None:
        """After `back`: let the loop have the socket again."""
        line.close()
        self._lines.give_back(line.pen)
        self._wanted = BUSY if line.given > self._wanted else min(2 * self._wanted, BUSIEST)


class Line:
    """One conversation. It has a descriptor of its own, so that it never speaks into another connection."""

    def __init__(self, file: int, again: Callable[[bytes, Pen], bytes | None], pen: Pen,
                 back: Callable[[bytes], object]) -> None:  # fmt: skip
        self.pen = pen
        self._begun = pen.written
        self._again = again
        self._back = back
        self._socket = socket.socket(fileno=file)
        self._socket.setblocking(True)
        seconds = struct.pack("ll", 0, int(IDLE_SECONDS * 1e6))  # struct timeval
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, seconds)
        self._thread = threading.Thread(target=self._run, name="database-line", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        receive, send, again, pen = self._socket.recv, self._socket.sendall, self._again, self.pen
        data = b""
        # Nothing for a while is an error too (EAGAIN); what happened to a socket the loop finds again.
        with suppress(OSError):
            while data := receive(_PIECE):
                answer = again(data, pen)
                if answer is None:
                    break
                data = b""
                send(answer)
        with suppress(RuntimeError):  # the loop has ended
            self._back(data)

    @property
    def given(self) -> int:
        """How many answers were given."""
        return self.pen.written - self._begun

    def end(self) -> None:
        """End the connection, and the thread with it."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(END_SECONDS)

    def close(self) -> None:
        """The thread is done: the loop may use the connection again."""
        self._thread.join(END_SECONDS)
        self._socket.setblocking(False)
        self._socket.close()
