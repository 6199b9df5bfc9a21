"""Values inside values: JSON in a string, base64, a JSON Web Token, a URL, `urn:order:17`; opened and closed again.

A step names a form and where the value stands in it; a path of steps leads from a text to a value as deep as needed.
What is not changed keeps its characters.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from urllib.parse import parse_qsl, quote, quote_plus, unquote

from pydantic import JsonValue

from wiretape_replay.exact_json import loads, spans
from wiretape_replay.formats import format_of, jwt_claims
from wiretape_replay.leaves import walk

type Step = tuple[str, str]
"""A form (`json`, `base64`, `jwt`, `percent`, `url`, `word`, `number`) and the place in it."""

type Inner = tuple[Step, str, JsonValue]
"""A step, the name of what stands there (empty: the outer name), and the value."""

DEPTH = 4
"""Forms inside of forms: base64 of JSON that holds a URL with a number in it."""
LARGEST = 16_384
"""Characters of a text that are looked into."""

_BASE64 = re.compile(r"(?:[A-Za-z0-9_-]{8,}|[A-Za-z0-9+/]{8,})={0,2}")
_READABLE = re.compile(r"[\x20-\x7e]{5,}")
_STRUCTURE = re.compile(r"[:|/,;={\[]")
_PERCENT = re.compile(r"%[0-9A-Fa-f]{2}")
_URL = re.compile(r"(?:https?://[^/\s]+)?/[^\s]*|\?[^\s=]+=[^\s]*")
_WORD = re.compile(r"[^\s:|,;=/&?#\"'()<>\[\]{}\\]+")
_PART = re.compile(r"[^\s,;=\"]+(?:=+(?=[\s,;\"]|$))?")
_NUMBER = re.compile(
    r"(?:(?<![A-Za-z0-9])([A-Za-z][A-Za-z_]*)[:#=/(-]{1,2}|([A-Za-z_]+)\(\s*id\s*:\s*\"?)(\d{1,18})(?![\w.]|-\d)"
)


def open_text(text: str) -> Iterator[Inner]:
    """What stands inside of a text, one step deep; the forms exclude each other."""
    if len(text) > LARGEST or len(text) < 4:
        return
    if text[:1] in ("{", "[") and (found := list(_json(text))):
        yield from found
    elif (claims := jwt_claims(text) if text[:3] == "eyJ" else None) is not None:
        yield from ((("jwt", pointer), _claim(pointer), value) for pointer, value in walk(claims[1]))
    elif (inner := _unbase64(text)) is not None:
        yield ("base64", ""), "", inner
    elif "%" in text and _PERCENT.search(text) and unquote(text) != text:
        yield ("percent", ""), "", unquote(text)
    elif ("/" in text or text[:1] == "?") and _URL.fullmatch(text):
        yield from _url(text)
    elif format_of(text) is None:
        yield from _words(text)
        yield from _numbers(text)


def is_readable(text: str) -> bool:
    """Whether it is base64 of structured text, as cursors are: those of two neighbours are nearly the same."""
    return len(text) <= LARGEST and _unbase64(text) is not None


def rewritten(text: str, steps: Sequence[Step], live: str) -> str:
    """The text with another value at the end of the steps; as it was where the steps lead nowhere."""
    if not steps:
        return live
    (form, place), rest = steps[0], steps[1:]
    inner = next((value for step, _, value in _opened(text, form) if step == (form, place)), None)
    if inner is None or isinstance(inner, dict | list | bool):
        return text
    return _put(text, form, place, rewritten(str(inner), rest, live))


def header_words(text: str) -> Iterator[Inner]:
    """The words of a header: `Bearer X` holds X."""
    yield from ((("part", str(number)), "", word[0]) for number, word in enumerate(_PART.finditer(text)))


def _opened(text: str, form: str) -> Iterator[Inner]:
    if form == "part":
        return header_words(text)
    return _url(text) if form == "url" else open_text(text)


def _put(text: str, form: str, place: str, live: str) -> str:
    if form == "json":
        return _put_json(text, place, live)
    if form == "base64":
        return _rebase64(text, live)
    if form == "percent":
        return quote(live, safe="/:?&=,@" if "/" in text else "")
    if form == "url":
        return _put_url(text, place, live)
    found = list({"word": _WORD, "number": _NUMBER, "part": _PART}[form].finditer(text)) if form != "jwt" else []
    if not place.isdecimal() or int(place) >= len(found):
        return text  # a signed token's claims cannot be changed without its key
    group = 3 if form == "number" else 0
    return text[: found[int(place)].start(group)] + live + text[found[int(place)].end(group) :]


def _json(text: str) -> Iterator[Inner]:
    try:
        tree = loads(text)
    except ValueError:
        return
    yield from ((("json", pointer), "", value) for pointer, value in walk(tree))


def _put_json(text: str, pointer: str, live: str) -> str:
    for at, start, stop in spans(text):
        if at == pointer:
            return text[:start] + (json.dumps(live) if text[start] == '"' else live) + text[stop:]
    return text


@lru_cache(maxsize=4096)
def _unbase64(text: str) -> str | None:
    """Readable structured text in base64, with or without padding; None for a token that only looks like it."""
    if len(text) < 8 or not _BASE64.fullmatch(text) or len(text.rstrip("=")) % 4 == 1:
        return None
    bare = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        inner = base64.b64decode(bare + "=" * (-len(bare) % 4)).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return inner if _READABLE.fullmatch(inner) and _STRUCTURE.search(inner) else None


def _rebase64(text: str, inner: str) -> str:
    """In the same alphabet and with padding only where it was used."""
    bare = text.rstrip("=")
    url_safe = "-" in text or "_" in text or (len(bare) % 4 != 0 and bare == text)
    encoded = (base64.urlsafe_b64encode if url_safe else base64.b64encode)(inner.encode()).decode()
    return encoded if bare != text or len(bare) % 4 == 0 else encoded.rstrip("=")


def _url(text: str) -> Iterator[Inner]:
    path, _, query = text.partition("#")[0].partition("?")
    segments = path.split("/")
    first = 3 if "://" in path else 0
    for number, segment in enumerate(segments):
        if segment and number >= first:
            yield ("url", f"path/{number}"), "/".join(segments[first:number]) or "/", unquote(segment)
    for name, value in parse_qsl(query, keep_blank_values=True):
        yield ("url", f"query/{name}"), name, value


def _put_url(text: str, place: str, live: str) -> str:
    part, _, name = place.partition("/")
    path, mark, query = text.partition("?")
    if part == "path":
        segments = path.split("/")
        segments[int(name)] = quote(live, safe="")
        return "/".join(segments) + mark + query
    pairs = query.split("&")
    for number, pair in enumerate(pairs):
        if parse_qsl(pair, keep_blank_values=True)[:1] and parse_qsl(pair, keep_blank_values=True)[0][0] == name:
            pairs[number] = f"{pair.partition('=')[0]}={quote_plus(live)}"
    return path + mark + "&".join(pairs)


def _words(text: str) -> Iterator[Inner]:
    words = list(_WORD.finditer(text))
    if len(words) > 1:
        yield from ((("word", str(number)), "", word[0]) for number, word in enumerate(words))


def _numbers(text: str) -> Iterator[Inner]:
    for number, found in enumerate(_NUMBER.finditer(text)):
        yield ("number", str(number)), found[1] or found[2], found[3]


def _claim(pointer: str) -> str:
    """A token's subject is a user, whatever it is called (RFC 7519 §4.1.2)."""
    return "user_id" if pointer in ("/sub", "/uid") else ""
