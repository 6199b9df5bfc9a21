"""Response times of one route: noted down one by one, and counted many at once, for a fraction of what it costs."""

from __future__ import annotations

from wiretape_replay.load.tally import Series, Tally

NOTED = 1024
"""Times that are noted down before they are counted."""


class Times:
    """What was not counted yet, in nanoseconds."""

    __slots__ = ("both", "latencies", "route", "services")

    def __init__(self, route: int) -> None:
        self.route = route
        self.both: list[int] = []
        """Of requests that were sent when they should be: one time is the other."""
        self.latencies: list[int] = []
        """From the intended moment, of all others."""
        self.services: list[int] = []
        """From the first byte sent, of the same requests."""

    def note(self, intended_ns: int, sent_ns: int, now_ns: int, tally: Tally) -> None:
        """Note an answer that has come just now."""
        if intended_ns == sent_ns:
            noted = self.both
        else:
            noted = self.latencies
            self.services.append(now_ns - sent_ns)
        noted.append(now_ns - intended_ns)
        if len(noted) >= NOTED:
            self.count(tally)

    def count(self, tally: Tally) -> None:
        """Count everything that was noted."""
        for noted, series in ((self.latencies, tally.latency), (self.services, tally.service)):
            if not noted and not self.both:
                continue
            counted = series.get(self.route)
            if counted is None:
                counted = series[self.route] = Series()
            counted.add_all(noted)
        if self.both:
            both = Series()
            both.add_all(self.both)
            tally.latency[self.route].join(both)
            tally.service[self.route].join(both)
        for noted in (self.both, self.latencies, self.services):
            noted.clear()
