"""Numbers exchanges in the order in which they began, though what the tee carried is heard of a moment later."""

from __future__ import annotations

import heapq
from collections.abc import Callable


class Ticket:
    """An exchange's place in the order; its number is 0 until it is known."""

    __slots__ = ("_then", "begun", "number")

    def __init__(self, begun: int) -> None:
        self.begun = begun
        self.number = 0
        self._then: Callable[[], None] | None = None

    def __lt__(self, other: Ticket) -> bool:
        return self.begun < other.begun

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


class Order:
    """Times are monotonic nanoseconds. Bound: one ticket for each exchange that began within one catching up."""

    def __init__(self) -> None:
        self.ask: Callable[[], None] | None = None
        """Asks the tee to tell what it has not told yet; None without a tee."""
        self._asked = False
        self._last = 0
        self._waiting: list[Ticket] = []

    def here(self, begun: int) -> Ticket:
        """An exchange began in this process; the tee may have carried one before it that is not told yet."""
        ticket = Ticket(begun)
        if self.ask is None:
            self._settle(ticket)
        else:
            heapq.heappush(self._waiting, ticket)
            self._ask()
        return ticket

    def told(self, begun: int) -> Ticket:
        """The tee told of an exchange; it tells them in their order."""
        ticket = Ticket(begun)
        if self._waiting and self._waiting[0].begun <= begun:
            heapq.heappush(self._waiting, ticket)
        else:
            self._settle(ticket)
        return ticket

    def caught_up(self, until: int) -> None:
        """The tee has told everything that began before a time."""
        self._asked = False
        while self._waiting and self._waiting[0].begun < until:
            self._settle(heapq.heappop(self._waiting))
        if self._waiting:
            self._ask()

    def end(self) -> None:
        """Nothing more will be told."""
        self.ask = None
        while self._waiting:
            self._settle(heapq.heappop(self._waiting))

    def _ask(self) -> None:
        if not self._asked and self.ask is not None:
            self._asked = True
            self.ask()

    def _settle(self, ticket: Ticket) -> None:
        self._last += 1
        ticket.settle(self._last)
