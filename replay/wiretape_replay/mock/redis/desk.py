"""One Redis server of a snapshot: commands in, recorded answers or errors out, with the journal. It owns no socket.

A command that came before is neither taken apart nor looked up again: what is sent and written is made once.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from wiretape_capture.databases.exchanges import JSON
from wiretape_capture.protocols.redis.cells import Cell
from wiretape_capture.protocols.redis.commands import meaning_of
from wiretape_capture.protocols.redis.requests import Arguments
from wiretape_capture.protocols.redis.told import to_document
from wiretape_capture.protocols.redis.writing import write
from wiretape_capture.snapshot.exchange import Body, Protocol, Request
from wiretape_replay.match.closest import closest
from wiretape_replay.match.commands import CommandParts, parts_of_command
from wiretape_replay.match.echo import Echo
from wiretape_replay.match.index import Index
from wiretape_replay.match.index import Recorded as Rung
from wiretape_replay.match.lanes import SHARED
from wiretape_replay.match.matcher import Hit, Matcher
from wiretape_replay.mock.answer import Fault
from wiretape_replay.mock.databases.outages import Doors, Login, refused_entry
from wiretape_replay.mock.databases.told import differences
from wiretape_replay.mock.journal import Entry, Journal, line_after_time
from wiretape_replay.mock.redis.recording import Message, Recorded, RedisRecording, key_of
from wiretape_replay.mock.redis.shapes import Unshaped, shaped, shaped_all
from wiretape_replay.mock.spec import Candidate

MISS = "WT001"
"""First word of the error of a command that no recording answers; no server says it."""
DISCARD = "DISCARD"
REMEMBERED = 8192
"""Commands that are not taken apart again."""
KEPT_COMMAND = 2 << 10
"""Bytes of the arguments of such a command."""
SMALL = 16 << 10
"""Bytes of an answer that is kept as it is sent."""
JOURNALED = 64 << 10
"""Bytes; a longer document of a miss is journaled as its size and hash."""
IDLE_SECONDS = 1.0
"""How long a blocking command waits, at most, for nothing."""
AWAITED_SECONDS = 5.0
"""How long it waits, at most, for the write that it waited for in the recording."""


@dataclass(frozen=True, slots=True)
class Found:
    """What answers one command."""

    data: bytes
    delay: float = 0.0
    """Seconds to wait before it is sent."""
    awaits: int = 0
    """The exchange whose arrival ends that wait."""
    fault: Fault = ""
    """How the connection ended, where no answer came."""
    sequence: int = 0
    """The exchange that answered; 0 for a miss."""


@dataclass(frozen=True, slots=True)
class Given:
    """An answer as it is sent, and its line in the journal but for the time."""

    found: Found
    line: bytes


@dataclass(slots=True)
class Asked:
    """A command, or a transaction of several, as one database in one version of RESP is asked for it."""

    commands: Sequence[Arguments]
    document: dict[str, Any]
    parts: CommandParts
    ladder: Sequence[Rung] | None
    plain: bool
    """It does nothing but get its answer."""
    given: dict[int, Given] = field(default_factory=dict)
    settled: Given | None = None
    """The answer that it gets from now on, whatever else is asked."""


class RedisDesk:
    """Answers the commands of one server."""

    def __init__(self, service: str, index: Index, matcher: Matcher, recording: RedisRecording, journal: Journal,
                 delay_factor: float = 0.0, on_miss: Callable[[Entry], None] | None = None) -> None:  # fmt: skip
        self.service = service
        self.name = index.name(service)
        self.recording = recording
        self.journal = journal
        self._index = index
        self._matcher = matcher
        self._factor = delay_factor
        self._on_miss = on_miss
        self._said_at: dict[tuple[str, ...], int] = {}
        self.doors = Doors(recording.outages, matcher.used)

    def refusal(self) -> bytes | None:
        """What a client that connects is told and refused with, as one in the recording was; None: it is served."""
        refused = self.doors.attempt()
        if refused is None:
            return None
        self.journal.record(refused_entry(refused, self.name, Protocol.REDIS, time.time_ns()))
        return error(refused.said) if refused.said else b""

    def denial(self, login: Login) -> str:
        """The error of a login that was refused at this place of the recording; empty: it is let in."""
        refused = self.doors.attempt(login)
        if refused is None:
            return "" if login in self.recording.admitted else self.recording.denied.get(login, "")
        self.journal.record(refused_entry(refused, self.name, Protocol.REDIS, time.time_ns()))
        return refused.said

    def used(self, sequence: int) -> bool:
        """Whether an exchange was served."""
        return sequence in self._matcher.used

    def simulated(self, arguments: Arguments) -> None:
        """Journal what was answered without matching."""
        name = meaning_of(arguments).name
        self.journal.record(Entry(time.time_ns(), self.name, name, name, "simulated", protocol=Protocol.REDIS))

    def discarded(self, asked: Asked, how: str) -> None:
        """Journal the commands of a transaction that did not come to its EXEC, with how that was."""
        self.journal.record(Entry(time.time_ns(), self.name, DISCARD, asked.parts.path, "simulated", status=how,
                                  request=_request(asked), protocol=Protocol.REDIS))  # fmt: skip

    def said(self, arguments: Arguments, resp: int) -> Cell | None:
        """What the recorded server said of itself, one answer after the other; None where it was not asked."""
        key = key_of(arguments)
        known = self.recording.said.get(key)
        if known is None:
            return None
        at = self._said_at.get(key, 0)
        self._said_at[key] = at + 1
        cell, recorded = known[min(at, len(known) - 1)]
        try:
            return shaped(cell, arguments, recorded, resp)
        except Unshaped:
            return None

    def ask(self, commands: Sequence[Arguments], db: int, resp: int, *, transaction: bool = False) -> Asked:
        """Take a command, or the commands of a transaction, apart."""
        told = [to_document(each) for each in commands]
        document: dict[str, Any] = {"transaction": told} if transaction else {"command": told[0]}
        document |= {"db": db, "resp": resp}
        parts = parts_of_command(self.service, document)
        ladder = self._matcher.ladder(parts, "")
        return Asked(commands, document, parts, ladder, ladder is not None and all(map(self._is_plain, ladder)))

    def _is_plain(self, rung: Rung) -> bool:
        recorded, told = self.recording.answers[rung.sequence], rung.sequence
        slow = self._factor > 0 or recorded.blocking or recorded.document is None
        return not (slow or told in self.recording.messages or told in self.recording.invalidated
                    or "PUBLISH" in rung.parts.segments[0] or len(recorded.document or b"") > SMALL)  # fmt: skip

    def answer(self, asked: Asked) -> Found:
        """The answer that is due. It moves the matching state on and writes the journal."""
        now = time.time_ns()
        if asked.settled is not None:
            self.journal.again(now, asked.settled.line)
            return asked.settled.found
        if asked.ladder is not None:
            hit = self._matcher.match_ladder(asked.ladder)
        else:
            hit = self._matcher.match(asked.parts, SHARED, "", now)
        if not isinstance(hit, Hit):
            return self._miss(asked, now)
        if not asked.plain or hit.tier != "exact" or hit.echoes:
            return self._found(asked, hit, now)
        given = asked.given.get(hit.recorded.sequence)
        if given is None:
            recorded = self.recording.answers[hit.recorded.sequence]
            try:
                found = Found(self._data(asked, recorded, None), sequence=recorded.sequence)
            except Unshaped as problem:
                return self._miss(asked, now, str(problem))
            line = line_after_time(self._entry(asked, hit, recorded, now))
            given = asked.given[recorded.sequence] = Given(found, line)
        if hit.settled:
            asked.settled = given
        self.journal.again(now, given.line)
        return given.found

    def _found(self, asked: Asked, hit: Hit, now: int) -> Found:
        recorded = self.recording.answers[hit.recorded.sequence]
        if recorded.document is None:
            self.journal.record(self._entry(asked, hit, recorded, now))
            return Found(b"", fault=recorded.fault or "close", sequence=recorded.sequence)
        try:
            data = self._data(asked, recorded, Echo(hit.echoes) if hit.echoes else None)
        except Unshaped as problem:
            return self._miss(asked, now, str(problem))
        self.journal.record(self._entry(asked, hit, recorded, now))
        delay = self._factor * recorded.duration_us / 1e6
        awaits = 0
        if recorded.blocking and recorded.awaits and not self.used(recorded.awaits):
            delay, awaits = min(recorded.duration_us / 1e6, AWAITED_SECONDS), recorded.awaits
        elif recorded.blocking and _is_nothing(recorded.document):
            delay = max(delay, min(recorded.duration_us / 1e6, IDLE_SECONDS))
        return Found(data, delay, awaits, sequence=recorded.sequence)

    def _data(self, asked: Asked, recorded: Recorded, echo: Echo | None) -> bytes:
        """A recorded answer as it is sent. Raises Unshaped."""
        answer = orjson.loads(recorded.document or b"{}")
        resp = int(asked.document["resp"])
        if not recorded.complete:
            raise Unshaped(f"exchange {recorded.sequence} has an answer that was too large to keep")
        if "reply" not in answer:
            raise Unshaped(f"exchange {recorded.sequence} was recorded without an answer (CLIENT REPLY)")
        cell = answer["reply"] if echo is None else _spelled(answer["reply"], echo)
        try:
            if "transaction" in asked.document:
                cell = shaped_all(cell, asked.commands, recorded.resp, resp)
            else:
                cell = shaped(cell, asked.commands[0], recorded.resp, resp)
            return write(cell, resp)
        except (Unshaped, ValueError):
            raise Unshaped(f"exchange {recorded.sequence} was recorded in RESP{recorded.resp} and is not known in "
                           f"RESP{resp}: record again in that version") from None  # fmt: skip

    def _entry(self, asked: Asked, hit: Hit, recorded: Recorded, now: int) -> Entry:
        return Entry(now, self.name, asked.parts.method, asked.parts.path, hit.tier, recorded.sequence, recorded.status,
                     normalized=hit.differences, protocol=Protocol.REDIS)  # fmt: skip

    def _miss(self, asked: Asked, now: int, why: str = "") -> Found:
        near = closest(self._index, asked.parts) if not why else ()
        request = _request(asked)
        entry = Entry(now, self.name, asked.parts.method, asked.parts.path, "miss", status=MISS, closest=near,
                      request=request, body_sha256=request.body.sha256, protocol=Protocol.REDIS)  # fmt: skip
        if self.journal.record(entry) and self._on_miss is not None:
            self._on_miss(entry)
        return Found(miss_error(asked.parts, near, why))

    def published(self, sequence: int) -> Iterable[Message]:
        """What others published after an exchange."""
        return self.recording.messages.get(sequence, ())


def _is_nothing(document: bytes) -> bool:
    reply = orjson.loads(document).get("reply")
    return reply is None or (isinstance(reply, dict) and "null" in reply)


def _spelled(cell: Cell, echo: Echo) -> Cell:
    if isinstance(cell, str):
        return echo.text(cell)
    if isinstance(cell, list):
        return [_spelled(each, echo) for each in cell]
    if isinstance(cell, dict) and "base64" not in cell:
        return {name: _spelled(value, echo) for name, value in cell.items()}
    return cell


def _request(asked: Asked) -> Request:
    data = orjson.dumps(asked.document)
    body = Body(size=len(data), sha256=hashlib.sha256(data).hexdigest(), data=data if len(data) <= JOURNALED else None)
    parts = asked.parts
    return Request(method=parts.method, target=parts.path, version=Protocol.REDIS, headers=JSON, body=body)


def miss_error(parts: CommandParts, near: Sequence[Candidate], why: str = "") -> bytes:
    """The error of a miss: which recording is nearest, and in what it differs."""
    problem = f"{MISS} wiretape: nothing recorded answers this command: {parts.path[:300]}"
    if why:
        problem += f"; {why}"
    elif near:
        problem += f"; exchange {near[0].sequence} is nearest: {'; '.join(differences(near[0]))}"
    else:
        problem += "; record again with this command in the traffic"
    return error(problem)


def error(text: str) -> bytes:
    """An error reply; it is one line."""
    return b"-%b\r\n" % " ".join(text.split()).encode()
