"""The tee's way to the recorder: copies are gathered for a moment and written at once, and never wait.

Bound: `LIMIT` bytes that the recorder has not taken. What happens there is the user's choice: with `wait` connections
are not read until there is room again, with `drop` new exchanges are not copied and counted.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from typing import cast

from wiretape_capture.tee.records import Kind, record_front

LIMIT = 64 * 1024 * 1024
GATHER_SECONDS = 0.02
GATHER_BYTES = 256 * 1024
DROPPED = "exchanges dropped because the recorder could not keep up"


class Channel(asyncio.Protocol):
    """The writing end. `held` hears whether connections have to wait."""

    def __init__(self, held: Callable[[bool], None], lost: Callable[[], None]) -> None:
        self.overflow = "wait"
        """`wait` or `drop`."""
        self._held = held
        self._lost = lost
        self._pieces: list[bytes] = []
        self._size = 0
        self._timer: asyncio.TimerHandle | None = None
        self._notes: Counter[str] = Counter()
        self.full = False
        """Whether the recorder does not keep up."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the recorder is there."""
        self._loop = asyncio.get_running_loop()
        self._transport = cast(asyncio.WriteTransport, transport)
        self._transport.set_write_buffer_limits(high=LIMIT, low=LIMIT // 2)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """asyncio: the recorder is gone."""
        self._lost()

    def pause_writing(self) -> None:
        """asyncio: the recorder does not keep up."""
        self.full = True
        if self.overflow == "wait":
            self._held(True)

    def resume_writing(self) -> None:
        """asyncio: the recorder caught up."""
        self.full = False
        if self.overflow == "wait":
            self._held(False)

    def admits(self) -> bool:
        """Whether a new exchange may be copied; counts it where not."""
        if self.full and self.overflow == "drop":
            self._notes[DROPPED] += 1
            return False
        return True

    @property
    def overrun(self) -> bool:
        """Whether even what was begun must be cut."""
        return self.full and self.overflow == "drop" and self._transport.get_write_buffer_size() > 2 * LIMIT

    def tell(self, kind: int, number: int, time: int, payload: bytes = b"", more: bytes = b"") -> None:
        """Add one record, whose payload may come in two parts so that none has to be copied."""
        size = len(payload) + len(more)
        pieces = self._pieces
        pieces.append(record_front(kind, number, time, size))
        if payload:
            pieces.append(payload)
        if more:
            pieces.append(more)
        self._size += size
        if self._size > GATHER_BYTES:
            self.flush()
        elif self._timer is None:
            self._timer = self._loop.call_later(GATHER_SECONDS, self.flush)

    def note(self, text: str) -> None:
        """Count what could not be recorded."""
        self._notes[text] += 1
        if self._timer is None:
            self._timer = self._loop.call_later(GATHER_SECONDS, self.flush)

    def flush(self) -> None:
        """Write what was gathered."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for text, count in self._notes.items():
            said = text.encode("utf-8", "replace")
            self._pieces += (record_front(Kind.NOTE, count, 0, len(said)), said)
        self._notes.clear()
        if self._pieces:
            self._transport.write(b"".join(self._pieces))
            self._pieces.clear()
            self._size = 0

    def catch_up(self) -> None:
        """Tell everything that passed, and that it was told."""
        self.tell(Kind.CAUGHT_UP, 0, time.monotonic_ns())
        self.flush()

    def finish(self) -> None:
        """Tell everything and end."""
        self.flush()
        self._transport.close()
