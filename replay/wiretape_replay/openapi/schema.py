"""A profile as a JSON Schema (2020-12): what the evidence carries is promised, the rest told beside it. Pure."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

from wiretape_replay.contract.check import ENOUGH, codes
from wiretape_replay.contract.credentials import names_credential
from wiretape_replay.contract.leaf import Profile, Span

EVIDENCE = "x-wiretape-evidence"
type Json = dict[str, Any]


def schema_of(profile: Profile, name: str = "", *, of: int | None = None) -> Json:
    """The schema of what stands at one place; `of` is how many parents could have had it."""
    schema: Json = {}
    if kinds := _kinds(profile.types):
        schema["type"] = kinds[0] if len(kinds) == 1 else kinds
    if formatted := _format(profile):
        schema["format"] = formatted
    if "object" in profile.types:
        schema |= _object(profile)
    if "array" in profile.types:
        schema["items"] = schema_of(profile.members.get("*", Profile()))
    if not names_credential(name):
        if len(kinds) == 1 and (values := codes(profile)):
            schema["enum"] = values
        elif (example := _example(profile)) is not None:
            schema["examples"] = [example]
    return schema | {EVIDENCE: _evidence(profile, of, secret=names_credential(name))}


def _object(profile: Profile) -> Json:
    objects = profile.types["object"]
    named = {name: below for name, below in profile.members.items() if name != "*"}
    found: Json = {"properties": {name: schema_of(below, name, of=objects) for name, below in named.items()}}
    if required := sorted(name for name, below in named.items() if below.seen == objects >= ENOUGH):
        found["required"] = required
    if "*" in profile.members and "array" not in profile.types:
        found["additionalProperties"] = schema_of(profile.members["*"])
    return found


def _kinds(types: Counter[str]) -> list[str]:
    """Whole numbers are numbers too, and few of them may be whole prices."""
    kinds = set(types)
    if "number" in kinds:
        kinds.discard("integer")
    return sorted(kinds)


def _format(profile: Profile) -> str | None:
    formats, texts = profile.formats, profile.formats.total()
    if len(formats) != 1 or texts < ENOUGH:
        return None
    name = next(iter(formats))
    if name == "datetime":
        return "date-time" if profile.internet_times == texts else None
    return name if name in ("uuid", "date") else None


def _example(profile: Profile) -> object:
    if texts := profile.texts:
        return min(texts, key=lambda text: (not text, -texts[text], text))
    if profile.numbers and set(profile.types) <= {"integer", "number", "null"}:
        return _plain(profile.numbers.least)
    return None


def _evidence(profile: Profile, of: int | None, *, secret: bool) -> Json:
    found: Json = {"seen": profile.seen} | ({} if of is None else {"of": of})
    found["types"] = dict(sorted(profile.types.items()))
    if formats := {name: count for name, count in sorted(profile.formats.items()) if name}:
        found["formats"] = formats
    for name, span in (("range", profile.numbers), ("length", profile.lengths), ("items", profile.items)):
        if isinstance(span, Span) and not (secret and name == "range"):
            found[name] = [_plain(span.least), _plain(span.most)]
    return found


def _plain(number: Decimal) -> int | float | str:
    """A JSON number that says the same, or its text."""
    if abs(number) > 1 << 53:
        return str(number)
    return int(number) if number == number.to_integral_value() else float(number)
