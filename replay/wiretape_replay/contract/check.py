"""How a live answer breaks the profile of the recorded ones, each violation with its evidence."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from pydantic import JsonValue

from wiretape_replay.contract.leaf import Profile, exact_type, member_name
from wiretape_replay.formats import format_of
from wiretape_replay.leaves import join
from wiretape_replay.verdict.model import Part, Severity

STRICT_FORMATS = frozenset({"uuid", "datetime", "date", "http-date", "jwt", "ulid", "objectid", "traceparent"})
"""Formats that a value cannot have by chance."""
ENOUGH = 10
"""Answers that make "always there" a promise; and integers seen fewer times may be whole prices."""
ENOUGH_TEXTS = 30
MOST_CODES = 8
ENOUGH_NUMBERS = 100
_OUTLIER = 100
"""Times the largest number of the recording."""
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,31}")


@dataclass(frozen=True, slots=True)
class Violation:
    """One place where an answer breaks the contract."""

    pointer: str
    """With `*` for array positions and keys that are data; a header's name."""
    at: str
    rule: str
    """`type-changed`, `unexpected-null`, `required-missing`, `format-changed`, `enum-new-value`, `range-outlier`,
    `array-emptied`, `status-new`, `content-type-changed` or `header-missing`."""
    expected: str
    actual: str
    evidence: str
    """`integer in 214 of 214 recorded answers`."""
    part: Part = Part.BODY
    breaking: bool = True
    """By what a change of a response means to its clients."""
    severity: Severity = Severity.WARNING
    """Rules of thumb are `info`: they are told and counted nowhere."""


def check(profile: Profile, value: JsonValue) -> list[Violation]:
    """All violations of one body."""
    return list(_check(profile, value, "", ""))


def codes(profile: Profile) -> list[str] | None:
    """The values of an enumeration; None where there was too little to tell one from ordinary text."""
    texts = profile.texts
    if not texts or texts.total() < ENOUGH_TEXTS or len(texts) > MOST_CODES:
        return None
    alike = all(_CODE.fullmatch(text) for text in texts) and min(texts.values()) > 1
    return sorted(texts) if alike else None


def _check(profile: Profile, value: JsonValue, pointer: str, at: str) -> Iterator[Violation]:
    kind = exact_type(value)
    if kind not in profile.types and not _widened(profile, kind):
        rule = "unexpected-null" if kind == "null" else "type-changed"
        expected = " or ".join(sorted(profile.types))
        yield Violation(pointer, at, rule, expected, kind, _evidence(profile.types, profile.seen))
    elif isinstance(value, dict):
        yield from _members(profile, value, pointer, at)
    elif isinstance(value, list):
        yield from _elements(profile, value, pointer, at)
    elif isinstance(value, str):
        yield from _text(profile, value, pointer, at)
    elif kind in ("integer", "number"):
        yield from _range(profile, Decimal(value or 0), pointer, at)


def _members(profile: Profile, value: dict[str, JsonValue], pointer: str, at: str) -> Iterator[Violation]:
    objects = profile.types["object"]
    for name, below in profile.members.items():
        if name not in value and name != "*" and below.seen == objects >= ENOUGH:
            evidence = f"present in {below.seen} of {objects} recorded answers"
            yield Violation(join(pointer, name), join(at, name), "required-missing", "present", "missing", evidence)
    for key, item in value.items():
        name = "*" if profile.keyed_by_data else member_name(key)
        if known := profile.members.get(name):
            yield from _check(known, item, f"{pointer}/*" if name == "*" else join(pointer, key), join(at, key))


def _elements(profile: Profile, value: list[JsonValue], pointer: str, at: str) -> Iterator[Violation]:
    arrays, items = profile.types["array"], profile.items
    if not value and items and items.least > 0 and arrays >= ENOUGH_TEXTS:
        evidence = f"{_counted(items.least)} or more in {arrays} of {arrays} recorded answers"
        yield Violation(pointer, at, "array-emptied", "elements", "none", evidence, breaking=False,
                        severity=Severity.INFO)  # fmt: skip
    if known := profile.members.get("*"):
        for index, item in enumerate(value):
            yield from _check(known, item, f"{pointer}/*", join(at, index))


def _widened(profile: Profile, kind: str) -> bool:
    """A whole number where fractions were seen, or a fraction where few whole numbers were."""
    if kind == "integer":
        return "number" in profile.types
    return kind == "number" and 0 < profile.types["integer"] < ENOUGH


def _text(profile: Profile, value: str, pointer: str, at: str) -> Iterator[Violation]:
    if len(profile.formats) == 1 and (name := next(iter(profile.formats))) in STRICT_FORMATS:
        if (actual := format_of(value)) != name:
            evidence = _evidence(profile.formats, profile.types["string"])
            yield Violation(pointer, at, "format-changed", name, actual or "text", evidence)
    elif (known := codes(profile)) and value not in known:
        total = profile.types["string"]
        evidence = f"{' or '.join(known)} in {total} of {total} recorded answers"
        actual = value if len(value) <= 64 else f"{value[:63]}…"
        yield Violation(pointer, at, "enum-new-value", " or ".join(known), actual, evidence, breaking=False)


def _range(profile: Profile, value: Decimal, pointer: str, at: str) -> Iterator[Violation]:
    span, count = profile.numbers, profile.types["integer"] + profile.types["number"]
    if span is None or count < ENOUGH_NUMBERS or not value.is_finite():
        return
    negative = value < 0 <= span.least
    if negative or value > span.most * _OUTLIER > 0:
        expected = f"{span.least} to {span.most}"
        evidence = f"{expected} in {count} of {count} recorded answers"
        yield Violation(pointer, at, "range-outlier", expected, str(value), evidence, breaking=False,
                        severity=Severity.INFO)  # fmt: skip


def _counted(number: Decimal) -> str:
    return f"{number} {'element' if number == 1 else 'elements'}"


def _evidence(counts: Counter[str], total: int) -> str:
    return f"{' or '.join(f'{name} in {count}' for name, count in sorted(counts.items()))} of {total} recorded answers"
