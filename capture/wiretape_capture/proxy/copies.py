"""The tee's copies as exchanges: records from its socket in, exchanges on the tape out.

Bound: what is read while the tape is not full, and of each open exchange what its body taps keep.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from wiretape_capture.proxy import translate
from wiretape_capture.proxy.body_tap import BodyTap
from wiretape_capture.proxy.copied import Asked, Copied, asked_of, request_of, response_of
from wiretape_capture.proxy.known import Known
from wiretape_capture.proxy.ledger import Ledger
from wiretape_capture.proxy.listening import Listening
from wiretape_capture.snapshot.bodies import EMPTY, body_of
from wiretape_capture.snapshot.exchange import Body, Exchange, Protocol
from wiretape_capture.tee.records import Kind, Record, Unpacker, answer_of, apart, begin_of

LOOK_AGAIN = 0.02
"""Seconds after which a full tape is looked at again."""
WHOLE = Kind.WHOLE
"""An enumeration's members cost a look-up each time."""
NEVER_CAME = Body(complete=False)
ENDED_FIRST = "the recording ended first"


class Copies(asyncio.Protocol):
    """The reading end of the tee's channel."""

    def __init__(self, ledger: Ledger, full: Callable[[], bool], ask: Callable[[], None]) -> None:
        self._ledger = ledger
        self._source = ledger.order.source(ask)
        self._full = full
        self._unpacker = Unpacker()
        self._open: dict[int, Copied] = {}
        self._asked: Known[Asked] = Known()
        self._names: dict[int, str] = {}
        self._finishing: set[asyncio.Task[None]] = set()
        self.places: list[Listening] = []
        self.ended = asyncio.Event()
        self.taken = 0
        """Bytes read so far."""
        self._take: dict[int, Callable[[Record], None]] = {
            Kind.BEGIN: self._begin, Kind.WHOLE: self._begin, Kind.SENT: self._sent,
            Kind.REQUEST_BODY: self._request_body, Kind.REQUEST_END: self._request_end,
            Kind.ANSWER: self._answer, Kind.ANSWER_HEAD: self._answer_head, Kind.ANSWER_BODY: self._answer_body,
            Kind.ANSWER_END: self._answer_end, Kind.FAIL: self._fail, Kind.GONE: self._gone, Kind.NOTE: self._note,
            Kind.CAUGHT_UP: self._caught_up,
        }  # fmt: skip

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the tee is there."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """asyncio: copies."""
        self.taken += len(data)
        for record in self._unpacker.feed(data):
            self._take[record.kind](record)
        if self._full():
            self._transport.pause_reading()
            asyncio.get_running_loop().call_later(LOOK_AGAIN, self._look_again)

    def _look_again(self) -> None:
        if self._full():
            asyncio.get_running_loop().call_later(LOOK_AGAIN, self._look_again)
        elif not self._transport.is_closing():
            self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """asyncio: the tee ended."""
        for copied in list(self._open.values()):
            copied.error = copied.error or ENDED_FIRST
            self._finish(copied)
        self._source.end()
        self.ended.set()

    async def close(self) -> None:
        """Wait until every body is on the tape."""
        await asyncio.sleep(0)
        await asyncio.gather(*self._finishing)

    def _begin(self, record: Record) -> None:
        kind, number, time, payload = record
        connection, rest = apart(payload)
        asked = self._asked.get(rest)
        if asked is None:
            asked = self._asked.remember(rest, asked_of(begin_of(payload)))
        name = self._names.get(connection)
        if name is None:
            name = self._names[connection] = self._ledger.connection()
        ticket = self._source.told(time)
        copied = self._open[number] = Copied(number, ticket, self.places[asked.place], name, asked, time)
        copied.request_done = kind == WHOLE

    def _sent(self, record: Record) -> None:
        if (copied := self._open.get(record.number)) is not None:
            copied.begun = record.time

    def _request_body(self, record: Record) -> None:
        if (copied := self._open.get(record.number)) is not None:
            if copied.request_tap is None:
                copied.request_tap = BodyTap(self._ledger.open_sink)
            copied.request_tap.feed(record.payload)

    def _request_end(self, record: Record) -> None:
        if (copied := self._open.get(record.number)) is not None:
            copied.request_done, copied.request_trailers = True, record.payload
            if copied.response_done:
                self._finish(copied)

    def _answer(self, record: Record) -> None:
        if (copied := self._open.get(record.number)) is not None:
            copied.response_head, body = answer_of(record.payload)
            copied.response_whole = body
            self._answered(copied, record.time)

    def _answer_head(self, record: Record) -> None:
        if (copied := self._open.get(record.number)) is not None:
            copied.response_head = record.payload

    def _answer_body(self, record: Record) -> None:
        if (copied := self._open.get(record.number)) is not None:
            copied.ended = record.time
            if copied.response_tap is None:
                copied.response_tap = BodyTap(self._ledger.open_sink)
            copied.response_tap.feed(record.payload)

    def _answer_end(self, record: Record) -> None:
        if (copied := self._open.get(record.number)) is not None:
            copied.response_trailers = record.payload
            self._answered(copied, record.time)

    def _answered(self, copied: Copied, ended: int) -> None:
        copied.response_done, copied.ended = True, ended
        if copied.request_done:
            self._finish(copied)

    def _fail(self, record: Record) -> None:
        if (copied := self._open.get(record.number)) is not None:
            copied.error = translate.cause(record.payload.decode("utf-8", "replace"))
            copied.ended = record.time
            self._finish(copied)

    def _gone(self, record: Record) -> None:
        self._names.pop(record.number, None)

    def _note(self, record: Record) -> None:
        self._ledger.note(record.payload.decode("utf-8", "replace"), record.number)

    def _caught_up(self, record: Record) -> None:
        self._source.caught_up(record.time)

    def _finish(self, copied: Copied) -> None:
        del self._open[copied.number]
        if copied.small:
            if copied.ticket.number:
                self._in_memory(copied)
            else:
                copied.ticket.then(lambda: self._in_memory(copied))
            return
        task = asyncio.ensure_future(self._spilled(copied))
        self._finishing.add(task)
        task.add_done_callback(self._finishing.discard)

    def _in_memory(self, copied: Copied) -> None:
        self._ledger.record(in_memory(copied, self._started(copied)))

    async def _spilled(self, copied: Copied) -> None:
        request = await stored(copied.request_tap, copied.request_done)
        whole = copied.response_whole
        response = body_of(whole) if whole else await stored(copied.response_tap, copied.response_done)
        copied.ticket.then(lambda: self._ledger.record(exchange_of(copied, request, response, self._started(copied))))

    def _started(self, copied: Copied) -> int:
        return self._ledger.clock.wall(copied.begun)


async def stored(tap: BodyTap | None, done: bool) -> Body:
    """A body, once it is on the tape."""
    return held(tap, done) if tap is None else await tap.finish(complete=done)


def in_memory(copied: Copied, started_ns: int) -> Exchange:
    """The finished exchange of small bodies."""
    whole = copied.response_whole
    response = body_of(whole) if whole else held(copied.response_tap, copied.response_done)
    return exchange_of(copied, held(copied.request_tap, copied.request_done), response, started_ns)


def held(tap: BodyTap | None, done: bool) -> Body:
    """A body in memory; one that never came is empty, and complete where its message is."""
    if tap is None:
        return EMPTY if done else NEVER_CAME
    return tap.in_memory(complete=done)


def exchange_of(copied: Copied, request_body: Body, response_body: Body, started_ns: int) -> Exchange:
    """The finished exchange with these bodies. `started_ns` is when it was sent on, since the Unix epoch, UTC."""
    asked = copied.asked
    request = request_of(copied, request_body)
    response = response_of(copied, response_body) if copied.response_head else None
    return Exchange.made(
        sequence=copied.ticket.number,
        direction=copied.listening.direction,
        protocol=Protocol.HTTP,
        scheme=asked.scheme,
        service=copied.listening.service or asked.service,
        command=request.method,
        location=request.target,
        status="" if response is None else str(response.status),
        started_ns=started_ns,
        duration_us=max(copied.ended - copied.begun, 0) // 1000,
        connection=copied.connection,
        session=asked.session,
        trace=asked.trace,
        error=copied.error,
        request=request,
        response=response,
        stream=(),
    )
