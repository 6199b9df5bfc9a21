"""How far another machine's clock is from ours, from a few questions and answers (Cristian's algorithm). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wiretape_capture.errors import WiretapeError

ROUNDS = 15
WORTH_TELLING_NS = 100_000_000
LARGEST_NS = 5_000_000_000
"""Beyond it client clocks, tokens and logs would be of another time; the start itself is corrected."""
LEAST_SURE_NS = 100_000_000
"""A start that is less certain than this would be no common start."""


@dataclass(frozen=True, slots=True)
class Offset:
    """What a clock there shows more than ours does at the same moment, and how far from it that may be."""

    ns: int
    unsure_ns: int


def offset_of(rounds: Iterable[tuple[int, int, int]]) -> Offset:
    """From our clock before, theirs, ours after: the quickest round says most."""
    before, theirs, after = min(rounds, key=lambda one: one[2] - one[0])
    return Offset(theirs - (before + after) // 2, max(after - before, 0) // 2)


def checked(offsets: Sequence[tuple[str, Offset]]) -> str:
    """A sentence on the clocks of workers by name; raises where no common start can be made."""
    for name, offset in offsets:
        if abs(offset.ns) > LARGEST_NS:
            raise WiretapeError(f"the clock of worker {name} is {offset.ns / 1e9:+.1f} s from this machine's",
                                "set it with NTP, then try again")  # fmt: skip
        if offset.unsure_ns > LEAST_SURE_NS:
            raise WiretapeError(f"worker {name} answers too slowly to start with the others: its clock is known to "
                                f"{offset.unsure_ns / 1e6:.0f} ms only",
                                "use a cluster that is nearer or less busy")  # fmt: skip
    most = max((abs(offset.ns) for _, offset in offsets), default=0)
    unsure = max((offset.unsure_ns for _, offset in offsets), default=0)
    told = f"clocks of the cluster are within {most / 1e6:.1f} ms of this machine's, known to {unsure / 1e6:.1f} ms"
    return told + (", which the start was corrected by; set them with NTP" if most > WORTH_TELLING_NS else "")
