"""Plays one worker's share of a load: sessions begin when they should, whatever became of those before.

Everything that is measured is measured here. Memory is bounded by what is under way: `MOST_SESSIONS` sessions, their
connections, and what `samples` keeps.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from wiretape_replay.load.alarm import Alarm, clock
from wiretape_replay.load.arrivals import Arrival
from wiretape_replay.load.call import Call
from wiretape_replay.load.clone import Clone
from wiretape_replay.load.connection import Connection
from wiretape_replay.load.item import Item
from wiretape_replay.load.keeper import Keeper
from wiretape_replay.load.pool import Pool
from wiretape_replay.load.samples import USUALLY
from wiretape_replay.load.tally import ALIKE, BLOCKED, DIFFERENT, EQUAL, ERROR, KINDS, UNEQUAL, Tally
from wiretape_replay.load.template import values_of
from wiretape_replay.load.times import NOTED, Times

MOST_SESSIONS = 10_000
"""Sessions of one worker that may be under way at once; those that should begin beyond are dropped."""
LATE_NS = 10_000_000
"""From here on a request counts as late."""
_AS_RECORDED = frozenset({EQUAL, ALIKE})


@dataclass(frozen=True, slots=True)
class Way:
    """How sessions are played."""

    thinks: bool
    """Whether requests wait as long as the client did."""
    warm_ns: int
    """Requests intended before are not in the response times."""
    bin_ns: int
    start_ns: int
    users: bool
    """Whether a session begins when another one ends."""


class Player:
    """One worker's share."""

    def __init__(self, way: Way, scripts: list[list[Item]], arrivals: Iterator[Arrival], pool: Pool,
                 keeper: Keeper) -> None:  # fmt: skip
        self._way, self._scripts, self._arrivals, self._pool, self.keeper = way, scripts, arrivals, pool, keeper
        self._warm_ns, self._thinks = way.warm_ns, way.thinks
        self._plain = [not any(item.needs or item.data is None for item in items) for items in scripts]
        self._items = {item.sequence: item for items in scripts for item in items}
        self._times = _timed(scripts)
        _linked(scripts, thinks=way.thinks)
        self._lags: list[int] = []
        self.tally = Tally()
        self.active = 0
        self.ended = asyncio.Event()
        self._closing = False
        self._following = 0
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
        self.keeper.end()
        self._alarm.close()

    def taken(self) -> Tally:
        """What was counted since it was asked last."""
        self._count_lags()
        for times in self._times:
            times.count(self.tally)
        taken, self.tally = self.tally, Tally()
        for sequence, counts in taken.outcomes.items():
            self._items[sequence].counts = None
            taken.answered += counts[EQUAL] + counts[UNEQUAL] + counts[DIFFERENT] + counts[ALIKE]
            taken.failed += counts[ERROR]
        return taken

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
        items, tally = self._scripts[arrival.script], self.tally
        sampled = self.keeper.sampled(arrival.script, len(items))
        session = None if self._plain[arrival.script] and not sampled else self.keeper.session(arrival.number)
        clone = Clone(arrival.number, items, session, begins_ns)
        if sampled:
            assert session is not None
            self.keeper.sample(clone, arrival.script, session)
            tally.sampled += 1
        self.active += 1
        tally.started += 1
        if self._way.bin_ns:
            number = max(now - self._way.start_ns, 0) // self._way.bin_ns
            tally.starts[number] = tally.starts.get(number, 0) + 1
        self._advance(clone, now)

    def _advance(self, clone: Clone, now: int) -> None:
        """Send what may be sent, and come again when the next moment has come."""
        while not self._closing and (item := clone.ready(self._thinks)) is not None:
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
        self.tally.unanswered += clone.failures == len(clone.items)
        if clone.sample is not None:
            self.keeper.over(clone)
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
        if intended >= self._warm_ns:
            self._lags.append(lag)
            if len(self._lags) >= NOTED:
                self._count_lags()
        if lag > LATE_NS:
            self.tally.late += 1
        data = item.data or self._known(clone, item)
        if data is None:
            producer = clone.session.missing(item.exchange) if item.needs and clone.session is not None else None
            if producer is not None and producer in item.needs:
                self._block(clone, item, producer, now)
                return
            data = self._built(clone, item, now)
            now = clock()
        self.tally.sent += 1
        self._pool.send(Call(clone, item, data, clone.expected(item), intended, self.keeper.suspicious), now)

    def _known(self, clone: Clone, item: Item) -> bytes | None:
        """The bytes of a request whose values are those of an earlier one of its session."""
        arguments = clone.arguments.get(item.carry)
        return None if arguments is None or item.template is None else item.template.form % arguments

    def _built(self, clone: Clone, item: Item, now: int) -> bytes:
        session = clone.session
        assert session is not None
        if item.fresh:
            session.make_anew(item.exchange)
            clone.learned()
        if item.template is not None:
            values = values_of(item.template, session)
            if values is not None:
                arguments = clone.arguments[item.carry] = item.template.arguments(values)
                return item.template.form % arguments
        return self._pool.wire(session.prepare(item.exchange, self.keeper.wall(now)))

    def _block(self, clone: Clone, item: Item, producer: int, now: int) -> None:
        self._count(item, BLOCKED)
        clone.failures += 1
        self.keeper.blocked(clone, item, producer, now)
        clone.ended(item, now)

    # Answers

    def repeated(self, connection: Connection, call: Call, kind: int, now: int) -> None:
        """An answer has come that is as recorded: nothing is to be learned of it."""
        item = call.item
        (item.counts or self._counted(item))[kind] += 1
        if call.intended_ns >= self._warm_ns:
            item.times.note(call.intended_ns, call.sent_ns, now, self.tally)
        if not self._go_on(connection, call, item, now):
            self._leave(connection, call, item, now)

    def answered(self, connection: Connection, now: int) -> None:
        """An answer has come."""
        call = connection.call
        assert call is not None
        item = call.item
        if call.intended_ns >= self._warm_ns:
            item.times.note(call.intended_ns, call.sent_ns, now, self.tally)
        if item.learns and connection.status < 400:
            self.keeper.learn(connection, call)
        kind = connection.kind if connection.status == item.status else DIFFERENT
        if kind in _AS_RECORDED:
            item.equals += 1
        (item.counts or self._counted(item))[kind] += 1
        if call.keeps or kind == DIFFERENT or (kind == UNEQUAL and item.equals >= USUALLY):
            self.keeper.look(connection, call, kind, now)
        if not (connection.reusable and self._go_on(connection, call, item, now)):
            self._leave(connection, call, item, now)

    def _go_on(self, connection: Connection, call: Call, item: Item, now: int) -> bool:
        """Send the next request at once on the same connection, where nothing stands in its way."""
        following, clone = item.then, call.clone
        if following is None or self._closing or self._pool.waiting:
            return False
        data = following.data or self._known(clone, following)
        if data is None:
            return False
        call.item, call.data, call.again = following, data, False
        call.keeps = clone.sample is not None or following.learns
        call.expected = following.body if following.reply is None else clone.expected(following)
        call.intended_ns = call.sent_ns = clone.started = now
        clone.next = following.index + 1
        clone.running.discard(item.index)
        clone.running.add(following.index)
        if self._thinks and now >= self._warm_ns:
            self._lags.append(0)
        self.tally.sent += 1
        connection.send(call, data)
        return True

    def _leave(self, connection: Connection, call: Call, item: Item, now: int) -> None:
        """Do without the connection; the session goes on when the next moment has come."""
        clone = call.clone
        clone.ended(item, now)
        self._pool.release(connection, clone, now)
        self._advance(clone, now)
        if self._closing:
            self._end_if_over()

    def failed(self, call: Call, why: str) -> None:
        """No answer came."""
        now = clock()
        clone, item = call.clone, call.item
        self.tally.errors[why] = self.tally.errors.get(why, 0) + 1
        self._count(item, ERROR)
        clone.failures += 1
        if not call.sent_ns:
            self.tally.sent -= 1
            self.tally.unconnected += 1
        self.keeper.failed(call, why, now)
        clone.ended(item, now)
        self._advance(clone, now)
        self._end_if_over()

    def _count_lags(self) -> None:
        self.tally.lag.add_all(self._lags)
        self._lags.clear()

    def _count(self, item: Item, kind: int) -> None:
        (item.counts or self._counted(item))[kind] += 1

    def _counted(self, item: Item) -> list[int]:
        item.counts = self.tally.outcomes[item.sequence] = [0] * KINDS
        return item.counts


def _timed(scripts: list[list[Item]]) -> list[Times]:
    """Give the items of each route one place for their times."""
    found: dict[int, Times] = {}
    for item in (item for items in scripts for item in items):
        item.times = found.setdefault(item.route, Times(item.route))
    return list(found.values())


def _linked(scripts: list[list[Item]], *, thinks: bool) -> None:
    """Tell each item which one is sent as soon as its answer is there."""
    for items in scripts:
        for item, following in pairwise(items):
            straight = following.follows and not (following.think_ns and thinks)
            item.then = following if straight else None
