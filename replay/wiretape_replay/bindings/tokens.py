"""Tokens: the values in a message that a later request could carry on, where they stand and what they name.

A token is *distinctive* when its form alone makes a chance match unlikely (a UUID, a session token, `ord_9f2c`);
any other token counts only together with its noun, so that order 17 and a quantity of 17 are never confused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from pydantic import JsonValue

from wiretape_replay.bindings.forms import DEPTH, Step, header_words, open_text
from wiretape_replay.formats import TIMED, format_of, is_opaque
from wiretape_replay.leaves import leaf_name, split, walk
from wiretape_replay.masks import pieces
from wiretape_replay.routes import is_identifier, singular


@dataclass(frozen=True, slots=True)
class Place:
    """Where a token stands in a message."""

    part: str
    """`path`, `query`, `header`, `cookie` or `body`."""
    name: str
    """Segment number, parameter, header or cookie name; for a body its JSON Pointer."""
    within: tuple[Step, ...] = ()
    """Where the value stands inside of the text there: `base64`, then `json` at `/after`."""

    def __str__(self) -> str:
        outer = self.name if self.part == "body" else f"{self.part}:{self.name}"
        return " > ".join([outer, *(f"{form} {at}".strip() for form, at in self.within)])

    @property
    def outer(self) -> Place:
        """The whole text in which it stands."""
        return Place(self.part, self.name)


@dataclass(frozen=True, slots=True)
class Token:
    """One value at its place."""

    value: str
    place: Place
    nouns: tuple[str, ...]
    """What it may identify, likeliest first: `order`."""
    distinctive: bool

    @property
    def keys(self) -> list[tuple[str, str]]:
        """What two tokens share when one was carried on from the other."""
        return [("", self.value)] if self.distinctive else [(noun, self.value) for noun in self.nouns]


@dataclass(frozen=True, slots=True)
class Naming:
    """What a recording shows of its names; found by `naming`."""

    own: frozenset[str] = frozenset()
    """Nouns that are also the name of their identifier: `{"room": 101}`."""
    ordinals: frozenset[tuple[str, str]] = frozenset()
    """Elements and members that count places in a list and identify nothing: (`parcel`, `no`)."""


UNKNOWN = Naming()

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_ID_WORDS = frozenset(
    "id uuid guid uid oid pk key ref reference number no nr sequence seq serial "  # noqa: SIM905
    "code slug sku handle token cursor".split()
)
_CONTAINERS = frozenset({
    "data", "result", "results", "items", "response", "payload", "attributes", "rows", "records", "content", "body",
    "entries", "list", "values", "hits", "edges", "node", "nodes", "object", "objects", "meta",
})  # fmt: skip
_SECRET_WORDS = frozenset(
    {"token", "csrf", "xsrf", "nonce", "secret", "session", "sid", "jwt", "csrftoken", "sessionid", "authorization"}
)
_DIGEST_NAME = re.compile(r"(?:^|[_-])(?:sha\d*|md5|crc\d*|checksum|digest|hash|fingerprint)(?:$|[_-])", re.IGNORECASE)
_LONG_NUMBER = 8
_OPENED = 4
"""Characters below which a text has nothing inside."""
_OWN_NAMES = frozenset("number ref reference code slug sku handle token cursor".split())  # noqa: SIM905
"""Names that say what a value is for even without a noun; `id` does not."""


def name_words(name: str) -> list[str]:
    """The words of a field name: `orderId` and `order-id` are both order, id."""
    return [word for word in re.split(r"[^a-z0-9]+", _CAMEL.sub("_", name).lower()) if word]


@lru_cache(maxsize=8192)
def is_digest_name(name: str) -> bool:
    """Whether a field of this name holds the hash of some content."""
    return bool(_DIGEST_NAME.search(name))


@lru_cache(maxsize=8192)
def is_id_name(name: str) -> bool:
    """Whether a field of this name holds an identifier."""
    words = name_words(name)
    return bool(words) and words[-1] in _ID_WORDS


@lru_cache(maxsize=8192)
def is_secret_name(name: str) -> bool:
    """Whether a field of this name holds a token."""
    return not _SECRET_WORDS.isdisjoint(name_words(name))


def is_distinctive(text: str) -> bool:
    """Whether the value can be recognised wherever it turns up."""
    if not 6 <= len(text) <= 8192 or " " in text or text.isalpha() or not text.isascii():
        return False
    if text.isdecimal():
        return len(text) >= _LONG_NUMBER
    found = format_of(text)
    if found is not None:
        return found not in TIMED
    if len(text) >= 16 and (is_opaque(text) or _holds_volatile(text)):
        return True
    mixed = any(character.isdigit() for character in text) and any(character.isalpha() for character in text)
    return mixed and bool(re.fullmatch(r"[A-Za-z]{1,6}[-_:.]?[A-Za-z0-9]*\d[A-Za-z0-9]*", text)) and len(text) <= 64


def _holds_volatile(text: str) -> bool:
    """A name with a UUID or token in it: `order-8f3c…`, `cs_test_a1B2…`."""
    return "/" not in text and any(name and name not in TIMED for _, name in pieces(text))


def token(place: Place, name: str, value: JsonValue, nouns: tuple[str, ...]) -> Token | None:
    """A token when the value is distinctive, or identifies by its name."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    text = str(value)
    if not text or len(text) > 8192:
        return None
    distinctive = is_distinctive(text) and (isinstance(value, str) or is_id_name(name))
    distinctive |= isinstance(value, str) and len(text) >= 8 and is_secret_name(name) and format_of(text) not in TIMED
    if distinctive or (is_id_name(name) and nouns and len(text) <= 64 and format_of(text) is None):
        return Token(text, place, nouns, distinctive)
    return None


