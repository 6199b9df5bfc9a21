"""Recorded values and what they became, put into texts wherever they stand on token boundaries.

Found by the first word of each value, so that a text costs its own length however many values are known.
"""

from __future__ import annotations

import json
import re
from urllib.parse import quote, quote_plus

_WORD = re.compile(r"%[0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}|\\.|([A-Za-z0-9]+)")
"""A word, or an escape that is no part of one: `%2F` before an id ends with a letter."""

_PLAIN = re.compile(r"[A-Za-z0-9._~-]+")
"""What is spelt alike in URLs and JSON."""


class Replacements:
    """Applied in one pass, longest first at each place, so that no live value is taken for a recorded one."""

    def __init__(self) -> None:
        self._live: dict[str, str] = {}
        self._by_word: dict[str, dict[str, tuple[int, str]]] = {}
        """First word of a spelling to spelling, the word's offset in it, and the live spelling."""

    def __bool__(self) -> bool:
        return bool(self._live)

    def put(self, recorded: str, live: str) -> None:
        """A recorded value reads `live` from now on; the same value stands for itself."""
        if self._live.get(recorded, recorded) == live:
            return
        if recorded == live:
            self._drop(recorded)
            return
        self._live[recorded] = live
        for spelling, spelt in _spellings(recorded, live):
            if (word := _first_word(spelling)) is not None:
                text, offset = word
                self._by_word.setdefault(text, {})[spelling] = (offset, spelt)

    def apply(self, text: str) -> str:
        """The text with live values."""
        if not self._live or not text:
            return text
        out: list[str] = []
        end = 0
        for found in _WORD.finditer(text):
            known = self._by_word.get(found[1]) if found[1] else None
            if known is None or found.start() < end:
                continue
            hit = self._longest(text, found.start(), end, known)
            if hit is not None:
                start, spelling, live = hit
                out += [text[end:start], live]
                end = start + len(spelling)
        return "".join([*out, text[end:]]) if out else text

    def _longest(self, text: str, at: int, end: int, known: dict[str, tuple[int, str]]) -> tuple[int, str, str] | None:
        best: tuple[int, str, str] | None = None
        for spelling, (offset, live) in known.items():
            start = at - offset
            if start < end or (best is not None and len(best[1]) >= len(spelling)):
                continue
            if text.startswith(spelling, start) and _bounded(text, start, start + len(spelling)):
                best = (start, spelling, live)
        return best

    def _drop(self, recorded: str) -> None:
        for spelling, _ in _spellings(recorded, recorded):
            if (word := _first_word(spelling)) is not None:
                self._by_word.get(word[0], {}).pop(spelling, None)
        self._live.pop(recorded, None)


def _spellings(recorded: str, live: str) -> list[tuple[str, str]]:
    if _PLAIN.fullmatch(recorded) and _PLAIN.fullmatch(live):
        return [(recorded, live)]
    spelt = {spell(recorded): spell(live) for spell in (_lower_quoted, quote_plus, _in_json, _quoted, str)}
    return list(spelt.items())


def _first_word(text: str) -> tuple[str, int] | None:
    return next(((found[1], found.start()) for found in _WORD.finditer(text) if found[1]), None)


def _bounded(text: str, start: int, stop: int) -> bool:
    if stop < len(text) and text[stop].isalnum() and text[stop].isascii() and text[stop - 1].isalnum():
        return False
    if not start or not text[start].isalnum():
        return True
    before = text[start - 1]
    return not (before.isalnum() and before.isascii()) or _after_escape(text, start)


def _after_escape(text: str, start: int) -> bool:
    """The word before the value is the end of an escape."""
    return any(found.end() == start and found[1] is None for found in _WORD.finditer(text, max(0, start - 6), start))


def _quoted(text: str) -> str:
    return quote(text, safe="")


def _lower_quoted(text: str) -> str:
    return re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), _quoted(text))


def _in_json(text: str) -> str:
    return json.dumps(text)[1:-1]
