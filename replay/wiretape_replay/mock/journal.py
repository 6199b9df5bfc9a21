"""What the mock answered: counted at once, written in batches off the answering path."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import orjson

from wiretape_capture.errors import WiretapeError
from wiretape_capture.snapshot.exchange import Protocol, Request
from wiretape_replay.mock.spec import Candidate, LeafDifference, MockAnswer, MockTally, Tier

FLUSH_SECONDS = 0.2
PENDING_LIMIT = 200_000
"""Entries waiting to be written; beyond it, when the disk stalls, hits are counted but not listed."""
LINES_AT_ONCE = 500
MISSES_KEPT = 100
NOTES_KEPT = 100
"""Different reasons for which requests were refused; others are counted and not told."""


@dataclass(slots=True)
class Entry:
    """One answer, as slim as the answering path needs it."""

    at_ns: int
    service: str
    command: str
    location: str
    tier: Tier
    sequence: int | None = None
    status: str = ""
    session: str = ""
    body: bytes | None = None
    body_sha256: str = ""
    normalized: Sequence[LeafDifference] = ()
    closest: Sequence[Candidate] = ()
    trace: str = ""
    request: Request | None = None
    protocol: Protocol = Protocol.HTTP
    thread: str = ""


type Line = tuple[int, bytes]
"""When, and the rest of a line that was made before."""


class Pen:
    """What another thread writes with. Only that thread calls `again`; the journal's own takes the lines."""

    def __init__(self, *, listing: bool) -> None:
        self._listing = listing
        self._lines: deque[Line] = deque()
        self.written = 0
        """Answers, of which the lines of `unlisted` were not kept."""
        self.unlisted = 0
        self.simulated = 0
        """How many of them came from no recording."""

    def again(self, at_ns: int, line: bytes) -> None:
        """As `Journal.again`."""
        self.written += 1
        if self._listing:
            if len(self._lines) < PENDING_LIMIT:
                self._lines.append((at_ns, line))
            else:
                self.unlisted += 1

    def take(self) -> list[Line]:
        """The lines so far."""
        return [self._lines.popleft() for _ in range(len(self._lines))]


class Journal:
    """The journal of one mock. Call `flush` now and then, and `close` at the end."""

    def __init__(self, path: Path | None) -> None:
        self._file = _open(path) if path is not None else None
        self._pending: list[Entry | Line] = []
        self._pens: list[Pen] = []
        self._again = 0
        self.simulated = 0
        """How many answers like ones before came from no recording."""
        self._counts: Counter[Tier] = Counter()
        self._misses: dict[tuple[str, str, str, str], MockAnswer] = {}
        self._writing = asyncio.Lock()
        self._flushes: set[asyncio.Task[None]] = set()
        self._unlisted = 0
        self.refused = 0
        """Requests that never were one: malformed, too large, too slow, or broken off."""
        self.on_refused: Callable[[str], None] = lambda _why: None
        """Hears why, each time."""
        self._why: Counter[str] = Counter()

    @property
    def tally(self) -> MockTally:
        """How many requests ended in each tier."""
        counts = self._counts.copy()
        simulated = self.simulated + sum(pen.simulated for pen in self._pens)
        counts["simulated"] += simulated
        counts["exact"] += self._again + sum(pen.written for pen in self._pens) - simulated
        return MockTally.model_validate(dict(counts))

    @property
    def total(self) -> int:
        """How many requests there were."""
        return self.recorded + sum(pen.written for pen in self._pens)

    @property
    def recorded(self) -> int:
        """How many of them were answered in the thread of the journal."""
        return self._counts.total() + self._again

    @property
    def unlisted(self) -> int:
        """Hits that were counted but not written."""
        return self._unlisted + sum(pen.unlisted for pen in self._pens)

    @property
    def misses(self) -> tuple[MockAnswer, ...]:
        """The first misses, one for each distinct request."""
        return tuple(self._misses.values())

    def refuse(self, why: str) -> None:
        """Count a request that never was one, or a client that spoke something else."""
        self.refused += 1
        if why in self._why or len(self._why) < NOTES_KEPT:
            self._why[why] += 1
        self.on_refused(why)

    @property
    def notes(self) -> tuple[str, ...]:
        """Why, each with how often where it was more than once."""
        return tuple(text if count == 1 else f"{text} ({count} times)" for text, count in sorted(self._why.items()))

    def record(self, entry: Entry) -> bool:
        """Count an answer and queue its line. True for a miss that is told for the first time."""
        self._counts[entry.tier] += 1
        if self._file is not None:
            if len(self._pending) < PENDING_LIMIT or entry.tier == "miss":
                self._pending.append(entry)
            else:
                self._unlisted += 1
        return entry.tier == "miss" and self._keep(entry)

    def again(self, at_ns: int, line: bytes) -> None:
        """Count an exact answer like one before, and queue its line: all but the time was made then. One that is not
        exact is counted under `simulated` as well."""
        self._again += 1
        if self._file is not None:
            if len(self._pending) < PENDING_LIMIT:
                self._pending.append((at_ns, line))
            else:
                self._unlisted += 1

    def pen(self) -> Pen:
        """One for a thread that gives answers like ones before."""
        pen = Pen(listing=self._file is not None)
        self._pens.append(pen)
        return pen

    def _keep(self, entry: Entry) -> bool:
        key = (entry.service, entry.command, entry.location, _sha256(entry))
        if key in self._misses or len(self._misses) >= MISSES_KEPT:
            return False
        self._misses[key] = answer_of(entry).model_copy(update={"request": None})
        return True

    async def flush(self) -> None:
        """Write what is pending. A cancelled flush still writes what it took: `close` waits for it."""
        task = asyncio.create_task(self._flush())
        self._flushes.add(task)
        task.add_done_callback(self._flushes.discard)
        await asyncio.shield(task)

    async def _flush(self) -> None:
        async with self._writing:
            batch, self._pending = self._pending, []
            apart = [line for pen in self._pens for line in pen.take()]
            if apart:
                batch = sorted([*batch, *apart], key=_at_ns)
            if batch and self._file is not None:
                await asyncio.to_thread(_write, self._file, batch)

    async def close(self) -> None:
        """Write the rest and let go of the file."""
        await self.flush()
        if self._file is not None:
            self._file.close()