def body_tokens(tree: JsonValue, path: str, names: Naming = UNKNOWN) -> list[Token]:
    """The tokens of a whole body."""
    found: list[Token] = []
    listed = _listed(tree, path)
    for pointer, value in walk(tree):
        if isinstance(value, str | int) and not isinstance(value, bool):
            name = leaf_name(pointer)
            if names.ordinals and (listed_under(split(pointer), path), name) in names.ordinals:
                continue
            found += called_after(Place("body", pointer), name, value, names)
            if is_id_name(name) or (isinstance(value, str) and (len(value) >= _OPENED or is_secret_name(name))):
                keys = split(pointer)
                nouns = nouns_of(name, keys, path)
                if listed and len(keys) == 3 and keys[0] == listed and len(name_words(name)) == 1:
                    nouns = tuple(dict.fromkeys((*nouns, path_noun(path))))
                found += tokens_at(Place("body", pointer), name, value, nouns, path)
    return found


def called_after(place: Place, name: str, value: str | int, names: Naming) -> list[Token]:
    """The token of `{"room": 101}` where rooms are addressed by such numbers."""
    noun = own_noun(name) if names.own else ""
    return [Token(str(value), place, (noun,), distinctive=False)] if noun in names.own and len(str(value)) <= 64 else []


def own_noun(name: str) -> str:
    """What a field is called after: `room` for `room`."""
    return singular("_".join(name_words(name)))


def listed_under(keys: list[str], path: str) -> str:
    """What the elements of the list are in which a member of an element stands; empty for other members."""
    if len(keys) < 2 or not keys[-2].isdecimal():
        return ""
    parent = keys[-3] if len(keys) > 2 else ""
    return path_noun(path) if not parent or parent.lower() in _CONTAINERS else own_noun(parent)


def _listed(tree: JsonValue, path: str) -> str | None:
    """The one list of a collection: what `/catalogue` calls `products` is found at `/catalogue/17`."""
    if not isinstance(tree, dict) or is_identifier(path.rpartition("/")[2]) or not path_noun(path):
        return None
    lists = [key for key, value in tree.items() if isinstance(value, list) and value and isinstance(value[0], dict)]
    others = any(isinstance(value, dict) for value in tree.values())
    return lists[0] if len(lists) == 1 and not others else None


def tokens_at(place: Place, name: str, value: JsonValue, nouns: tuple[str, ...], path: str) -> list[Token]:
    """The token that a value is, and those inside of it."""
    whole = token(place, name, value, nouns)
    found = [whole] if whole else []
    if isinstance(value, str) and len(place.within) < DEPTH:
        for step, inner_name, inner in open_text(value):
            below = Place(place.part, place.name, (*place.within, step))
            found += _inner_tokens(below, inner_name, name, inner, path)
    return found


def header_tokens(name: str, value: str) -> list[Token]:
    """The tokens of a header: its value, its words, and those inside of them."""
    place = Place("header", name)
    nouns = tuple(dict.fromkeys((*nouns_of(name.removeprefix("x-"), [name], ""), name.removeprefix("x-"))))
    found = tokens_at(place, name, value, nouns, "")
    for step, _, word in header_words(value):
        if word != value:
            found += tokens_at(Place("header", name, (step,)), name, word, nouns, "")
    return found


