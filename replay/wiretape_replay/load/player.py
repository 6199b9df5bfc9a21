"""Plays one worker's share of a load: sessions begin when they should, whatever became of those before.

Everything that is measured is measured here. Memory is bounded by what is under way: `MOST_SESSIONS` sessions, their
connections, and what `samples` keeps.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from wiretape_replay.bindings.live import LiveSession
from wiretape_replay.load.alarm import Alarm, clock
from wiretape_replay.load.arrivals import Arrival
from wiretape_replay.load.call import Call
from wiretape_replay.load.clone import Clone
from wiretape_replay.load.connection import Connection
from wiretape_replay.load.item import Item
from wiretape_replay.load.pool import Pool
from wiretape_replay.load.samples import USUALLY, Kept, Sample, Samples, keep
from wiretape_replay.load.tally import BLOCKED, DIFFERENT, EQUAL, ERROR, KINDS, UNEQUAL, Series, Tally
from wiretape_replay.load.template import values_of

MOST_SESSIONS = 10_000
"""Sessions of one worker that may be under way at once; those that should begin beyond are dropped."""
NOTED = 256
"""Times that are noted down before they are counted."""
LATE_NS = 10_000_000
"""From here on a request counts as late."""


@dataclass(frozen=True, slots=True)
class Way:
    """How sessions are played."""

    thinks: bool
    """Whether requests wait as long as the client did."""
    samples: bool
    """Whether some answers are kept and compared in full."""
    warm_ns: int
    """Requests intended before are not in the response times."""
    bin_ns: int
    start_ns: int
    wall_ns: int
    users: bool
    """Whether a session begins when another one ends."""


class Player:
    """One worker's share."""

    def __init__(self, way: Way, scripts: list[list[Item]], arrivals: Iterator[Arrival], pool: Pool,
                 session: Callable[[int], LiveSession], samples: Samples) -> None:  # fmt: skip
        self._way, self._scripts, self._arrivals, self._pool = way, scripts, arrivals, pool
        self._session, self.samples = session, samples
        self._warm_ns, self._thinks = way.warm_ns, way.thinks
        self._plain = [not any(item.needs or item.data is None for item in items) for items in scripts]
        self._items = {item.sequence: item for items in scripts for item in items}
        routes = 1 + max((item.route for item in self._items.values()), default=0)
        self._latencies: list[list[int]] = [[] for _ in range(routes)]
        self._services: list[list[int]] = [[] for _ in range(routes)]
        self._lags: list[int] = []
        self.tally = Tally()
        self.active = 0
        self.ended = asyncio.Event()
        self._closing = False
        self._following = 0
        self._met: set[int] = set()
        self._alarm = Alarm(asyncio.get_running_loop(), self._ring)
        self._next: Arrival | None = None

    def start(self, users: int) -> None:
        """Begin; with `users` so many sessions are under way from now on."""
        if self._way.users:
            for _ in range(users):
                self._user()
        else:
            self._await_next()
        self._end_if_over()

    def close(self) -> None:
        """Send nothing more; what is under way may still be answered."""
        self._closing = True
        self._arrivals = iter(())
        self._next = None
        self._end_if_over()

    def end(self) -> None:
        """Let go of the clock and of sessions that the end has cut short."""
        self.tally.cut += self.active
        self._alarm.close()

    def taken(self) -> Tally:
        """What was counted since it was asked last."""
        self._fold()
        taken, self.tally = self.tally, Tally()
        for sequence in taken.outcomes:
            self._items[sequence].counts = None
        return taken

    def _fold(self) -> None:
        """Count the times that were only noted down."""
        tally = self.tally
        tally.lag.add_all(self._lags)
        self._lags.clear()
        for noted, series in ((self._latencies, tally.latency), (self._services, tally.service)):
            for route, times in enumerate(noted):
                if times:
                    series.setdefault(route, Series()).add_all(times)
                    times.clear()

    # Sessions

    def _await_next(self) -> None:
        self._next = next(self._arrivals, None)
        if self._next is not None:
            self._alarm.at(self._way.start_ns + int(self._next.at * 1e9), None)

    def _ring(self, what: object, now: int) -> None:
        if self._closing:
            return
        if isinstance(what, Clone):
            self._advance(what, now)
        elif self._next is not None:
            arrival = self._next
            self._await_next()
            if self.active >= MOST_SESSIONS:
                self.tally.dropped += 1
            else:
                self._begin(arrival, self._way.start_ns + int(arrival.at * 1e9), now)
            self._end_if_over()

    def _user(self) -> None:
        """One more session of those that follow each other."""
        arrival = None if self._closing else next(self._arrivals, None)
        if arrival is not None:
            now = clock()
            self._begin(arrival, now, now)

    def _begin(self, arrival: Arrival, begins_ns: int, now: int) -> None:
        items = self._scripts[arrival.script]
        first = arrival.script not in self._met
        sampled = self._way.samples and self.samples.wants(first, len(items))
        plain = self._plain[arrival.script] and not sampled
        clone = Clone(arrival.number, items, None if plain else self._session(arrival.number), begins_ns)
        if sampled:
            self._met.add(arrival.script)
            assert clone.session is not None
            clone.sample = Sample(arrival.number, clone.session, first=first)
            self.tally.sampled += 1
        self.active += 1
        self.tally.started += 1
        if self._way.bin_ns:
            number = max(now - self._way.start_ns, 0) // self._way.bin_ns
            self.tally.starts[number] = self.tally.starts.get(number, 0) + 1
        self._advance(clone, now)

    def _advance(self, clone: Clone, now: int) -> None:
        """Send what may be sent, and come again when the next moment has come."""
        while not self._closing and (item := clone.ready(self._way.thinks)) is not None:
            if clone.due > now:
                self._alarm.at(clone.due, clone)
                return
            intended = clone.due
            clone.sent(item)
            self._send(clone, item, intended)
        if clone.over:
            self._finish(clone)

    def _finish(self, clone: Clone) -> None:
        self.active -= 1
        self.tally.ended += 1
        if clone.sample is not None:
            self.samples.add(clone.sample)
        for connection in clone.idle:
            self._pool.discard(connection)
        if self._way.users:
            self._following += 1
            asyncio.get_running_loop().call_soon(self._follow)
        elif self._next is None:
            self._end_if_over()

    def _follow(self) -> None:
        self._following -= 1
        self._user()
        self._end_if_over()

    def _end_if_over(self) -> None:
        if self._next is None and not self._following and (not self.active or (self._closing and not self._pool.busy)):
            self.ended.set()

    # Requests

    def _send(self, clone: Clone, item: Item, intended: int) -> None:
        now = clock()
        lag = now - intended
        if intended >= self._way.warm_ns:
            self._lags.append(lag)
            if len(self._lags) >= NOTED:
                self._fold()
        if lag > LATE_NS:
            self.tally.late += 1
        if item.needs and clone.session is not None:
            producer = clone.session.missing(item.exchange)
            if producer in item.needs:
                self._block(clone, item, producer, now)
                return
        data = item.data
        if data is None:
            data = self._built(clone, item, now)
            now = clock()
        self.tally.sent += 1
        self._pool.send(Call(clone, item, data, intended, self._suspicious), now)

    def _built(self, clone: Clone, item: Item, now: int) -> bytes:
        session = clone.session
        assert session is not None
        if item.template is not None:
            if item.fresh:
                session.make_anew(item.exchange)
            values = values_of(item.template, session, clone.values)
            if values is not None:
                return item.template.filled(values)
        return self._pool.wire(session.prepare(item.exchange, self._wall(now)))

    def _wall(self, now: int) -> int:
        return self._way.wall_ns + now - self._way.start_ns

    def _block(self, clone: Clone, item: Item, producer: int, now: int) -> None:
        self._count(item, BLOCKED)
        if clone.sample is not None:
            moment = self._wall(now)
            keep(clone.sample, Kept(item, None, "", BLOCKED, None, moment, moment, blocked_by=producer))
        clone.ended(item, now)

    # Answers

    def want(self, connection: Connection) -> bool:
        """Whether the bytes of an answer that begins are to be kept."""
        call = connection.call
        assert call is not None
        if call.keeps:
            return True
        return connection.status != call.item.status and self._suspicious(call.item, connection.status)

    def _suspicious(self, item: Item, status: int) -> bool:
        """Whether an answer outside of the samples is worth keeping: never seen in this form, and there is room."""
        if not self._way.samples or not self.samples.room(item):
            return False
        return status != item.status or item.equals >= USUALLY

    def answered(self, connection: Connection) -> None:
        """An answer has come."""
        now = clock()
        call = connection.call
        assert call is not None
        clone, item = call.clone, call.item
        self.tally.answered += 1
        if call.intended_ns >= self._warm_ns:
            self._latencies[item.route].append(now - call.intended_ns)
            self._services[item.route].append(now - call.sent_ns)
        if connection.status != item.status:
            kind = DIFFERENT
        elif connection.equal:
            kind = EQUAL
            item.equals += 1
        else:
            kind = UNEQUAL
        (item.counts or self._counted(item))[kind] += 1
        if call.keeps or kind == DIFFERENT or (kind == UNEQUAL and item.equals >= USUALLY):
            self._look(connection, call, kind, now)
        clone.running.discard(item.index)
        clone.last_end = now
        if connection.reusable and not self._closing and self._go_on(connection, call, now):
            return
        self._pool.release(connection, clone, now)
        self._advance(clone, now)
        if self._closing:
            self._end_if_over()

    def _go_on(self, connection: Connection, call: Call, now: int) -> bool:
        """Send the next request at once on the same connection, where nothing stands in its way."""
        clone = call.clone
        if clone.next >= len(clone.items) or clone.due or self._pool.queued:
            return False
        item = clone.items[clone.next]
        if not item.follows or (item.think_ns and self._thinks) or (item.needs and self._lacks(clone, item)):
            return False
        call.data = item.data if item.data is not None else self._built(clone, item, now)
        call.item, call.again, call.keeps = item, False, clone.sample is not None or item.learns
        call.intended_ns = call.sent_ns = clone.started = now
        clone.next += 1
        clone.running.add(item.index)
        if self._thinks and now >= self._warm_ns:
            self._lags.append(0)
        if len(self._latencies[item.route]) >= NOTED:
            self._fold()
        self.tally.sent += 1
        connection.send(call, call.data)
        return True

    def _lacks(self, clone: Clone, item: Item) -> bool:
        return clone.session is not None and clone.session.missing(item.exchange) in item.needs

    def _look(self, connection: Connection, call: Call, kind: int, now: int) -> None:
        """Learn from an answer and keep it, where either is wanted."""
        clone, item = call.clone, call.item
        if item.learns and clone.session is not None and connection.status < 400:
            self._learn(clone.session, connection, item)
            clone.values.clear()
        suspect = clone.sample is None and kind != EQUAL and self._suspicious(item, connection.status)
        answer = connection.answer() if suspect or clone.sample is not None else None
        if answer is None:
            return
        kept = Kept(item, answer, "", kind, (now - call.intended_ns) / 1e6, self._wall(call.sent_ns), self._wall(now))
        if clone.sample is not None:
            keep(clone.sample, kept)
        else:
            self.samples.suspect(clone.number, clone.session or self._session(clone.number), kept)

    def _learn(self, session: LiveSession, connection: Connection, item: Item) -> None:
        answer = connection.answer()
        if answer is None:
            return
        body = answer.body
        if body is None or item.lesson is None or not item.lesson.learn(session, answer.head, body):
            session.observe(item.exchange, answer.response())

    def failed(self, call: Call, why: str) -> None:
        """No answer came."""
        now = clock()
        clone, item = call.clone, call.item
        self.tally.failed += 1
        self.tally.errors[why] = self.tally.errors.get(why, 0) + 1
        self._count(item, ERROR)
        moment = self._wall(now)
        kept = Kept(item, None, why, ERROR, None, self._wall(call.sent_ns or now), moment)
        if clone.sample is not None:
            keep(clone.sample, kept)
        elif self._way.samples and self.samples.room(item):
            self.samples.suspect(clone.number, clone.session or self._session(clone.number), kept)
        clone.ended(item, now)
        self._advance(clone, now)
        self._end_if_over()

    def _count(self, item: Item, kind: int) -> None:
        (item.counts or self._counted(item))[kind] += 1

    def _counted(self, item: Item) -> list[int]:
        item.counts = self.tally.outcomes[item.sequence] = [0] * KINDS
        return item.counts
