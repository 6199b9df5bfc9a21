"""Volatile parts inside longer strings: `Order 8f3c… created at 2026-…` is two literals and two volatile pieces."""

from __future__ import annotations

import re
from functools import lru_cache

from wiretape_replay.durations import IN_TEXT
from wiretape_replay.formats import Window, format_of, holds_words

type Piece = tuple[str, str | None]
"""Text with its volatile format, or None for literal text."""

_UUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-8][0-9a-fA-F]{3}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
_CANDIDATE = re.compile(
    rf"{IN_TEXT}"
    r"|eyJ[\w-]{4,}\.[\w-]{4,}\.[\w-]*"
    rf"|(?<![0-9a-fA-F]){_UUID}(?![0-9a-fA-F])"
    r"|(?<!\d)\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,12})?)?(?:Z|[+-]\d\d:?\d\d)?)?(?!\d)"
    r"|[A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d (?:GMT|UTC|[+-]\d{4})"
    r"|(?<![\d:])\d\d:\d\d:\d\d(?:\.\d{1,9})?(?![\d:])"
    r"|[A-Za-z0-9_-]{16,}={0,2}|(?<![\d.])\d{10,19}(?![\d.])"
)
_TOKEN_LIKE = re.compile(r"[\w+/.:~=-]{12,}")
_HEX_LETTERS = frozenset("abcdefABCDEF")
_STRICT = re.compile(r"\0(?!(?:token|hex|xid|ksuid)\0)[a-z][a-z0-9-]*\0")
"""A format that is never found or missed by chance."""
_WHOLE = frozenset({"uuid", "hex"})
"""Formats whose values have one piece, whatever they are."""
_DURATION = re.compile(r"\d+(?:\.\d+)?\s?[mµun]?s(?:ec|econds)?")
NEARLY = 2
_TOKEN_MARKS = frozenset("-_")
"""What URL-safe base64 holds besides letters and digits, so that one token may have it and the next one not."""
_NOTHING = frozenset({"", "none", "null", "nil", "undefined", "nan", "unknown", "empty", "missing", "false", "true"})
"""What programs write where a value is missing."""
_CODE = re.compile(r"(?:[A-Z]{1,8}|[a-z]{1,8})[-_/.:#]\d{1,12}")
_UUID_ONLY = re.compile(_UUID)
_WORD = re.compile(r"[A-Za-z0-9]{16,}|(?<!\d)\d{10,15}(?!\d)")


def pieces(text: str, window: Window | None = None) -> list[Piece]:
    """The text cut into literal and volatile pieces; joined again they are the text."""
    found: list[Piece] = []
    end = 0
    for candidate in _CANDIDATE.finditer(text):
        for start, stop, name in _volatile(text, candidate.start(), candidate.end(), window):
            if start > end:
                found.append((text[end:start], None))
            found.append((text[start:stop], name))
            end = stop
    if end < len(text) or not found:
        found.append((text[end:], None))
    return found


@lru_cache(maxsize=4096)
def skeleton(text: str) -> str:
    """The text with its volatile pieces replaced by the names of their formats."""
    return "".join(part if name is None else f"\0{name}\0" for part, name in pieces(text))


def drawn_apart(ours: str, theirs: str) -> bool:
    """Whether two random values can be two draws: such values do not agree in all but two characters."""
    if len(ours) != len(theirs):
        return True
    apart = 0
    for a, b in zip(ours, theirs, strict=True):
        apart += a != b
        if apart > NEARLY:
            return True
    return False


