"""What the process that forwards databases tells the recorder: who connected, and copies of what passed. Pure.

Framing, times and the two kinds `NOTE` and `CAUGHT_UP` are those of the tee's records.
"""

from __future__ import annotations

from dataclasses import asdict
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import orjson

from wiretape_capture.protocols.observed import Observed

if TYPE_CHECKING:
    from pydantic import JsonValue

type Facts = dict[str, Any]
"""What JSON can hold, by name."""


class Told(IntEnum):
    """What a record tells of the connection whose number it bears."""

    ACCEPTED = 32
    """It is forwarded from here on. Payload: `accepted`."""
    CLIENT = 33
    """Bytes that the app sent."""
    SERVER = 34
    """Bytes that the service sent."""
    ENDED = 35
    """It is over."""
    SEEN = 36
    """Something was seen while it was greeted. Payload: `seen`."""


def accepted(place: int, opening: Facts) -> bytes:
    """The listener's index and what the protocol's follower begins with."""
    return orjson.dumps([place, opening])


def accepted_of(payload: bytes) -> tuple[int, Facts]:
    """The same again."""
    place, opening = orjson.loads(payload)
    return place, opening


def seen(place: int, observed: Observed) -> bytes:
    """The listener's index and what was seen."""
    return orjson.dumps([place, asdict(observed)])


def seen_of(payload: bytes) -> tuple[int, Observed]:
    """The same again."""
    fields: dict[str, JsonValue]
    place, fields = orjson.loads(payload)
    return place, Observed(**fields)  # type: ignore[arg-type]
