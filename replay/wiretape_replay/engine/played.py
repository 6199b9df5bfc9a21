"""How one exchange went when it was played. Knows nothing of how that is done."""

from __future__ import annotations

from dataclasses import dataclass

from wiretape_capture.snapshot.exchange import Exchange


@dataclass(slots=True)
class Played:
    """How one exchange went; its response is kept apart."""

    exchange: Exchange
    ended_ns: int = 0
    """When the answer had come, or it was certain that none would; nanoseconds since the Unix epoch."""
    latency_ms: float | None = None
    error: str = ""
    blocked_by: int | None = None
    started_ns: int = 0
    """When it was sent; 0 when it was not."""
