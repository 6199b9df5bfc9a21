"""What was seen at one place of many bodies, and below it. Profiles merge in any order and any grouping."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Self

from pydantic import JsonValue

from wiretape_replay.formats import format_of
from wiretape_replay.leaves import kind_of
from wiretape_replay.routes import is_identifier

DISTINCT_LIMIT = 32
"""Distinct texts that are remembered; a place with more is no enumeration."""
MEMBERS_LIMIT = 256
"""Keys of an object that are told apart; an object with more is keyed by data."""
_TEXT_LIMIT = 64
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Span:
    """The least and the most that was seen."""

    least: Decimal
    most: Decimal

    def joined(self, other: Self | None) -> Self:
        """The span of both."""
        if other is None:
            return self
        return type(self)(min(self.least, other.least), max(self.most, other.most))


@dataclass(slots=True)
class Profile:
    """Counts of types, formats and texts, spans of sizes, and the same for members; elements share the member `*`."""

    types: Counter[str] = field(default_factory=Counter)
    formats: Counter[str] = field(default_factory=Counter)
    internet_times: int = 0
    """Texts that are date-times by RFC 3339, the only ones that JSON Schema calls so."""
    numbers: Span | None = None
    lengths: Span | None = None
    """Of texts, in characters."""
    items: Span | None = None
    """Elements of arrays."""
    texts: Counter[str] | None = field(default_factory=Counter)
    """Every distinct text; None when there were too many, or long ones."""
    members: dict[str, Profile] = field(default_factory=dict)
    keyed_by_data: bool = False
    """There were so many keys that all share the member `*`."""

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
            self.items = _sized(len(value)).joined(self.items)
            for item in value:
                self._member("*").add(item)
        elif isinstance(value, str):
            self._add_text(value)
        elif kind in ("integer", "number") and (number := Decimal(value or 0)).is_finite():
            self.numbers = Span(number, number).joined(self.numbers)

    def merge(self, other: Profile) -> None:
        """Add what was seen elsewhere."""
        self.types.update(other.types)
        self.formats.update(other.formats)
        self.internet_times += other.internet_times
        self.numbers = other.numbers.joined(self.numbers) if other.numbers else self.numbers
        self.lengths = other.lengths.joined(self.lengths) if other.lengths else self.lengths
        self.items = other.items.joined(self.items) if other.items else self.items
        if other.texts is None or self.texts is None:
            self.texts = None
        else:
            self.texts.update(other.texts)
            self._forget_many()
        if other.keyed_by_data:
            self._share_members()
        for name, below in other.members.items():
            self._member(name).merge(below)

    def _add_text(self, text: str) -> None:
        name = format_of(text) or ""
        self.formats[name] += 1
        self.internet_times += name == "datetime" and _RFC3339.fullmatch(text) is not None
        self.lengths = _sized(len(text)).joined(self.lengths)
        if self.texts is None:
            return
        if name or len(text) > _TEXT_LIMIT:
            self.texts = None
        else:
            self.texts[text] += 1
            self._forget_many()

    def _forget_many(self) -> None:
        if self.texts is not None and len(self.texts) > DISTINCT_LIMIT:
            self.texts = None

    def _member(self, name: str) -> Profile:
        if self.keyed_by_data:
            name = "*"
        elif name not in self.members and len(self.members) >= MEMBERS_LIMIT:
            self._share_members()
            name = "*"
        return self.members.setdefault(name, Profile())

    def _share_members(self) -> None:
        self.keyed_by_data = True
        shared = self.members.get("*") or Profile()
        for name, below in self.members.items():
            if name != "*":
                shared.merge(below)
        self.members = {"*": shared} if self.members else {}


def merged(left: Profile, right: Profile) -> Profile:
    """A profile of its own that holds both."""
    both = Profile()
    both.merge(left)
    both.merge(right)
    return both


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


def _sized(size: int) -> Span:
    return Span(Decimal(size), Decimal(size))
