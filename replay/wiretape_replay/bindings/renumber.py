"""Which element of a live array is which recorded one when serial numbers began elsewhere and overlap by chance.

Readings are weighed by how alike they make the elements apart from their numbers: same number, same natural key, same
position. What the session has learned of a number before decides; else the same number wins a draw.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue

from wiretape_replay.align import align, likeness
from wiretape_replay.bindings.tokens import is_id_name

LIMIT = 2_000
"""Elements of an array that are weighed; a longer one is aligned by its key alone."""
_NATURAL = ("name", "code", "sku", "slug", "email", "title", "username", "key", "reference", "number")
_MARGIN = 0.05

type Pairs = Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Partners:
    """Positions of partners (recorded, live), and the recorded elements that have none."""

    pairs: Pairs
    removed: tuple[int, ...] = ()
    renumbered: bool = False
    """The same number names another element: what a number became is told by its partner alone."""


type Became = Callable[[str, str], str | None]
"""What a number under a name is known to have become."""


def partners(recorded: Sequence[JsonValue], live: Sequence[JsonValue], became: Became = lambda _name, _value: None
             ) -> Partners:  # fmt: skip
    """Align two arrays of objects by what their serial numbers name; any other arrays as they are compared."""
    ours = [item for item in recorded if isinstance(item, dict)]
    theirs = [item for item in live if isinstance(item, dict)]
    found = align(recorded, live, lambda _, value: value)
    plain = Partners(found.pairs, found.removed)
    objects = len(ours) == len(recorded) and len(theirs) == len(live)
    if not objects or not ours or not theirs or max(len(ours), len(theirs)) > LIMIT:
        return plain
    serial = _serial_name(ours, theirs)
    if not serial:
        return plain
    numbers = {item[serial] for item in ours} & {item[serial] for item in theirs}
    if not numbers or ours == theirs:
        return plain
    return _likeliest(ours, theirs, serial, plain, became)


def _likeliest(ours: list[dict[str, Any]], theirs: list[dict[str, Any]], serial: str, plain: Partners,
               became: Became) -> Partners:  # fmt: skip
    same = _by(ours, theirs, serial)
    readings: list[Pairs] = [same]
    readings += [found for name in _NATURAL if name != serial and (found := _by(ours, theirs, name))]
    if len(ours) == len(theirs):
        readings.append([(index, index) for index in range(len(ours))])
    readings.append(plain.pairs)
    if known := _known(ours, theirs, serial, became):
        readings = [each for each in readings if all(known.get(i, j) == j for i, j in each)] or [sorted(known.items())]
    scores = [_score(ours, theirs, serial, reading) for reading in readings]
    best = max(range(len(readings)), key=lambda index: scores[index])
    renumbered = readings[0] is not same or scores[best] >= scores[0] + _MARGIN
    pairs = sorted(readings[best if renumbered else 0])
    left = {i for i, _ in pairs}
    return Partners(pairs, tuple(i for i in range(len(ours)) if i not in left), renumbered)


def _known(ours: list[dict[str, Any]], theirs: list[dict[str, Any]], serial: str, became: Became) -> dict[int, int]:
    """Partners that the session knows."""
    positions = {str(item[serial]): index for index, item in enumerate(theirs)}
    pairs = ((index, positions.get(became(serial, str(item[serial])) or "")) for index, item in enumerate(ours))
    return {index: there for index, there in pairs if there is not None}


def _serial_name(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> str:
    """The name of a number that every element has and none shares."""
    for name in ours[0]:
        if is_id_name(name):
            values = [[item.get(name) for item in items] for items in (ours, theirs)]
            serial = all(_is_serial(value) for side in values for value in side)
            if serial and all(len(set(side)) == len(side) for side in values):
                return name
    return ""


def _is_serial(value: object) -> bool:
    return not isinstance(value, bool) and (isinstance(value, int) or (isinstance(value, str) and value.isdecimal()))


def _by(ours: list[dict[str, Any]], theirs: list[dict[str, Any]], name: str) -> Pairs:
    sides = [{item.get(name): index for index, item in enumerate(items) if isinstance(item.get(name), str | int)}
             for items in (ours, theirs)]  # fmt: skip
    if len(sides[0]) < len(ours) or len(sides[1]) < len(theirs):
        return []
    return [(index, sides[1][key]) for key, index in sides[0].items() if key in sides[1]]


def _score(ours: list[dict[str, Any]], theirs: list[dict[str, Any]], serial: str, pairs: Pairs) -> float:
    """How alike partners are, counted over all elements; those without a partner are not alike."""
    left, right = [_unnumbered(item, serial) for item in ours], [_unnumbered(item, serial) for item in theirs]
    return sum(likeness(left[i], right[j]) for i, j in pairs) / max(len(ours), len(theirs))


def _unnumbered(item: dict[str, Any], serial: str) -> dict[str, Any]:
    """The element without its number, also where a text or a link repeats it."""
    number = re.compile(rf"(?<!\d){re.escape(str(item[serial]))}(?!\d)")
    return {key: number.sub("#", value) if isinstance(value, str) else value
            for key, value in item.items() if key != serial}  # fmt: skip
