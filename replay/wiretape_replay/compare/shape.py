"""What noise must keep: type, format, length, sign, wholeness and rough size of the values seen at one place.

Values vary; what they are does not. Knows nothing of tests: one value outside the shape is one too many.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Self

from pydantic import BaseModel, ConfigDict, JsonValue

from wiretape_replay.compare.evidence import median
from wiretape_replay.compare.places import template
from wiretape_replay.formats import format_of
from wiretape_replay.instants import instant_of
from wiretape_replay.leaves import kind_of

KEPT = 400
"""Numbers remembered of one place."""
NAMES = 5000
"""Members counted of one place: an object with more is a map."""
ENOUGH_VALUES = 10
"""From here on the spread of values says how far they go; before, only their order of magnitude does.

What is drawn once for each start, as the number of a process or where a counter begins, was drawn three times in three
starts, however many answers repeat it or count on from it.
"""
LEAP = 10
"""A counter goes on from answer to answer in steps that are so many times smaller than its starts lie apart."""
FEW_SHARE = 3
"""While little is known: a text may be so many times shorter than the shortest that was seen."""
DEVIATIONS = 25
"""How many median absolute deviations from the median are still the same kind of number: far more than chance takes."""
LOG_DEVIATIONS = 7
"""The same for the logarithm: amounts and durations are skewed."""
FEW_SPANS = 10
"""While little is known: so many times the spread may a number lie outside of it, or else"""
MAGNITUDES = 3
"""at most so many powers of ten from one that was seen."""


class Bounds(BaseModel):
    """A shape as it is written down: what the values of a learned rule have in common."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    types: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    """Formats seen; `text` stands for none."""
    length: tuple[int, int] | None = None
    """Characters of strings, elements of arrays."""
    range: tuple[float, float] | None = None
    whole: bool = False
    """All numbers were whole."""
    decimal: bool = False
    """All strings were made of digits."""


@dataclass(slots=True)
class Shape:
    """The values seen at one place."""

    types: Counter[str] = field(default_factory=Counter)
    formats: set[str] = field(default_factory=set)
    members: Counter[str] = field(default_factory=Counter)
    """How many of its objects had each member."""
    shortest: int | None = None
    longest: int = 0
    least: float = math.inf
    most: float = -math.inf
    numbers: list[float] = field(default_factory=list)
    steps: list[float] = field(default_factory=list)
    """How far numbers lie from the one before, live or recorded as they are, where they are not the same."""
    series: int = 0
    """How many first numbers there were, that have none before."""
    _last: dict[bool, float] = field(default_factory=dict)
    apart: float = 0.0
    """Most powers of ten between a recorded number and its live one."""
    whole: bool = True
    decimal: bool = True
    live: int = 0
    live_nulls: int = 0
    """How many values came from unchanged code, and how many of them were null."""

    def add(self, value: JsonValue, recorded: JsonValue = None, *, taped: bool = False) -> None:
        """Remember one value, with what was recorded in its place; members of containers are places of their own.

        A value that is taped is a recorded one itself.
        """
        kind = kind_of(value)
        self.types[kind] += 1
        if isinstance(value, str):
            self.formats.add(named_format(value))
            self.decimal = self.decimal and value.isdecimal()
            self._measure(len(value))
        elif isinstance(value, list):
            self._measure(len(value))
        elif isinstance(value, dict):
            if len(self.members) < NAMES:
                self.members.update(key for key in value if template("", key) != "/*")
        elif kind == "number" and isinstance(value, int | float | Decimal):
            self._number(value, taped=taped)
            if _is_number(recorded):
                self.apart = max(self.apart, min(_magnitudes(_float(value), _float(recorded)), 300.0))

    def fault(self, value: JsonValue, expected: JsonValue = None) -> str:
        """How a value falls out of the shape, as the end of "it …"; empty when it keeps it."""
        kind = kind_of(value)
        if kind not in self.types:
            return f"is {kind}, where it was {' or '.join(sorted(self.types))}"
        if isinstance(value, str):
            return self._text_fault(value)
        if isinstance(value, list):
            return self._length_fault(len(value), "elements")
        if kind == "number" and isinstance(value, int | float | Decimal):
            return self._number_fault(value, expected)
        return ""

    @property
    def draws(self) -> int:
        """How often chance had its say: all numbers that were not the one before, or of a counter its starts."""
        counted = self.steps
        if self.counts_on:
            counted = [step for step in self.steps if step > LEAP * median(self.steps)]
        return self.series + len(counted)

    @property
    def counts_on(self) -> bool:
        """Whether its numbers go on from one another, wherever they began."""
        return bool(self.steps) and LEAP * median(self.steps) < _spread(self.numbers)

    @property
    def gone(self) -> bool:
        """Whether unchanged code only ever gave null."""
        return self.live > 0 and self.live == self.live_nulls

    def always(self) -> list[str]:
        """Members that every object had."""
        return [name for name, count in self.members.items() if count == self.types["object"]]

    @property
    def bounds(self) -> Bounds:
        """The shape to be written down."""
        return Bounds(
            types=tuple(sorted(self.types)), formats=tuple(sorted(self.formats)),
            length=None if self.shortest is None else (self.shortest, self.longest),
            range=(self.least, self.most) if self.numbers else None,
            whole=bool(self.numbers) and self.whole, decimal=bool(self.formats) and self.decimal,
        )  # fmt: skip

    @classmethod
    def within(cls, bounds: Bounds, seen: int = 1) -> Self:
        """A shape from what was written down of it, and of how many values."""
        types = Counter(dict.fromkeys(bounds.types, max(seen, 1)))
        shape = cls(types, set(bounds.formats), whole=bounds.whole, decimal=bounds.decimal)
        if bounds.length:
            shape.shortest, shape.longest = bounds.length
        if bounds.range:
            shape.least, shape.most = bounds.range
            shape.numbers = [*bounds.range]
            shape.series = len(shape.numbers)
        return shape

    def merge(self, other: Shape) -> None:
        """Add what was seen elsewhere."""
        self.types.update(other.types)
        self.formats |= other.formats
        self.members.update(other.members)
        self.whole, self.decimal = self.whole and other.whole, self.decimal and other.decimal
        self.least, self.most = min(self.least, other.least), max(self.most, other.most)
        self.apart = max(self.apart, other.apart)
        self.numbers = [*self.numbers, *other.numbers][:KEPT]
        self.steps = [*self.steps, *other.steps][:KEPT]
        self.series += other.series
        if other.shortest is not None:
            self._measure(other.shortest)
            self._measure(other.longest)

    def _measure(self, length: int) -> None:
        self.shortest = length if self.shortest is None else min(self.shortest, length)
        self.longest = max(self.longest, length)

    def _number(self, value: float | Decimal, *, taped: bool) -> None:
        number = _float(value)
        if not math.isfinite(number):
            return
        self.least, self.most = min(self.least, number), max(self.most, number)
        self.whole = self.whole and isinstance(value, int)
        step = abs(number - self._last[taped]) if taped in self._last else None
        self._last[taped] = number
        self.series += step is None
        if step and len(self.steps) < KEPT:
            self.steps.append(step)
        if len(self.numbers) < KEPT:
            self.numbers.append(number)

    def _text_fault(self, text: str) -> str:
        form = named_format(text)
        if form not in self.formats and (form in _TELLING or "text" not in self.formats):
            return f"has the format {form}, where it had {' or '.join(sorted(self.formats))}"
        if self.decimal and not text.isdecimal():
            return "is no longer made of digits"
        return self._length_fault(len(text), "characters")

    def _length_fault(self, length: int, unit: str) -> str:
        shortest = self.shortest or 0
        span = self.longest - shortest
        few = self.types.total() < ENOUGH_VALUES
        slack = max(4, 2 * span, self.longest if few else 0)
        least = min(shortest - max(4, 2 * span), shortest // FEW_SHARE if few else shortest)
        if unit == "elements":
            slack = 2 * span + 1 if span else 0
            least = shortest - slack
        if max(min(shortest, 1), least) <= length <= self.longest + slack:
            return ""
        seen = f"{shortest}" if not span else f"{shortest} to {self.longest}"
        return f"is {length} {unit} long, where it was {seen}"

    def _number_fault(self, value: float | Decimal, expected: JsonValue) -> str:
        number = _float(value)
        if not self.numbers:
            return ""
        if not math.isfinite(number):
            return "is not finite"
        if self.whole and not number.is_integer():
            return "has a fraction, where it was whole"
        known = self.draws >= ENOUGH_VALUES
        between = f"it lay between {self.least:g} and {self.most:g}"
        if (known or self._a_count) and ((number < 0 <= self.least) or (number > 0 >= self.most)):
            return f"has another sign, where {between}"
        if known and _is_number(expected) and _magnitudes(number, _float(expected)) > 2 * self.apart + 1:
            return f"is {number:g} for {_float(expected):g}, where {between}"
        return "" if self._near(number, expected) else f"is {number:g}, where {between}"

    @property
    def _a_count(self) -> bool:
        """Whether it counts something: wherever that begins, it keeps its sign."""
        return self.whole and len(self.steps) >= ENOUGH_VALUES and self.counts_on

    def _near(self, number: float, expected: JsonValue) -> bool:
        span = self.most - self.least
        if self.least - span <= number <= self.most + span:
            return True
        if self.draws < ENOUGH_VALUES:
            if self.least - FEW_SPANS * span <= number <= self.most + FEW_SPANS * span:
                return True
            known = [*self.numbers, _float(expected)] if _is_number(expected) else self.numbers
            same_sign = (number < 0) == (self.least < 0) or (number < 0) == (self.most < 0)
            allowed = min(MAGNITUDES, 2 * self.apart + 1)
            return same_sign and any(_magnitudes(number, other) <= allowed for other in known)
        if _within(number, self.numbers, DEVIATIONS):
            return True
        positive = self.least > 0 and number > 0
        return positive and _within(math.log(number), [math.log(each) for each in self.numbers], LOG_DEVIATIONS)


_TELLING = frozenset({"uuid", "jwt", "ulid", "objectid", "traceparent", "http-date"})
"""Formats that ordinary text never has by chance; a host name may look like a token now and then."""
_ADDRESSES = {"url": re.compile(r"[a-z][a-z0-9+.-]{1,20}://[^\s<>\"]{1,4096}", re.IGNORECASE),
              "email": re.compile(r"[^\s@<>\":/]{1,64}@[a-z0-9-]+(?:\.[a-z0-9-]+)+", re.IGNORECASE)}  # fmt: skip
"""RFC 3986 with an authority; RFC 5321 mailboxes as people write them."""


def named_format(text: str) -> str:
    """The format with, for a point in time, how it is spelt; `text` for none."""
    instant = instant_of(text)
    if instant:
        return f"{instant.kind} {instant.style}".strip()
    return format_of(text) or next((name for name, form in _ADDRESSES.items() if form.fullmatch(text)), "text")


def _within(number: float, values: list[float], deviations: float) -> bool:
    return abs(number - median(values)) <= deviations * _spread(values)


def _spread(values: list[float]) -> float:
    """The median absolute deviation from the median."""
    middle = median(values)
    return median(abs(each - middle) for each in values)


def _magnitudes(one: float, other: float) -> float:
    """How many powers of ten lie between two numbers; zero is a small number."""
    if one == 0 or other == 0:
        return 0 if max(abs(one), abs(other)) <= 1000 else math.inf
    return abs(math.log10(abs(one)) - math.log10(abs(other)))


def _is_number(value: JsonValue) -> bool:
    return math.isfinite(_float(value))


def _float(value: JsonValue | Decimal) -> float:
    """Infinite where a float cannot hold it, and no number where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf
