"""Formats that values have when a machine made them: identifiers, tokens, points in time. Pure and quick.

A format alone says that a value *may* change from run to run; whether a difference is noise is decided in `compare`.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise

from pydantic import JsonValue

from wiretape_replay.instants import DAY, SECOND, Window, epoch_of, instant_of

__all__ = ["TIMED", "VOLATILE", "Window", "format_of", "jwt_claims"]

TIMED = frozenset({"datetime", "date", "time", "http-date", "epoch-s", "epoch-ms", "epoch-us", "epoch-ns"})
"""Formats that read a clock."""

VOLATILE = TIMED | {
    "uuid", "jwt", "ulid", "ksuid", "objectid", "xid", "snowflake", "hex", "token", "etag", "traceparent",
}  # fmt: skip
"""Formats whose values a run may make afresh."""

_PLAUSIBLE = Window(1_230_768_000 * SECOND, 4_102_444_800 * SECOND - DAY)  # 2009 to 2100: when no window is known
_UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-8][0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_ETAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e]*"')
_JWT = re.compile(r"eyJ[\w-]{4,}\.[\w-]{4,}\.[\w-]*")
_HEX = re.compile(r"[0-9a-f]{16,}|[0-9A-F]{16,}")
_TOKEN = re.compile(r"[A-Za-z0-9_+/-]{16,}={0,2}")
_SEPARATOR = re.compile(r"[-_]")
_LONG_NUMBER = re.compile(r"\d{7}")
_COMMON_PAIRS = frozenset(
    re.findall(
        "..",
        "thheineranreonatenndtiesorteofedisitalarsttontngsehaasouiolevecomedehiriroicneearacelichllbemasiomur"
        "caeltalansdifohopeecprnoctusacotiltrlyncetutsssorsunlowageiewheewiemadolrtpowenaulnitsmoowpaimmiaish",
    )
)
"""The hundred commonest letter pairs of English: three in four of a text's pairs, one in seven of a random token's."""
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_BASE32HEX = "0123456789abcdefghijklmnopqrstuv"
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_LONGEST_TIMED_ID = 27
"""Characters of a KSUID."""
_SHORT = 64
"""Characters of a text whose format is remembered."""
_SNOWFLAKE_EPOCHS_MS = (1_288_834_974_657, 1_420_070_400_000, 0)  # Twitter, Discord, Unix


def format_of(value: JsonValue, *, window: Window | None = None) -> str | None:
    """The volatile format of a scalar, or None for an ordinary value.

    With a window, whatever embeds a time must lie in it. Numbers are points in time or snowflakes only by their window.
    """
    if isinstance(value, str):
        if window is None and len(value) <= _SHORT:
            return _short_format(value)
        return _text_format(value, window) if 8 <= len(value) <= 8192 else None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal) or window is None:
        return None
    return _number_format(value, window) if value == value else None


def jwt_claims(text: str) -> tuple[dict[str, JsonValue], dict[str, JsonValue]] | None:
    """Header and payload of a JSON Web Token (RFC 7519), unverified; None when it is not one."""
    if not _JWT.fullmatch(text):
        return None
    try:
        header, payload = (json.loads(_unbase64url(part)) for part in text.split(".")[:2])
    except ValueError:
        return None
    return (header, payload) if isinstance(header, dict) and isinstance(payload, dict) else None


def is_opaque(text: str) -> bool:
    """Whether a run of letters and digits was drawn at random: no words in it, no code made of short groups."""
    groups = _SEPARATOR.split(text.rstrip("="))
    if len(set(text)) < 8 or _LONG_NUMBER.search(text) or (len(groups) > 2 and max(map(len, groups)) <= 6):
        return False
    classes = [_character_class(character) for character in text if character.isalnum()]
    changes = sum(before != after for before, after in pairwise(classes))
    if "0" not in classes and (len(text) < 20 or changes < 0.35 * len(classes)):
        return False
    return not holds_words(text)


def holds_words(text: str) -> bool:
    """Whether the letters follow each other as they do in words."""
    pairs = [a + b for a, b in pairwise(text.lower()) if a.isalpha() and b.isalpha()]
    return len(pairs) >= 4 and sum(pair in _COMMON_PAIRS for pair in pairs) >= 0.45 * len(pairs)


@lru_cache(maxsize=4096)
def _short_format(text: str) -> str | None:
    """Asked several times of a value that has just come."""
    return _text_format(text, None) if len(text) >= 8 else None


def _text_format(text: str, window: Window | None) -> str | None:
    if len(text) == 36 and _UUID.fullmatch(text):
        return "uuid"
    if len(text) > _LONGEST_TIMED_ID and _HEX.fullmatch(text) and not text.isdecimal():
        return _random_format(text)
    if len(text) <= 40 and (instant := instant_of(text)):
        return instant.kind if window is None or instant.kind == "time" or instant.inside(window) else None
    if text.isdecimal():
        return _number_format(int(text), window) if window and len(text) <= 20 else None
    if text.startswith("eyJ"):
        return "jwt" if jwt_claims(text) else _random_format(text)
    if text[0] in '"W' and _ETAG.fullmatch(text):
        return "etag"
    if len(text) == 55 and _TRACEPARENT.fullmatch(text):
        return "traceparent"
    return _timed_id(text, window) or _random_format(text)


def _random_format(text: str) -> str | None:
    if _HEX.fullmatch(text):
        varied = len(set(text)) >= 6 and not text.isdecimal() and not text.isalpha()
        return "hex" if varied else None
    return "token" if _TOKEN.fullmatch(text) and is_opaque(text) and not _UUID.search(text) else None


def _timed_id(text: str, window: Window | None) -> str | None:
    """ULID, KSUID, ObjectId or xid: recognised because the time they embed makes sense."""
    if not 20 <= len(text) <= _LONGEST_TIMED_ID:
        return None
    for name, length, alphabet, ns_of in _TIMED_IDS:
        fits = len(text) == length and not text.isalpha() and all(character in alphabet for character in text)
        if fits and (window or _PLAUSIBLE).contains(ns_of(text)):
            return name
    return None


def _positional(text: str, alphabet: str) -> int:
    number = 0
    for character in text:
        number = number * len(alphabet) + alphabet.index(character)
    return number


_TIMED_IDS: tuple[tuple[str, int, str, Callable[[str], int]], ...] = (
    ("ulid", 26, _CROCKFORD, lambda text: _positional(text[:10], _CROCKFORD) * 1_000_000),
    ("ksuid", 27, _BASE62, lambda text: ((_positional(text, _BASE62) >> 128) + 1_400_000_000) * SECOND),
    ("objectid", 24, "0123456789abcdef", lambda text: int(text[:8], 16) * SECOND),
    ("xid", 20, _BASE32HEX, lambda text: (_positional(text[:7], _BASE32HEX) >> 3) * SECOND),
)


def _number_format(number: float | Decimal, window: Window) -> str | None:
    if not 1e8 <= number <= 1e20:
        return None
    if instant := epoch_of(number if isinstance(number, int) else float(number), window):
        return instant.kind
    if isinstance(number, int) and 1 << 53 <= number < 1 << 63:
        milliseconds = number >> 22
        if any(window.contains((milliseconds + epoch) * 1_000_000) for epoch in _SNOWFLAKE_EPOCHS_MS):
            return "snowflake"
    return None


def _character_class(character: str) -> str:
    if character.isdigit():
        return "0"
    return "A" if character.isupper() else "a"


def _unbase64url(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:
        raise ValueError(str(error)) from error
