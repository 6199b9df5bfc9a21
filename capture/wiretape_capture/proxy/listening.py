"""What a listener of a recording stands for."""

from __future__ import annotations

from dataclasses import dataclass

from wiretape_capture.snapshot.exchange import Direction


@dataclass(frozen=True)
class Listening:
    """The direction of its traffic and, where it is fixed, the service's name."""

    direction: Direction
    service: str = ""