def _inner_tokens(place: Place, name: str, outer: str, value: JsonValue, path: str) -> list[Token]:
    form, at = place.within[-1]
    if form == "url":
        noun, kind = (path_noun(name), "path") if at.startswith("path/") else ("", "query")
        if kind == "query":
            return tokens_at(place, name, value, nouns_of(name, [name], path), path)
        return _segment_tokens(place, str(value), noun)
    if form == "number":
        return [Token(str(value), place, (singular("_".join(name_words(name))),), distinctive=False)]
    if form == "word":
        return [Token(str(value), place, (), distinctive=True)] if is_distinctive(str(value)) else []
    if form in ("json", "jwt"):
        name = name or leaf_name(at)
        keys = split(at)
        return tokens_at(place, name, value, nouns_of(name, [*keys[:-1], name] if keys else [name], path), path)
    return tokens_at(place, name or outer, value, nouns_of(name or outer, [name or outer], path), path)


def nouns_of(name: str, keys: list[str], path: str) -> tuple[str, ...]:
    """What an identifier of this name identifies: by its own name, else by its parent, else by the path."""
    words = name_words(name)
    own = (words[-1],) if words and words[-1] in _OWN_NAMES else ()
    if words and words[-1] in _ID_WORDS and len(words) > 1:
        paging = tuple("_".join(words[start:-1]) for start in range(1, len(words) - 1)) if own else ()
        return tuple(dict.fromkeys((singular("_".join(words[:-1])), *paging, *own)))
    parents = [key for key in keys[:-1] if not key.isdecimal()]
    by_path = path_noun(path)
    if parents and parents[-1].lower() not in _CONTAINERS:
        return (singular("_".join(name_words(parents[-1]))), *own)
    named = (singular(parents[-1].lower()),) if parents else ()
    return tuple(dict.fromkeys([noun for noun in (by_path, *named, *own) if noun]))


def key_nouns(keys: list[str], path: str) -> tuple[str, ...]:
    """What the keys of an object name when they are data: tickets in `by_ticket`, `tickets`, or at `/tickets`.

    Nothing where they are only said to be identifiers: `by_id`.
    """
    parents = [key for key in keys if not key.isdecimal()]
    if not parents or parents[-1].lower() in _CONTAINERS:
        return (path_noun(path),) if path_noun(path) else ()
    words = name_words(parents[-1])
    if mark := next((word for word in ("by", "per") if word in words[:-1]), ""):
        if words[-1] in _ID_WORDS and words[-2] == mark:
            return ()
        return (singular("_".join(words[words.index(mark) + 1 :])),)
    shorter = ("_".join(words[:-1]),) if len(words) > 1 else ()
    return tuple(singular(noun) for noun in ("_".join(words), *shorter))


@lru_cache(4096)
def path_noun(path: str) -> str:
    """The resource that a path is about: `order` for `/api/orders/17`."""
    words = [segment for segment in path.split("/") if segment and not is_identifier(segment)]
    return singular("_".join(name_words(words[-1]))) if words else ""


def path_tokens(path: str) -> list[Token]:
    """The tokens of a path's segments; a number is named by the segment before it."""
    segments = path.split("/")
    found: list[Token] = []
    for index, segment in enumerate(segments):
        noun = path_noun("/".join(segments[:index]))
        last = index and noun and index == len(segments) - 1 and len(segment) >= 3
        place = Place("path", str(index))
        if last and not segment.isdecimal() and not is_distinctive(segment):
            found.append(Token(segment, place, (noun,), distinctive=False))
        found += _segment_tokens(place, segment, noun)
    return found


def _segment_tokens(place: Place, segment: str, noun: str) -> list[Token]:
    distinctive = is_distinctive(segment)
    if (segment.isdecimal() and noun) or distinctive:
        whole = [Token(segment, place, (noun,) if noun else (), distinctive)]
    else:
        whole = []
    return [*whole, *(each for each in tokens_at(place, "", segment, (), "") if each.place.within != place.within)]


def query_tokens(pairs: list[tuple[str, str]], path: str, names: Naming = UNKNOWN) -> list[Token]:
    """The tokens of query or form parameters."""
    found: list[Token] = []
    for name, value in pairs:
        place = Place("query", name)
        found += called_after(place, name, value, names)
        found += tokens_at(place, name, value, nouns_of(name, [name], path), path)
    return found
