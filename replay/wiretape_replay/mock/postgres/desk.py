"""One database of a snapshot: statements in, recorded answers or errors out, with the journal. It owns no socket."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from wiretape_capture.databases.exchanges import JSON
from wiretape_capture.protocols.sql import Statement
from wiretape_capture.snapshot.exchange import Body, Protocol, Request
from wiretape_replay.match.closest import closest
from wiretape_replay.match.echo import Echo
from wiretape_replay.match.index import Index
from wiretape_replay.match.lanes import SHARED
from wiretape_replay.match.matcher import Hit, Matcher
from wiretape_replay.match.statements import POSTGRES, StatementParts, parts_of_statement
from wiretape_replay.mock.answer import Fault
from wiretape_replay.mock.journal import Entry, Journal, line_after_time
from wiretape_replay.mock.postgres.recording import DatabaseRecording, Fields, Shape, cursor_key
from wiretape_replay.mock.postgres.replies import Spell
from wiretape_replay.mock.postgres.shortcut import Room
from wiretape_replay.mock.postgres.transaction import error_of
from wiretape_replay.mock.spec import Candidate

MISS = "WT001"
"""SQLSTATE of a statement that no recording answers; the class is nobody else's."""
REMEMBERED = 4096
"""Statements, and answers, that are not taken apart again."""
SMALL = 16 << 10
JOURNALED = 64 << 10
"""Bytes; a longer document of a miss is journaled as its size and hash."""
DEFAULTS = {
    "server_version": "15.0", "server_encoding": "UTF8", "client_encoding": "UTF8", "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres", "TimeZone": "Etc/UTC", "integer_datetimes": "on", "standard_conforming_strings": "on",
    "is_superuser": "off", "default_transaction_read_only": "off", "in_hot_standby": "off",
}  # fmt: skip
"""What a server says of itself where no connection was recorded."""


@dataclass(frozen=True, slots=True)
class Found:
    """What answers one statement."""

    results: list[dict[str, Any]] = field(default_factory=list)
    notices: list[Fields] = field(default_factory=list)
    error: Fields | None = None
    notifications: list[tuple[str, str]] = field(default_factory=list)
    sequence: int = 0
    spell: Spell = None
    fault: Fault = ""
    """How the connection ended, where no answer came."""
    delay: float = 0.0
    """Seconds to wait before it is sent."""