def _at_ns(one: Entry | Line) -> int:
    return one[0] if isinstance(one, tuple) else one.at_ns


def answer_of(entry: Entry) -> MockAnswer:
    """The journal line's model for one entry."""
    return MockAnswer(
        at_ns=entry.at_ns, service=entry.service, protocol=entry.protocol,
        command=entry.command, location=entry.location, tier=entry.tier,
        sequence=entry.sequence, status=entry.status, session=entry.session, request_body_sha256=_sha256(entry),
        normalized=tuple(entry.normalized), closest=tuple(entry.closest), trace=entry.trace, request=entry.request,
        thread=entry.thread,
    )  # fmt: skip


def _line(entry: Entry) -> bytes:
    """The same as `answer_of(entry).model_dump_json()`, about ten times as fast."""
    return orjson.dumps({
        "at_ns": entry.at_ns, "service": entry.service, "protocol": entry.protocol,
        "command": entry.command, "location": entry.location,
        "tier": entry.tier, "sequence": entry.sequence, "status": entry.status, "session": entry.session,
        "request_body_sha256": _sha256(entry),
        "normalized": [difference.model_dump() for difference in entry.normalized],
        "closest": [candidate.model_dump() for candidate in entry.closest], "trace": entry.trace,
        "request": orjson.Fragment(entry.request.model_dump_json()) if entry.request is not None else None,
        "thread": entry.thread,
    }, option=orjson.OPT_APPEND_NEWLINE)  # fmt: skip


def line_after_time(entry: Entry) -> bytes:
    """What follows the time in an entry's line."""
    return _line(entry).partition(b",")[2]


def _sha256(entry: Entry) -> str:
    return hashlib.sha256(entry.body).hexdigest() if entry.body else entry.body_sha256


def _write(file: IO[bytes], batch: Sequence[Entry | Line]) -> None:
    # A few at a time: formatting holds the interpreter, and answers should not wait for it.
    for start in range(0, len(batch), LINES_AT_ONCE):
        some = batch[start : start + LINES_AT_ONCE]
        file.write(b"".join([b'{"at_ns":%d,%b' % one if isinstance(one, tuple) else _line(one) for one in some]))
    file.flush()


def _open(path: Path) -> IO[bytes]:
    try:
        # It holds what the app asked for, as snapshots do: nobody else's business.
        return open(path, "ab", opener=lambda name, flags: os.open(name, flags, 0o600))
    except OSError as error:
        raise WiretapeError(f"cannot write the journal {path}: {error.strerror}",
                            "choose a path that can be written") from error  # fmt: skip
