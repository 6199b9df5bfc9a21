"""Cursors of a mocked MongoDB server: numbered anew, each with the batches that followed in the recording. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import Any

from bson.int64 import Int64

from wiretape_capture.protocols.mongodb.documents import Document
from wiretape_replay.match.echo import Echo
from wiretape_replay.mock.mongodb.desk import Command, Found, MongoDesk, error_of

KEPT = 10_000
"""Cursors that are open; the one that was opened first is closed."""
FIRST = 1_000_000_007
IDLE_SECONDS = 1.0
"""How long a cursor that awaits data waits for none, where the client does not say."""
NOT_FOUND = 43


@dataclass(slots=True)
class Cursor:
    """One open cursor."""

    batches: list[int]
    """Exchanges of the recording."""
    awaits: bool
    """It has no end: a change stream or a tailable cursor."""
    last: Document
    echoes: Echo | None
    at: int = 0


class Cursors:
    """All cursors of one server."""

    def __init__(self, desk: MongoDesk) -> None:
        self._desk = desk
        self._open: dict[int, Cursor] = {}
        self._numbers = count(FIRST)

    def opened(self, command: Command, found: Found) -> Document:
        """A reply with its cursor numbered anew, where it has one that goes on."""
        told = found.reply.get("cursor")
        if not isinstance(told, dict) or not told.get("id"):
            return found.reply
        if len(self._open) >= KEPT:
            del self._open[next(iter(self._open))]
        number = next(self._numbers)
        batches = self._desk.recording.batches.get(str(int(told["id"])), [])
        told["id"] = Int64(number)
        self._open[number] = Cursor(batches, _awaits(command), found.reply, found.echoes)
        return found.reply

    def more(self, number: int, command: Command, wait_ms: int | None) -> Found:
        """The next batch."""
        cursor = self._open.get(number)
        if cursor is None:
            self._desk.simulated(command, status="CursorNotFound")
            return Found(error_of(NOT_FOUND, "CursorNotFound", f"cursor id {number} not found"))
        while cursor.at < len(cursor.batches):
            recorded = self._desk.recording.answers[cursor.batches[cursor.at]]
            cursor.at += 1
            found = self._desk.found(recorded, cursor.echoes)
            told = found.reply.get("cursor")
            if cursor.awaits and isinstance(told, dict) and told.get("id") and not told.get("nextBatch"):
                continue  # it waited for nothing: how often is a matter of time
            self._desk.simulated(command, recorded.sequence, recorded.status)
            if not isinstance(told, dict) or not told.get("id"):
                del self._open[number]
            else:
                told["id"] = Int64(number)
                cursor.last = found.reply
            return found
        if cursor.awaits:
            self._desk.simulated(command)
            seconds = IDLE_SECONDS if wait_ms is None else wait_ms / 1000
            return Found(_nothing(cursor.last, number), delay=min(seconds, IDLE_SECONDS * 10))
        del self._open[number]
        return Found(self._desk.miss(command, "the app reads more of a cursor than was recorded; record again"))

    def kill(self, numbers: list[Any]) -> Document:
        """The reply to killCursors."""
        killed = [each for each in numbers if self._open.pop(int(each), None) is not None]
        missing = [each for each in numbers if each not in killed]
        killed_or_not = {"cursorsKilled": killed, "cursorsNotFound": missing}
        return {**killed_or_not, "cursorsAlive": [], "cursorsUnknown": [], "ok": 1.0}


def _awaits(command: Command) -> bool:
    pipeline = command.get("pipeline")
    first = pipeline[0] if isinstance(pipeline, list) and pipeline else None
    return bool(command.get("tailable")) or (isinstance(first, dict) and "$changeStream" in first)


def _nothing(last: Document, number: int) -> Document:
    """An empty batch after the last one."""
    told = {name: value for name, value in last["cursor"].items() if name not in ("firstBatch", "nextBatch")}
    return {**last, "cursor": {**told, "id": Int64(number), "nextBatch": []}}
