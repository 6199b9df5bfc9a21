"""How a live body breaks the profile of the recorded ones, each violation with its evidence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import JsonValue

from wiretape_replay.contract.leaf import Profile, exact_type, member_name
from wiretape_replay.formats import format_of
from wiretape_replay.leaves import join

_STRICT_FORMATS = frozenset({"uuid", "datetime", "date", "http-date", "jwt", "ulid", "objectid", "traceparent"})
"""Formats that a value cannot have by chance."""
_ENOUGH = 10
"""Integers seen fewer times may be whole prices."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One place where an answer breaks the contract."""

    pointer: str
    """With `*` for array positions and keys that are data."""
    at: str
    rule: str
    """`type-changed`, `unexpected-null`, `required-missing`, `format-changed` or `status-new`."""
    expected: str
    actual: str
    evidence: str
    """`integer in 214 of 214 recorded answers`."""


def check(profile: Profile, value: JsonValue) -> list[Violation]:
    """All violations of one body."""
    return list(_check(profile, value, "", ""))


def _check(profile: Profile, value: JsonValue, pointer: str, at: str) -> Iterator[Violation]:
    kind = exact_type(value)
    if kind not in profile.types and not _widened(profile, kind):
        rule = "unexpected-null" if kind == "null" else "type-changed"
        expected = " or ".join(sorted(profile.types))
        yield Violation(pointer, at, rule, expected, kind, _evidence(profile.types, profile.seen))
    elif isinstance(value, dict):
        yield from _members(profile, value, pointer, at)
    elif isinstance(value, list) and "*" in profile.members:
        for index, item in enumerate(value):
            yield from _check(profile.members["*"], item, f"{pointer}/*", join(at, index))
    elif isinstance(value, str):
        yield from _format(profile, value, pointer, at)


def _members(profile: Profile, value: dict[str, JsonValue], pointer: str, at: str) -> Iterator[Violation]:
    objects = profile.types["object"]
    for name, below in profile.members.items():
        if name not in value and name != "*" and below.seen == objects:
            evidence = f"present in {below.seen} of {objects} recorded answers"
            yield Violation(join(pointer, name), join(at, name), "required-missing", "present", "missing", evidence)
    for key, item in value.items():
        if known := profile.members.get(name := member_name(key)):
            yield from _check(known, item, f"{pointer}/*" if name == "*" else join(pointer, key), join(at, key))


def _widened(profile: Profile, kind: str) -> bool:
    """A whole number where fractions were seen, or a fraction where few whole numbers were."""
    if kind == "integer":
        return "number" in profile.types
    return kind == "number" and 0 < profile.types["integer"] < _ENOUGH


def _format(profile: Profile, value: str, pointer: str, at: str) -> Iterator[Violation]:
    if len(profile.formats) != 1:
        return
    name = next(iter(profile.formats))
    if name in _STRICT_FORMATS and (actual := format_of(value)) != name:
        evidence = _evidence(profile.formats, profile.types["string"])
        yield Violation(pointer, at, "format-changed", name, actual or "text", evidence)


def _evidence(counts: Counter[str], total: int) -> str:
    return f"{' or '.join(f'{name} in {count}' for name, count in sorted(counts.items()))} of {total} recorded answers"
