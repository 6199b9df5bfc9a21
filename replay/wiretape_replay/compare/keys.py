"""Which member of one object is which of another, where keys are data (`{"7272": 3}`) or a field was renamed."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher

from pydantic import JsonValue

from wiretape_replay.align import signature
from wiretape_replay.compare.judge import Judge
from wiretape_replay.formats import format_of


def numbers_became(judge: Judge, at: str, expected: Iterable[str], actual: dict[str, JsonValue]) -> dict[str, str]:
    """Keys that number something which has another number now, though the old number may be there as well."""
    became = ((key, judge.key_became(at, key)) for key in expected if key.isdecimal())
    return {key: live for key, live in became if live is not None and live != key and live in actual}


def same_keys(judge: Judge, at: str, removed: list[str], added: list[str]) -> list[tuple[str, str, str]]:
    """Keys that are data: bound, or of one volatile format and as many on both sides."""
    found: list[tuple[str, str, str]] = []
    free = list(added)
    for key in removed:
        if format_of(key) is None and not key.isdecimal():
            continue
        for other in free:
            if reason := judge.same_key(at, key, other):
                found.append((key, other, reason))
                free.remove(other)
                break
    return found


def renames(
    expected: dict[str, JsonValue], actual: dict[str, JsonValue], removed: list[str], added: list[str]
) -> dict[str, str]:
    """Old name to new name, where a lost field's value turned up in a new one."""
    found: dict[str, str] = {}
    free = list(added)
    for key in removed:
        same = [name for name in free if signature(actual[name]) == signature(expected[key])]
        telling = not isinstance(expected[key], bool) and expected[key] not in (None, "", 0, 1, [], {})
        best = max(same, key=lambda name: _alike(key, name), default=None)
        if best is not None and (telling or _alike(key, best) >= 0.5):
            found[key] = best
            free.remove(best)
    return found


def _alike(one: str, other: str) -> float:
    return SequenceMatcher(None, one.lower(), other.lower(), autojunk=False).ratio()
