"""One thing that is wrong with the calls of one exchange. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pydantic import JsonValue

from wiretape_replay.outbound.calls import Call
from wiretape_replay.verdict.model import Severity


class Kind(StrEnum):
    """What is wrong with a call."""

    MISSING = "missing"
    UNEXPECTED = "unexpected"
    """The recording has no such call."""
    CHANGED = "changed"
    """A recorded call was made with other content."""
    DUPLICATED = "duplicated"
    """The same write more often than recorded."""
    REPEATED = "repeated"
    """A read more often than recorded, or one that the exchange did not make."""
    FAN_OUT = "n+1"
    """A read for each item instead of one for all."""
    REORDERED = "reordered"
    ROLLED_BACK = "rolled-back"
    """A write that was committed is undone."""
    UNCOMMITTED = "uncommitted"
    """A write that was committed is in a transaction that does not end."""
    COMMITTED = "committed"
    """A write that was rolled back is committed."""
    SPLIT = "split"
    """Writes that were committed together are committed apart."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of one exchange."""

    kind: Kind
    severity: Severity
    place: str
    owners: tuple[int, ...]
    """The inbound exchange, the likeliest first where several were under way; none for a call outside of all."""
    message: str
    expected: JsonValue = None
    actual: JsonValue = None
    after: Fault | None = None
    """What it follows from: a call before it that brought the same exchange something else than recorded."""
    evidence: str = ""
    """What speaks for it, where that is not how often its exchanges make the call."""


def likeliest(call: Call, other: Call | None = None) -> tuple[int, ...]:
    """The exchanges that may have made a call, those of a second one first."""
    first = other.owners if other is not None else frozenset[int]()
    return tuple(sorted(call.owners or first, key=lambda one: (one not in first, one)))
