"""Numbers exchanges in the order in which they began, though other processes tell of theirs a moment later."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count

NEVER = 1 << 63
"""A time that does not come."""


class Ticket:
    """An exchange's place in the order; its number is 0 until it is known."""

    __slots__ = ("_then", "_told", "begun", "number")

    def __init__(self, begun: int, told: int) -> None:
        self.begun = begun
        self._told = told
        """What began at one moment, as pipelined commands do, is in the order in which it was told."""
        self.number = 0
        self._then: Callable[[], None] | None = None

    def __lt__(self, other: Ticket) -> bool:
        return (self.begun, self._told) < (other.begun, other._told)

    def then(self, call: Callable[[], None]) -> None:
        """Call once the number is known."""
        if self.number:
            call()
        else:
            self._then = call

    def settle(self, number: int) -> None:
        """The number is known."""
        self.number = number
        if self._then is not None:
            self._then()


class Source:
    """A process that carries exchanges and tells of them in the order in which they began."""

    def __init__(self, order: Order, ask: Callable[[], None]) -> None:
        self._order = order
        self._ask = ask
        self._asked = False
        self.told_until = 0
        """Everything that began before this was told."""

    def told(self, begun: int) -> Ticket:
        """It told of an exchange."""
        if begun > self.told_until:
            self.told_until = begun
        return self._order.here(begun)

    def caught_up(self, until: int) -> None:
        """It has told everything that began before a time."""
        self._asked = False
        if until > self.told_until:
            self.told_until = until
        self._order.settle()

    def end(self) -> None:
        """Nothing more will be told."""
        self._order.sources.discard(self)
        self._order.settle()

    def hurry(self, begun: int) -> None:
        """Have it tell what it has not told yet, where something that began then waits for it."""
        if self.told_until < begun and not self._asked:
            self._asked = True
            self._ask()


class Order:
    """Times are monotonic nanoseconds. Bound: one ticket for each exchange that began within one catching up."""

    def __init__(self) -> None:
        self.sources: set[Source] = set()
        self._last = 0
        self._told = count()
        self._waiting: list[Ticket] = []

    def source(self, ask: Callable[[], None]) -> Source:
        """Another process begins to carry exchanges; `ask` has it tell what it has not told yet."""
        source = Source(self, ask)
        self.sources.add(source)
        return source

    def here(self, begun: int) -> Ticket:
        """An exchange began; another process may have carried one before it that is not told yet."""
        ticket = Ticket(begun, next(self._told))
        if self._waiting or not self._all_told(begun):
            heapq.heappush(self._waiting, ticket)
            self.settle()
        else:
            self._settle(ticket)
        return ticket

    def _all_told(self, begun: int) -> bool:
        for source in self.sources:  # noqa: SIM110 - a generator costs more than all else here
            if source.told_until < begun:
                return False
        return True

    def settle(self) -> None:
        """Number what no source can come before any more, and hurry those that something waits for."""
        waiting = self._waiting
        if not waiting:
            return
        frontier = min((source.told_until for source in self.sources), default=NEVER)
        while waiting and waiting[0].begun <= frontier:
            self._settle(heapq.heappop(waiting))
        if waiting:
            for source in list(self.sources):
                source.hurry(waiting[0].begun)

    def _settle(self, ticket: Ticket) -> None:
        self._last += 1
        ticket.settle(self._last)