class PostgresDesk:
    """Answers the statements of one database."""

    def __init__(self, service: str, index: Index, matcher: Matcher, recording: DatabaseRecording, journal: Journal,
                 delay_factor: float = 0.0, on_miss: Callable[[Entry], None] | None = None) -> None:  # fmt: skip
        self.service = service
        self.name = index.name(service)
        self.recording = recording
        self._index = index
        self._matcher = matcher
        self.journal = journal
        self._factor = delay_factor
        self._on_miss = on_miss
        self._known: dict[tuple[object, ...], StatementParts] = {}
        self._read: dict[int, dict[str, Any]] = {}
        self.room = Room()
        self.settled: list[bytes] = []
        """Lines of the journal for answers that stay the same from now on, since somebody put a new list here."""

    def parameters(self, startup: Mapping[str, str]) -> dict[str, str]:
        """What the server says of itself to this client: as in the recorded connection that is most like it."""
        user, database = startup.get("user", ""), startup.get("database", startup.get("user", ""))
        known = [each for each in self.recording.logins if each.parameters]
        alike = [each for each in known if (each.user, each.database) == (user, database)] or known
        told = DEFAULTS | (alike[-1].parameters if alike else {})
        return told | {"session_authorization": user, "application_name": startup.get("application_name", "")}

    def refusal(self, startup: Mapping[str, str]) -> Fields | None:
        """The error with which every recorded login of this user to this database was refused."""
        user, database = startup.get("user", ""), startup.get("database", startup.get("user", ""))
        logins = [each for each in self.recording.logins if (each.user, each.database) == (user, database)]
        return logins[-1].error if logins and all(each.error for each in logins) else None

    def knows(self, template: str) -> bool:
        """Whether the recording has a statement like this, whatever its values."""
        return self.recording.knows(template)

    def shape(self, template: str) -> Shape | None:
        """What such a statement takes and gives."""
        return self.recording.shape(template, self._matcher.used)

    def cursor(self, declared: str) -> Shape | None:
        """What a cursor gives, by the statement that declared it."""
        known = self.recording.cursors.get(cursor_key(declared))
        return known or self.shape(cursor_key(declared))

    def types(self, template: str, count: int) -> tuple[int, ...]:
        """The recorded types of a statement's parameters."""
        return self.recording.types(template, count)

    def copy_format(self, template: str) -> tuple[int, ...]:
        """How the data of a recorded COPY FROM is sent; empty for none."""
        return tuple(self.recording.copy_format(template))

    def simulated(self, statement: Statement) -> None:
        """Journal what was answered without the recording."""
        self.journal.record(
            Entry(
                time.time_ns(),
                self.name,
                statement.command,
                statement.template,
                "simulated",
                protocol=Protocol.POSTGRES,
            )
        )

    def find(self, document: Mapping[str, Any]) -> Found:
        """The answer to one execution. It moves the matching state on and writes the journal."""
        parts = self._parts(document)
        now = time.time_ns()
        found = self._matcher.match(parts, SHARED, "", now)
        if not isinstance(found, Hit):
            return self._miss(parts, document, now)
        recorded = self.recording.answers[found.recorded.sequence]
        told = self.recording.notifications.get(recorded.sequence, [])
        entry = Entry(now, self.name, parts.method, parts.path, found.tier, recorded.sequence, recorded.status,
                      normalized=found.differences, protocol=Protocol.POSTGRES)  # fmt: skip
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
        if "copy" in document or any(isinstance(each, dict) for each in params):
            return parts_of_statement(self.service, document)
        key = (document["sql"], params, document.get("cursor"))
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            known = self._known[key] = parts_of_statement(self.service, document)
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

    def _miss(self, parts: StatementParts, document: Mapping[str, Any], now: int) -> Found:
        near = closest(self._index, parts)
        entry = Entry(now, self.name, parts.method, parts.path, "miss", status=MISS, closest=near,
                      request=(asked := _request(parts, document)), body_sha256=asked.body.sha256,
                      protocol=Protocol.POSTGRES)  # fmt: skip
        if self.journal.record(entry) and self._on_miss is not None:
            self._on_miss(entry)
        return Found(error=miss_error(parts, near))

    def undescribed(self, document: Mapping[str, Any]) -> Found:
        """The miss of a statement that was to be described and is not known at all."""
        return self._miss(parts_of_statement(self.service, document), document, time.time_ns())


def _request(parts: StatementParts, document: Mapping[str, Any]) -> Request:
    data = orjson.dumps(dict(document))
    body = Body(size=len(data), sha256=hashlib.sha256(data).hexdigest(), data=data if len(data) <= JOURNALED else None)
    return Request(method=parts.method, target=parts.path, version=POSTGRES, headers=JSON, body=body)


def miss_error(parts: StatementParts, near: tuple[Candidate, ...]) -> Fields:
    """The ErrorResponse of a miss: which recording is nearest, and in what it differs."""
    if not near:
        return error_of(MISS, f"wiretape: nothing recorded answers this statement: {parts.path[:300]}",
                        H="record again with this statement in the traffic")  # fmt: skip
    first = near[0]
    detail = "; ".join(_differences(first))
    return error_of(
        MISS, f"wiretape: nothing recorded answers this statement: {parts.path[:300]}",
        D=f"Exchange {first.sequence} is nearest: {detail}.",
        H="if the app's statement changed on purpose, record again",
    )  # fmt: skip


def _differences(near: Candidate) -> Iterator[str]:
    if not near.differences:
        yield "it was recorded, and all its answers were given"
    for each in near.differences[:4]:
        yield f"{each.where} was {_said(each.recorded)}, is {_said(each.live)}"


def _said(value: str | None) -> str:
    return "absent or NULL" if value is None else repr(value)
