"""When a connection ends that the recorded server had ended while it was idle. Pure.

The recorded moment is not known live. What is known is what the connection had run: it ends in place of the next
answer, or before a request that was recorded later.
"""

from __future__ import annotations

from wiretape_replay.mock.postgres.recording import Farewell

_ASKING = b"QPBDEF"
"""Messages to which an ended connection answers with how it ended."""


class Leave:
    """The end of one connection."""

    def __init__(self) -> None:
        self.farewell: Farewell | None = None
        """How it is to end, once it has run the rest."""
        self._to_run = 0
        self._due = False

    def answered(self, farewell: Farewell | None) -> None:
        """A recorded exchange was the answer, after which the recorded connection ended so."""
        self.farewell = farewell
        self._to_run = farewell.simulated if farewell is not None else 0

    def simulated(self) -> None:
        """A statement that concerns the connection ran."""
        self._to_run -= 1

    def ready(self) -> None:
        """All that was asked is answered."""
        self._due = self.farewell is not None and self._to_run <= 0

    def instead_of(self, kind: bytes) -> Farewell | None:
        """How the connection ends in place of an answer to a message."""
        return self.farewell if self._due and kind in _ASKING else None

    def before(self, sequence: int) -> Farewell | None:
        """How it ends before an exchange."""
        farewell = self.farewell
        return farewell if self._due and farewell is not None and farewell.sequence < sequence else None
