"""What one live session has asked: answers served, writes arrived, which live value stands for which recorded one.

Plain data with small steps; no sockets and no clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from wiretape_replay.match.causal import Marks

BINDING_LIMIT = 100_000
"""Live identifiers remembered in one session; the oldest is forgotten first."""


@dataclass(slots=True)
class Session:
    """The state of one live session."""

    lane: str | None
    """The recorded session it plays; None until its first answer tells."""
    served: set[int] = field(default_factory=set)
    marks: Marks = field(default_factory=Marks)
    recorded_by_live: dict[str, str] = field(default_factory=dict)
    live_by_recorded: dict[str, str] = field(default_factory=dict)
    cursors: dict[tuple[object, ...], int] = field(default_factory=dict)
    """For a long masked group, how many of its first requests have been served."""

    def bind(self, recorded: str, live: str, *, anew: bool) -> None:
        """The live session uses `live` where the recording had `recorded`.

        Answers have the value of the request that had it first (`anew`): a later one with another value does not
        change what the session calls it.
        """
        self.recorded_by_live[live] = recorded
        if anew or recorded not in self.live_by_recorded:
            self.live_by_recorded[recorded] = live
        if len(self.recorded_by_live) > BINDING_LIMIT:
            oldest = next(iter(self.recorded_by_live))
            named = self.recorded_by_live.pop(oldest)
            if self.live_by_recorded.get(named) == oldest:
                del self.live_by_recorded[named]