def same_make(expected: str, actual: str) -> bool:
    """Whether two values could come from one generator: the same formats around the same literals, length and case."""
    if expected.isdecimal() != actual.isdecimal() or not _same_case(expected, actual):
        return False
    form = format_of(expected)
    if form in _WHOLE and len(expected) == len(actual) and format_of(actual) == form:
        return True
    ours = skeleton(expected)
    if ours == expected:
        return expected.isdecimal() or _alike_plain(expected, actual)
    loose = not _STRICT.search(ours)
    lengths = abs(len(expected) - len(actual)) <= max(4, len(expected) // 4)
    return (ours == skeleton(actual) and (lengths or not loose)) or (loose and alike_tokens(expected, actual))


def _alike_plain(expected: str, actual: str) -> bool:
    """Values without a known format: of about one length, and with no mark that generators of the other do not use.

    A code such as `LAM-131` is made by a pattern, with the same marks in each; no generator draws a word for nothing.
    """
    if actual.lower() in _NOTHING or (_CODE.fullmatch(expected) and _marks(expected) != _marks(actual)):
        return False
    marks = set(_marks(actual)) - set(expected)
    return abs(len(expected) - len(actual)) <= max(4, len(expected) // 4) and marks <= _TOKEN_MARKS


def _marks(text: str) -> list[str]:
    return [character for character in text if not character.isalnum()]


def alike_tokens(expected: str, actual: str) -> bool:
    """Tokens of about one length, though one of them may be too plain to be known as a token by itself."""
    same = _TOKEN_LIKE.fullmatch(expected) and _TOKEN_LIKE.fullmatch(actual)
    dots = expected.count(".") == actual.count(".")
    return bool(same) and dots and abs(len(expected) - len(actual)) <= len(expected) // 8


def drawn_alike(expected: str, actual: str) -> bool:
    """Whether one is a token and the other, of its length and alphabet, merely happened to come without a digit."""
    texts = (expected, actual)
    one = {format_of(text) for text in texts} == {"token", None}
    mixed = all(text.lower() != text != text.upper() and not holds_words(text) for text in texts)
    return one and mixed and len(expected) == len(actual) and alike_tokens(expected, actual)


def cut_alike(expected: str, actual: str, ours: list[Piece], theirs: list[Piece]) -> tuple[list[Piece], list[Piece]]:
    """Both texts cut at the same places, where one holds tokens and the other what `drawn_alike` takes for some."""
    if len(ours) == len(theirs):
        return ours, theirs
    longer, text = (ours, actual) if len(ours) > len(theirs) else (theirs, expected)
    if any(name not in (None, "token") for _, name in longer):
        return ours, theirs
    cut = "".join(
        f"({re.escape(part)})" if name is None else f"([A-Za-z0-9_-]{{{len(part)}}})" for part, name in longer
    )
    if (found := re.fullmatch(cut, text)) is None:
        return ours, theirs
    other: list[Piece] = [(part, name) for part, (_, name) in zip(found.groups(), longer, strict=True)]
    return (longer, other) if longer is ours else (other, longer)


def _same_case(expected: str, actual: str) -> bool:
    """Generators write hexadecimal digits in one case, and long tokens always in the same cases."""
    if expected.isascii() and actual.isascii() and _ascii_cases(expected) == _ascii_cases(actual):
        return True
    ours, theirs = ({character for character in text if character.isalpha()} for text in (expected, actual))
    if not ours or not theirs:
        return True
    cases = [{character.isupper() for character in letters} for letters in (ours, theirs)]
    telling = (ours | theirs) <= _HEX_LETTERS or min(len(ours), len(theirs)) >= 10
    return cases[0] == cases[1] or not telling


def _ascii_cases(text: str) -> tuple[bool, bool]:
    """Whether it has capitals, and small letters."""
    return text != text.lower(), text != text.upper()


def _volatile(text: str, start: int, end: int, window: Window | None) -> list[tuple[int, int, str]]:
    run = text[start:end]
    if _DURATION.fullmatch(run):
        return [(start, end, "duration")]
    if name := format_of(run, window=window):
        return [(start, end, name)]
    inner = _UUID_ONLY if _UUID_ONLY.search(run) else _WORD
    parts = ((start + part.start(), start + part.end(), part[0]) for part in inner.finditer(run))
    return [(a, b, name) for a, b, word in parts if word != run and (name := format_of(word, window=window))]
