"""A session under way: which of its requests come next, and what it has learned. Pure; time is passed in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from wiretape_replay.bindings.live import LiveSession
from wiretape_replay.load.item import Item
from wiretape_replay.load.samples import Sample
from wiretape_replay.load.template import expected_of

if TYPE_CHECKING:
    from wiretape_replay.load.connection import Connection


class Clone:
    """One of many instances of a recorded session."""

    __slots__ = ("arguments", "due", "failures", "idle", "items", "last_end", "next", "number", "replies", "running",
                 "sample", "session", "started", "taught")  # fmt: skip

    def __init__(self, number: int, items: Sequence[Item], session: LiveSession | None, begins_ns: int) -> None:
        self.number, self.items, self.session = number, items, session
        self.next = 0
        self.running: set[int] = set()
        self.started = self.last_end = begins_ns
        """The intended moment of the request before, and when the last answer came."""
        self.due = 0
        """The intended moment of the next request once that is known."""
        self.sample: Sample | None = None
        self.arguments: dict[int, tuple[bytes | int, ...]] = {}
        """What is filled in, by what requests carry, for as long as nothing new is learned."""
        self.replies: dict[int, tuple[bytes | int, ...]] = {}
        """The same of expected answers; nothing where they are as recorded."""
        self.taught = False
        """Whether its session has learned anything."""
        self.failures = 0
        """Requests that got no answer, those included that were not sent."""
        self.idle: list[Connection] = []
        """Connections of its own, where it has any."""

    def expected(self, item: Item) -> bytes | None:
        """The recorded body as it reads with live values; the recorded one itself where there are none."""
        reply = item.reply
        if reply is None or self.session is None or not self.taught:
            return item.body
        arguments = self.replies.get(item.reply_carry)
        if arguments is None:
            arguments = self.replies[item.reply_carry] = expected_of(reply, self.session)
        return reply.form % arguments if arguments else item.body

    def learned(self) -> None:
        """Its session has learned something."""
        self.taught = True
        self.arguments.clear()
        self.replies.clear()

    @property
    def over(self) -> bool:
        """Whether it has been played to its end."""
        return self.next >= len(self.items) and not self.running

    def ready(self, thinks: bool) -> Item | None:
        """The next request as soon as its moment is known, which `due` then says; None while it waits for answers."""
        if self.next >= len(self.items):
            return None
        item = self.items[self.next]
        if not self.due:
            if item.waits and not self.running.isdisjoint(item.waits):
                return None
            since = self.last_end if item.waits else self.started
            self.due = since + item.think_ns if thinks else self.last_end if item.waits else self.started
        return item

    def sent(self, item: Item) -> None:
        """The next request is under way."""
        self.started, self.due = self.due, 0
        self.next += 1
        self.running.add(item.index)

    def ended(self, item: Item, now_ns: int) -> None:
        """It has its answer, or none will come."""
        self.running.discard(item.index)
        self.last_end = now_ns
