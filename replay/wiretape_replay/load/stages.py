"""The scale of a load over time: constant, or straight lines between stages. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from wiretape_replay.load.spec import Stage


@dataclass(frozen=True, slots=True)
class Level:
    """The scale at each moment: straight lines between corners, and what the last one says ever after."""

    corners: tuple[tuple[float, float], ...]
    """Seconds and scale, in the order of time."""

    @classmethod
    def of(cls, scale: float, stages: Sequence[Stage]) -> Level:
        """A constant scale, or stages that begin at 0; a stage of no length is a step."""
        if not stages:
            return cls(((0.0, scale),))
        corners, at = [(0.0, 0.0)], 0.0
        for stage in stages:
            at += stage.seconds
            corners.append((at, stage.scale))
        return cls(tuple(corners))

    @property
    def constant(self) -> bool:
        """Whether it never changes."""
        return len(self.corners) == 1

    @property
    def seconds(self) -> float:
        """When the last stage ends."""
        return self.corners[-1][0]

    def at(self, moment: float) -> float:
        """The scale at a moment; after a step its new value."""
        if self.constant or moment >= self.seconds:
            return self.corners[-1][1]
        for (start, low), (end, high) in pairwise(self.corners):
            if start <= moment < end:
                return low + (high - low) * (moment - start) / (end - start)
        return self.corners[0][1]
