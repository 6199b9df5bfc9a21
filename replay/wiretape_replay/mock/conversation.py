"""The requests of one connection, answered in the order in which they came, one at a time.

It takes whole requests and hands bytes to a wire; what the bytes of the connection are is decided elsewhere.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from wiretape_capture.errors import WiretapeError
from wiretape_replay.mock import refusal
from wiretape_replay.mock.allow import AllowList
from wiretape_replay.mock.answer import Answer
from wiretape_replay.mock.desk import Desk
from wiretape_replay.mock.incoming import Head, Incoming
from wiretape_replay.mock.journal import Entry
from wiretape_replay.mock.origin import Origin
from wiretape_replay.mock.question import Question, Reply
from wiretape_replay.mock.relay import Relay, forwarded_head, is_chunked
from wiretape_replay.mock.seen import Seen
from wiretape_replay.mock.tls import Certificates
from wiretape_replay.mock.wire import Wire

BACKLOG_LIMIT = 256
"""Pipelined requests waiting for an answer; beyond it the connection is not read."""


@dataclass(frozen=True, slots=True)
class Seconds:
    """How long a client may take."""

    head: float = 20.0
    """From the first byte of a request's head to its last."""
    body: float = 60.0
    """Between two pieces of a body."""
    hang: float = 300.0
    """How long a recorded time-out holds the connection, at most."""


@dataclass(frozen=True, slots=True)
class House:
    """What all connections of one mock share."""

    desk: Desk
    certificates: Certificates
    allow: AllowList
    body_chunks: Callable[[str], AsyncIterator[bytes]]
    notice: Callable[[str], None]
    seconds: Seconds
    seen: Seen


class Conversation:
    """One connection's requests and answers."""

    def __init__(self, house: House, wire: Wire) -> None:
        self._house = house
        self._wire = wire
        self._backlog: deque[tuple[Incoming, Origin]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._relay: Relay | None = None
        self._chunked = False
        self._last = False
        """The client sends no more."""

    @property
    def busy(self) -> bool:
        """Whether an answer is under way."""
        return self._task is not None

    def ask(self, incoming: Incoming, origin: Origin, *, kept: bool = False) -> Question | None:
        """One more request, which may be meant to be remembered; what it asks, unless it has to wait."""
        if self._task is None:
            question = self._house.desk.question(incoming, origin)
            question.kept = kept
            self.answer(question)
            return question
        self._backlog.append((incoming, origin))
        if len(self._backlog) > BACKLOG_LIMIT:
            self._wire.hold()
        return None

    def answer(self, question: Question) -> None:
        """Answer a request while no other answer is under way."""
        self.reply(self._house.desk.answer(question))

    def reply(self, reply: Reply) -> None:
        """Send an answer while no other is under way."""
        if reply.slow:
            self._start(self._answer_slowly(reply))
            return
        self._wire.later(reply.pieces)
        if reply.closes:
            self._wire.close()

    def fail(self, answer: Answer) -> None:
        """End the connection as a recorded peer did that never answered."""
        self._start(self._fail_as(answer))

    def cancel(self) -> None:
        """The client is gone."""
        if self._task is not None:
            self._task.cancel()

    async def _answer_slowly(self, reply: Reply) -> None:
        if reply.delay:
            await asyncio.sleep(reply.delay)
        self._wire.write(b"".join(reply.pieces))
        answer = reply.answer
        if answer is not None and answer.stream:
            await self._stream(answer)
        if answer is not None and answer.fault:
            await self._fail_as(answer)
        elif reply.closes:
            self._wire.close()

    async def _stream(self, answer: Answer) -> None:
        async for piece in self._house.body_chunks(answer.stream):
            await self._wire.send(piece)
        self._wire.write(answer.tail)

    async def _fail_as(self, answer: Answer) -> None:
        """End the connection as the recorded peer did."""
        if answer.fault == "hang":
            await asyncio.sleep(min(self._house.seconds.hang, 1.0 + 2 * answer.duration_us / 1e6))
        if answer.fault == "reset":
            self._wire.reset()
        else:
            self._wire.close()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._task = asyncio.get_running_loop().create_task(work)
        self._task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if not task.cancelled() and (error := task.exception()) is not None:
            problem = error.problem if isinstance(error, WiretapeError) else f"{type(error).__name__}: {error}"
            self._house.notice(f"an answer could not be sent whole: {problem}")
            self._wire.abort()
        while self._backlog and self._task is None and not self._wire.closing:
            self.ask(*self._backlog.popleft())
        self._wire.flush()
        if self._task is None and self._last:
            self._wire.close()
        elif self._task is None:
            self._wire.read_on()

    # Allowed hosts

    def tunnel(self, authority: str, greeting: bytes) -> None:
        """Carry everything that follows to an allowed host, after `greeting` has told the client that it is open."""
        self._begin_relay(Origin("", authority), "CONNECT", authority, tls=False, greeting=greeting)

    def forward(self, head: Head, origin: Origin, target: str) -> None:
        """Send one request to an allowed host; its body follows with `carry`."""
        self._chunked = is_chunked(head.headers)
        relay = self._begin_relay(origin, head.method, target, tls=origin.scheme == "https")
        relay.put(forwarded_head(head, target, origin.authority))

    def carry_body(self, data: bytes) -> None:
        """A piece of the body of a forwarded request."""
        self.carry(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)

    def body_ended(self) -> None:
        """A forwarded request is whole."""
        if self._chunked:
            self.carry(b"0\r\n\r\n")

    def carry(self, data: bytes) -> None:
        """Bytes for the allowed host."""
        assert self._relay is not None
        self._relay.put(data)
        if self._relay.full:
            self._wire.hold()

    def client_ended(self) -> bool:
        """The client sends no more. True when it still has something to get."""
        self._last = True
        if self._relay is not None:
            self._relay.end()
        return self._task is not None

    def _begin_relay(self, origin: Origin, command: str, location: str, *, tls: bool, greeting: bytes = b"") -> Relay:
        self._wire.flush()
        self._relay = relay = Relay(self._wire.send, self._wire.read_on)
        entry = Entry(time.time_ns(), origin.name or origin.authority, command, location, "passthrough")
        if greeting:
            entry.status = "200"
        self._start(self._carry(relay, origin, entry, tls, greeting))
        return relay

    async def _carry(self, relay: Relay, origin: Origin, entry: Entry, tls: bool, greeting: bytes) -> None:
        try:
            await relay.run(origin, tls=tls, greeting=greeting)
        except OSError as error:  # TimeoutError and ssl.SSLError are kinds of it
            problem = f"the allowed host {origin.authority} cannot be reached: {error or type(error).__name__}"
            entry.status = "502"
            self._wire.write(refusal.refusal(502, problem))
        finally:
            entry.status = entry.status or relay.status
            self._house.desk.journal.record(entry)
        self._wire.close()
