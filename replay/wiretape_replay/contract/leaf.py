"""What was seen at one place of many bodies, and below it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal

from pydantic import JsonValue

from wiretape_replay.formats import format_of
from wiretape_replay.leaves import kind_of
from wiretape_replay.routes import is_identifier


@dataclass(slots=True)
class Profile:
    """Counts of types and formats, the range of numbers, and the same for members; elements share the member `*`."""

    types: Counter[str] = field(default_factory=Counter)
    formats: Counter[str] = field(default_factory=Counter)
    least: Decimal | None = None
    most: Decimal | None = None
    members: dict[str, Profile] = field(default_factory=dict)

    @property
    def seen(self) -> int:
        """How often a value was there."""
        return self.types.total()

    def add(self, value: JsonValue) -> None:
        """Count one value and all below it."""
        kind = exact_type(value)
        self.types[kind] += 1
        if isinstance(value, dict):
            for key, item in value.items():
                self._member(member_name(key)).add(item)
        elif isinstance(value, list):
            for item in value:
                self._member("*").add(item)
        elif isinstance(value, str):
            self.formats[format_of(value) or ""] += 1
        elif kind in ("integer", "number"):
            self._widen(Decimal(value or 0), Decimal(value or 0))

    def merge(self, other: Profile) -> None:
        """Add what was seen elsewhere."""
        self.types.update(other.types)
        self.formats.update(other.formats)
        if other.least is not None and other.most is not None:
            self._widen(other.least, other.most)
        for name, below in other.members.items():
            self._member(name).merge(below)

    def _member(self, name: str) -> Profile:
        return self.members.setdefault(name, Profile())

    def _widen(self, least: Decimal, most: Decimal) -> None:
        if least.is_finite() and most.is_finite():
            self.least = least if self.least is None else min(self.least, least)
            self.most = most if self.most is None else max(self.most, most)


def member_name(key: str) -> str:
    """Keys that are data share one profile."""
    return "*" if is_identifier(key) else key


def exact_type(value: JsonValue) -> str:
    """The JSON Schema type: whole numbers are `integer`, however they are spelt."""
    kind = kind_of(value)
    if kind != "number" or not isinstance(value, int | float | Decimal):
        return kind
    number = Decimal(value)
    return "integer" if number.is_finite() and number == number.to_integral_value() else "number"
