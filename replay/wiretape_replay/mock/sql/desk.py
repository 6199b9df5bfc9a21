"""One SQL database of a snapshot: statements in, recorded answers or errors out, with the journal. No socket."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NamedTuple

import orjson

from wiretape_capture.databases.exchanges import JSON
from wiretape_capture.protocols.sql import Statement
from wiretape_capture.snapshot.exchange import Body, Request
from wiretape_replay.match.closest import closest
from wiretape_replay.match.echo import Echo
from wiretape_replay.match.index import Index
from wiretape_replay.match.lanes import SHARED
from wiretape_replay.match.matcher import Hit, Matcher
from wiretape_replay.match.statements import StatementParts, parts_of_statement, spoken
from wiretape_replay.mock.answer import Fault
from wiretape_replay.mock.databases.outages import Doors, Login, refused_entry
from wiretape_replay.mock.databases.told import differences
from wiretape_replay.mock.journal import Entry, Journal, line_after_time
from wiretape_replay.mock.spec import Candidate
from wiretape_replay.mock.sql.recording import Error, Shape, SqlRecording, failure_key

MISS = "WT001"
"""Status of a statement that no recording answers; as a SQLSTATE the class is nobody else's."""
REMEMBERED = 4096
"""Statements, and answers, that are not taken apart again."""
SMALL = 16 << 10
_LARGE = frozenset({"copy", "infile", "bulk"})
"""Members of a document that are not looked up by."""
JOURNALED = 64 << 10
"""Bytes; a longer document of a miss is journaled as its size and hash."""
type Spell = Callable[[str], str] | None
"""Puts live values in place of recorded ones."""


@dataclass(frozen=True, slots=True)
class Found:
    """What answers one statement."""

    results: list[dict[str, Any]] = field(default_factory=list)
    notices: list[Error] = field(default_factory=list)
    error: Error | None = None
    notifications: list[tuple[str, str]] = field(default_factory=list)
    sequence: int = 0
    spell: Spell = None
    fault: Fault = ""
    """How the connection ended, where no answer came."""
    delay: float = 0.0
    """Seconds to wait before it is sent."""


class SqlDesk[C]:
    """Answers the statements of one database."""

    def __init__(self, service: str, index: Index, matcher: Matcher, recording: SqlRecording[C], journal: Journal,
                 delay_factor: float = 0.0, on_miss: Callable[[Entry], None] | None = None) -> None:  # fmt: skip
        self.service = service
        self.name = index.name(service)
        self.recording = recording
        self._index = index
        self._matcher = matcher
        self.journal = journal
        self._factor = delay_factor
        self._on_miss = on_miss
        self.doors = Doors(recording.outages, matcher.used)
        self._known: dict[tuple[object, ...], StatementParts] = {}
        self._read: dict[int, dict[str, Any]] = {}
        self.threads = count(1)
        """Numbers of the connections."""
        self.settled: list[bytes] = []
        """Lines of the journal for answers that stay the same from now on, since somebody put a new list here."""

    def _told_after(self, _sequence: int) -> list[tuple[str, str]]:
        """Notifications that came after an exchange."""
        return []

    def _miss_error(self, missed: Missed) -> Error:
        """The error of a miss in the protocol's own form."""
        raise NotImplementedError

    def turned_away(self, login: Login | None = None) -> Error | None:
        """The error with which the next client is refused as one in the recording was; None: served.

        Without a login: whoever it is.
        """
        refused = self.doors.attempt(login)
        if refused is None:
            return None
        self.journal.record(refused_entry(refused, self.name, self.recording.protocol, time.time_ns()))
        return refused.said

    def knows(self, template: str) -> bool:
        """Whether the recording has a statement like this, whatever its values."""
        return self.recording.knows(template)

    def knows_whole(self, statement: Statement, last: int) -> bool:
        """Whether the recording has an answer to several statements at once, after an exchange of their connection."""
        return self.knows(statement.template) or failure_key(statement, last) in self.recording.failed

    def shape(self, template: str) -> Shape[C] | None:
        """What such a statement takes and gives."""
        return self.recording.shape(template, self._matcher.used)

    def types(self, template: str, count: int) -> tuple[int, ...]:
        """The recorded types of a statement's parameters."""
        return self.recording.types(template, count)

    def simulated(self, statement: Statement, thread: str, status: str = "", *, command: str = "",
                  settled: bool = False) -> None:  # fmt: skip
        """Journal what was answered without the recording, on one connection; `command` says what it came to."""
        entry = Entry(time.time_ns(), self.name, command or statement.command, spoken(statement), "simulated",
                      status=status, protocol=self.recording.protocol, thread=thread)  # fmt: skip
        self.journal.record(entry)
        if settled:
            self.settled.append(line_after_time(entry))

    def find(self, document: Mapping[str, Any], thread: str) -> Found:
        """The answer to one execution on a connection. It moves the matching state on and writes the journal."""
        parts = self._parts(document)
        now = time.time_ns()
        found = self._matcher.match(parts, SHARED, "", now)
        if not isinstance(found, Hit):
            return self._miss(parts, document, now, thread)
        recorded = self.recording.answers[found.recorded.sequence]
        told = self._told_after(recorded.sequence)
        entry = Entry(now, self.name, parts.method, parts.path, found.tier, recorded.sequence, recorded.status,
                      normalized=found.differences, protocol=self.recording.protocol, thread=thread)  # fmt: skip
        self.journal.record(entry)
        if found.settled and not (told or self._factor or recorded.document is None):
            self.settled.append(line_after_time(entry))
        if recorded.document is None:
            return Found(fault=recorded.fault or "close", sequence=recorded.sequence)
        answer = self._answer(recorded.sequence, recorded.document)
        spell = Echo(found.echoes).text if found.echoes else None
        return Found(answer.get("results") or [], answer.get("notices") or [], answer.get("error"), told,
                     recorded.sequence, spell, delay=self._factor * recorded.duration_us / 1e6)  # fmt: skip

    def _parts(self, document: Mapping[str, Any]) -> StatementParts:
        """The parts of a statement, remembered where it has no data and no value of an unknown type."""
        params = tuple(document.get("params") or ())
        if not _LARGE.isdisjoint(document) or any(isinstance(each, dict) for each in params):
            return parts_of_statement(self.service, document, self.recording.protocol)
        key = (document["sql"], params, document.get("cursor"), document.get("ansi"))
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            known = self._known[key] = parts_of_statement(self.service, document, self.recording.protocol)
        return known

    def _answer(self, sequence: int, document: bytes) -> dict[str, Any]:
        """A recorded answer read; small ones are remembered. Nobody may change it."""
        known = self._read.get(sequence)
        if known is None:
            known = orjson.loads(document)
            if len(document) <= SMALL:
                if len(self._read) >= REMEMBERED:
                    self._read.clear()
                self._read[sequence] = known
        return known

    def _miss(self, parts: StatementParts, document: Mapping[str, Any], now: int, thread: str) -> Found:
        near = closest(self._index, parts)
        protocol = self.recording.protocol
        asked = _request(parts, document, protocol)
        entry = Entry(now, self.name, parts.method, parts.path, "miss", status=MISS, closest=near, request=asked,
                      body_sha256=asked.body.sha256, protocol=protocol, thread=thread)  # fmt: skip
        if self.journal.record(entry) and self._on_miss is not None:
            self._on_miss(entry)
        return Found(error=self._miss_error(missed(parts, near)))

    def undescribed(self, document: Mapping[str, Any], thread: str) -> Found:
        """The miss of a statement that was to be described and is not known at all."""
        parts = parts_of_statement(self.service, document, self.recording.protocol)
        return self._miss(parts, document, time.time_ns(), thread)


def _request(parts: StatementParts, document: Mapping[str, Any], version: str) -> Request:
    data = orjson.dumps(dict(document))
    body = Body(size=len(data), sha256=hashlib.sha256(data).hexdigest(), data=data if len(data) <= JOURNALED else None)
    return Request(method=parts.method, target=parts.path, version=version, headers=JSON, body=body)


class Missed(NamedTuple):
    """What the error of a miss says: the problem, which recording is nearest and in what it differs, what to do."""

    problem: str
    detail: str
    hint: str


def missed(parts: StatementParts, near: tuple[Candidate, ...]) -> Missed:
    """What is told of a statement that nothing recorded answers."""
    problem = f"wiretape: nothing recorded answers this statement: {parts.path[:300]}"
    if not near:
        return Missed(problem, "", "record again with this statement in the traffic")
    detail = f"Exchange {near[0].sequence} is nearest: {'; '.join(differences(near[0]))}."
    return Missed(problem, detail, "if the app's statement changed on purpose, record again")
