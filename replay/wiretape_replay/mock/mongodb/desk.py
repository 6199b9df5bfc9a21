"""One MongoDB server of a snapshot: commands in, recorded replies or errors out, with the journal. No socket here."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from pydantic import JsonValue

from wiretape_capture.databases.exchanges import JSON
from wiretape_capture.protocols.mongodb.commands import name_of, target_of
from wiretape_capture.protocols.mongodb.documents import Document, document_of
from wiretape_capture.snapshot.exchange import Body, Protocol, Request
from wiretape_replay.match.closest import closest
from wiretape_replay.match.documents import DocumentParts, parts_of_document
from wiretape_replay.match.echo import Echo
from wiretape_replay.match.index import Index
from wiretape_replay.match.lanes import SHARED
from wiretape_replay.match.matcher import Hit, Matcher
from wiretape_replay.mock.answer import Fault
from wiretape_replay.mock.databases.outages import Doors, refused_entry
from wiretape_replay.mock.databases.told import differences
from wiretape_replay.mock.journal import Entry, Journal
from wiretape_replay.mock.mongodb.recording import MongoRecording, Recorded, thread_of
from wiretape_replay.mock.spec import Candidate

MISS = "WT001"
"""codeName of the error of a command that no recording answers; no server says it."""
CODE = 389_001
"""Its code, far from the server's own."""
JOURNALED = 64 << 10
"""Bytes; a longer document of a miss is journaled as its size and hash."""

type Command = dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Found:
    """What answers one command."""

    reply: Document = field(default_factory=dict)
    sequence: int = 0
    """The exchange that answered; 0 for none."""
    fault: Fault = ""
    """How the connection ended, where no reply came."""
    delay: float = 0.0
    """Seconds to wait before it is sent."""
    echoes: Echo | None = None


class MongoDesk:
    """Answers the commands of one server."""

    def __init__(self, service: str, index: Index, matcher: Matcher, recording: MongoRecording, journal: Journal,
                 delay_factor: float = 0.0, on_miss: Callable[[Entry], None] | None = None) -> None:  # fmt: skip
        self.service = service
        self.name = index.name(service)
        self.recording = recording
        self.journal = journal
        self._index = index
        self._matcher = matcher
        self._factor = delay_factor
        self._on_miss = on_miss
        self.doors = Doors(recording.outages, matcher.used)

    def refuses(self) -> bool:
        """Whether a client that connects is refused, as one in the recording was."""
        refused = self.doors.attempt()
        if refused is None:
            return False
        self.journal.record(refused_entry(refused, self.name, Protocol.MONGODB, time.time_ns()))
        return True

    def simulated(self, command: Command, sequence: int = 0, status: str = "") -> None:
        """Journal what was answered without matching; a further batch of a cursor with the exchange that brought it."""
        name = name_of(command)
        self.journal.record(Entry(time.time_ns(), self.name, name, f"{name} {target_of(command)}", "simulated",
                                  sequence or None, status, protocol=Protocol.MONGODB,
                                  thread=thread_of(command)))  # fmt: skip

    def find(self, command: Command) -> Found:
        """The reply to one command. It moves the matching state on and writes the journal."""
        parts = parts_of_document(self.service, command)
        now = time.time_ns()
        hit = self._matcher.match(parts, SHARED, "", now)
        if not isinstance(hit, Hit):
            return self._miss(parts, command, now)
        recorded = self.recording.answers[hit.recorded.sequence]
        self.journal.record(
            Entry(now, self.name, parts.method, parts.path, hit.tier, recorded.sequence, recorded.status,
                  normalized=hit.differences, protocol=Protocol.MONGODB, thread=thread_of(command))
        )  # fmt: skip
        return self.found(recorded, Echo(hit.echoes) if hit.echoes else None)

    def found(self, recorded: Recorded, echoes: Echo | None) -> Found:
        """A recorded reply with live values in it."""
        if recorded.document is None:
            return Found(sequence=recorded.sequence, fault=recorded.fault or "close")
        text = echoes.data(recorded.document) if echoes is not None else recorded.document
        return Found(document_of(orjson.loads(text)), recorded.sequence,
                     delay=self._factor * recorded.duration_us / 1e6, echoes=echoes)  # fmt: skip

    def _miss(self, parts: DocumentParts, command: Mapping[str, JsonValue], now: int) -> Found:
        near = closest(self._index, parts)
        request = _request(parts, command)
        entry = Entry(
            now, self.name, parts.method, parts.path, "miss", status=MISS, closest=near, request=request,
            body_sha256=request.body.sha256, protocol=Protocol.MONGODB, thread=thread_of(command),
        )  # fmt: skip
        if self.journal.record(entry) and self._on_miss is not None:
            self._on_miss(entry)
        return Found(miss_error(parts, near))

    def miss(self, command: Command, why: str) -> Document:
        """The miss of a command that is not matched."""
        self._miss(parts_of_document(self.service, command), command, time.time_ns())
        return error_of(CODE, MISS, f"wiretape: {why}")


def _request(parts: DocumentParts, command: Mapping[str, JsonValue]) -> Request:
    data = orjson.dumps(dict(command))
    body = Body(size=len(data), sha256=hashlib.sha256(data).hexdigest(), data=data if len(data) <= JOURNALED else None)
    return Request(method=parts.method, target=parts.path, version=Protocol.MONGODB, headers=JSON, body=body)


def miss_error(parts: DocumentParts, near: tuple[Candidate, ...]) -> Document:
    """The error of a miss: which recording is nearest, and in what it differs."""
    problem = f"wiretape: nothing recorded answers this command: {parts.path[:300]}"
    if not near:
        return error_of(CODE, MISS, f"{problem}; record again with this command in the traffic")
    detail = "; ".join(differences(near[0]))
    nearest = f"Exchange {near[0].sequence} is nearest: {detail}"
    return error_of(CODE, MISS, f"{problem}. {nearest}. If the app's command changed on purpose, record again")


def error_of(code: int, name: str, problem: str) -> dict[str, Any]:
    """A command's error."""
    return {"ok": 0.0, "errmsg": problem, "code": code, "codeName": name}
