"""Which answers are kept to be compared in full, and what is learned of them for later requests."""

from __future__ import annotations

from collections.abc import Callable

from wiretape_replay.bindings.live import LiveSession
from wiretape_replay.load.call import Call
from wiretape_replay.load.clone import Clone
from wiretape_replay.load.connection import Connection
from wiretape_replay.load.item import Item
from wiretape_replay.load.samples import USUALLY, Kept, Sample, Samples, keep
from wiretape_replay.load.tally import ALIKE, BLOCKED, EQUAL, ERROR, UNEQUAL


class Keeper:
    """Looks at answers of one worker's share."""

    def __init__(self, samples: Samples, session: Callable[[int], LiveSession], offset_ns: int, *, keeps: bool) -> None:
        """`offset_ns` is what the wall clock shows beyond the monotonic one."""
        self.samples, self.session = samples, session
        self._under_way: dict[int, Sample] = {}
        """Sessions that are compared in full, by clone."""
        self._offset_ns, self._keeps = offset_ns, keeps
        self._met: set[int] = set()

    def wall(self, now: int) -> int:
        """A moment of the monotonic clock, since the Unix epoch."""
        return self._offset_ns + now

    def sampled(self, script: int, length: int) -> bool:
        """Whether a session that begins is to be compared in full."""
        return self._keeps and self.samples.wants(script not in self._met, length)

    def sample(self, clone: Clone, script: int, session: LiveSession) -> None:
        """Keep every answer of a session."""
        clone.sample = Sample(clone.number, session, first=script not in self._met)
        self._met.add(script)
        self._under_way[clone.number] = clone.sample

    def over(self, clone: Clone) -> None:
        """Hold what a session was answered that is compared in full, now that it has ended."""
        self.samples.add(self._under_way.pop(clone.number))

    def end(self) -> None:
        """Hold what sessions were answered that the end has cut short: a load may have no others."""
        for sample in self._under_way.values():
            self.samples.add(sample)
        self._under_way.clear()

    def want(self, connection: Connection) -> bool:
        """Whether the bytes of an answer that begins are to be kept."""
        call = connection.call
        assert call is not None
        return call.keeps or (connection.status != call.item.status and self.suspicious(call.item, connection.status))

    def suspicious(self, item: Item, status: int) -> bool:
        """Whether an answer outside of the samples is worth keeping: never seen in this form, and there is room."""
        if not self._keeps or not self.samples.room(item, status):
            return False
        return status != item.status or item.equals >= USUALLY

    def look(self, connection: Connection, call: Call, kind: int, now: int) -> None:
        """Keep an answer where it is wanted."""
        clone, item = call.clone, call.item
        suspect = clone.sample is None and kind not in (EQUAL, ALIKE) and self.suspicious(item, connection.status)
        answer = connection.answer() if suspect or clone.sample is not None else None
        if answer is None:
            return
        kept = Kept(item, answer, "", kind, (now - call.intended_ns) / 1e6, self.wall(call.sent_ns), self.wall(now))
        self._keep(clone, kept)

    def learn(self, connection: Connection, call: Call) -> None:
        """Learn what later requests carry; an answer that gave the values that it holds is compared only now."""
        clone, item, answer = call.clone, call.item, connection.answer()
        session = clone.session
        if session is None or answer is None:
            return
        body = answer.body
        if body is None or item.lesson is None or not item.lesson.learn(session, answer.head, body):
            session.observe(item.exchange, answer.response())
        clone.learned()
        if connection.kind == UNEQUAL and item.reply is not None and body == clone.expected(item):
            connection.kind = ALIKE

    def failed(self, call: Call, why: str, now: int) -> None:
        """Keep that no answer came."""
        clone, item = call.clone, call.item
        if clone.sample is not None or (self._keeps and self.samples.room(item, 0)):
            kept = Kept(item, None, why, ERROR, None, self.wall(call.sent_ns or now), self.wall(now))
            self._keep(clone, kept)

    def blocked(self, clone: Clone, item: Item, producer: int, now: int) -> None:
        """Keep that a request could not be sent."""
        if clone.sample is not None:
            moment = self.wall(now)
            keep(clone.sample, Kept(item, None, "", BLOCKED, None, moment, moment, blocked_by=producer))

    def _keep(self, clone: Clone, kept: Kept) -> None:
        if clone.sample is not None:
            keep(clone.sample, kept)
        else:
            self.samples.suspect(clone.number, clone.session or self.session(clone.number), kept)
