"""Values that a client makes for itself and that a second use would spoil: idempotency keys, nonces, request clocks.

They are made anew in the same format from a seed: the same seed gives the same values, and the same recorded value
becomes the same new one in all requests, so that a recorded retry stays a retry. What could carry meaning is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import lru_cache
from hashlib import sha256

from wiretape_capture.protocols.http import header, split_target
from wiretape_capture.snapshot.exchange import Exchange, Headers, Request
from wiretape_replay.bindings.messages import request_tokens
from wiretape_replay.bindings.tokens import name_words
from wiretape_replay.content import read_content
from wiretape_replay.formats import TIMED
from wiretape_replay.instants import SECOND, Window, epoch_of, instant_of
from wiretape_replay.leaves import leaf_name, walk
from wiretape_replay.masks import pieces

KEYS = frozenset({
    "idempotency_key", "idempotencykey", "idempotence_key", "nonce", "request_nonce", "deduplication_id",
    "deduplication_key", "dedup_id", "dedup_key", "client_token", "client_request_token", "client_request_id",
    "client_mutation_id",
})  # fmt: skip
"""Names of values whose only use is to be new; a header's `x-` does not count."""
CLOCKS = frozenset({"timestamp", "request_timestamp", "request_time", "date", "sent_at"})
"""Headers that read the client's clock; times in bodies and queries are data."""
CLOCK_SLACK = 300 * SECOND
"""How far from its own request a header's time may lie to be a reading of the clock."""
SIGNATURES = frozenset({
    "signature", "x_signature", "hub_signature", "hub_signature_256", "stripe_signature", "slack_signature",
    "shopify_hmac_sha256", "webhook_signature", "hmac_signature", "signature_input", "content_signature",
})  # fmt: skip
_SIGNED = ("signature ", "hawk ", "oauth ", "digest ", "hmac ")
_TRIES = 64
_PREFIX = re.compile(r"[A-Za-z]{2,12}[-_]")

type Place = tuple[str, str]
"""Part of the request and name there."""


@dataclass(frozen=True, slots=True)
class ClientValues:
    """What is made anew, by exchange."""

    values: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    """Recorded values in whose place new ones are sent."""
    clocks: Mapping[int, frozenset[str]] = field(default_factory=dict)
    """Headers that are read from the clock again, in lower case."""


def client_values(exchanges: Sequence[Exchange], given: Iterable[str]) -> ClientValues:
    """What to make anew in these requests. `given` are the values that some response gave to the client."""
    free = [each for each in exchanges if not _signed(each.request)]
    placed = {each.sequence: dict(_keyed(each.request)) for each in free}
    wanted = {value for places in placed.values() for value in places.values()} - set(given)
    wanted -= set(_meant(exchanges, wanted, placed))
    values = {sequence: tuple(dict.fromkeys(value for value in places.values() if value in wanted))
              for sequence, places in placed.items()}  # fmt: skip
    clocks = {each.sequence: frozenset(_clocks(each)) for each in free}
    return ClientValues({s: found for s, found in values.items() if found}, {s: c for s, c in clocks.items() if c})


@lru_cache(maxsize=65_536)
def made_anew(value: str, seed: str) -> str | None:
    """Another value of the same format: its random pieces change, what time they embed and the text around do not."""
    prefix = _PREFIX.match(value)
    if prefix and (rest := made_anew(value[prefix.end() :], seed)) is not None:
        return prefix[0] + rest
    parts = pieces(value)
    if all(name is None or name in TIMED for _, name in parts):
        return None
    for attempt in range(_TRIES):
        stream = _digits(f"{seed}\0{attempt}\0{value}")
        made = "".join(
            text if name is None or name in TIMED else _scrambled(text, name, stream) for text, name in parts
        )
        if [name for _, name in pieces(made)] == [name for _, name in parts] and made != value:
            return made
    return None


def at_now(headers: Headers, names: frozenset[str], recorded_ns: int, now_ns: int) -> Headers:
    """The headers with their clocks as far from now as they were from the recorded request."""
    return tuple(
        (name, moved(value, now_ns - recorded_ns) if name.lower() in names else value) for name, value in headers
    )


def moved(text: str, by_ns: int) -> str:
    """A point in time moved, spelt as it was; any other text as it is."""
    if text.isdecimal():
        unit = {"epoch-s": SECOND, "epoch-ms": 1_000_000, "epoch-us": 1_000, "epoch-ns": 1}.get(_epoch(text), 0)
        return str(int(text) + by_ns // unit) if unit else text
    instant = instant_of(text)
    if instant is None or instant.kind not in ("datetime", "http-date"):
        return text
    step = timedelta(microseconds=by_ns // 1000)
    if instant.kind == "http-date":
        return format_datetime(datetime.fromtimestamp(instant.ns / 1e9, UTC) + step, usegmt=text.endswith("GMT"))
    later = datetime.fromisoformat(text) + step
    if instant.style.startswith("basic"):
        return f"{later:%Y%m%dT%H%M%S}{text[15:]}"
    return f"{later:%Y-%m-%d}{text[10]}{later:%H:%M}{f':{later:%S}' if text[16:17] == ':' else ''}" + (
        text[19:] if text[16:17] == ":" else text[16:]
    )


def _keyed(request: Request) -> Iterator[tuple[Place, str]]:
    """Values of formats that are drawn at random, under names that say they are."""
    for part, name, value in _named(request):
        if _plain_name(name) in KEYS and len(value) >= 8 and any(n and n not in TIMED for _, n in pieces(value)):
            yield (part, name.lower()), value


def _named(request: Request) -> Iterator[tuple[str, str, str]]:
    yield from (("header", name, value) for name, value in request.headers)
    yield from (("query", name, value) for name, value in split_target(request.target)[1])
    content = read_content(request.headers, request.body)
    if content.kind in ("json", "form", "ndjson"):
        yield from (("body", leaf_name(at), value) for at, value in walk(content.tree) if isinstance(value, str))


def _meant(exchanges: Sequence[Exchange], wanted: set[str], placed: Mapping[int, Mapping[Place, str]]) -> Iterator[str]:
    """Those that requests also carry elsewhere: they name something."""
    for exchange in exchanges if wanted else ():
        keyed = placed.get(exchange.sequence, {})
        for token in request_tokens(exchange.request):
            if token.value in wanted:
                name = leaf_name(token.place.name) if token.place.part == "body" else token.place.name
                if (token.place.part, name.lower()) not in keyed:
                    yield token.value


def _clocks(exchange: Exchange) -> Iterator[str]:
    window = Window(exchange.started_ns - CLOCK_SLACK, exchange.started_ns + CLOCK_SLACK)
    for name, value in exchange.request.headers:
        if _plain_name(name) in CLOCKS:
            instant = epoch_of(int(value), window) if value.isdecimal() and len(value) < 20 else instant_of(value)
            if instant and instant.kind not in ("date", "time") and window.start_ns <= instant.ns <= window.end_ns:
                yield name.lower()


def _signed(request: Request) -> bool:
    """Whether a signature would no longer fit."""
    named = any(_plain_name(name) in SIGNATURES for name, _ in request.headers)
    return named or (header(request.headers, "authorization") or "").lower().startswith(_SIGNED)


def _plain_name(name: str) -> str:
    return "_".join(name_words(name.lower().removeprefix("x-") if name.islower() or "-" in name else name))


def _epoch(text: str) -> str:
    found = epoch_of(int(text), Window(1_230_768_000 * SECOND, 4_102_444_800 * SECOND)) if len(text) < 20 else None
    return found.kind if found else ""


_KEPT = {"ulid": 10, "objectid": 8, "ksuid": 6, "xid": 7}
"""Characters of formats that embed a time."""


def _scrambled(text: str, name: str, stream: Iterator[int]) -> str:
    kept = _KEPT.get(name, 0)
    if name == "uuid":
        kept = 13 if text[14] in "167" else 0
    out = [text[:kept]]
    for position, character in enumerate(text[kept:], kept):
        fixed = name == "uuid" and position in (14, 19)
        out.append(character if fixed else _other(character, name, stream))
    return "".join(out)


def _other(character: str, name: str, stream: Iterator[int]) -> str:
    number = next(stream)
    if name in ("uuid", "hex", "objectid") and character in "0123456789abcdefABCDEF":
        letter = character.isalpha()
        return ("ABCDEF" if character.isupper() else "abcdef")[number % 6] if letter else str(number % 10)
    if character.isdigit():
        return str(number % 10)
    if name == "ulid" and character.isalpha():
        return "ABCDEFGHJKMNPQRSTVWXYZ"[number % 22]
    if name == "xid" and character.isalpha():
        return "abcdefghijklmnopqrstuv"[number % 22]
    if character.isalpha() and character.isascii():
        return chr(ord("A" if character.isupper() else "a") + number % 26)
    return character


def _digits(seed: str) -> Iterator[int]:
    block = sha256(seed.encode("utf-8", "replace")).digest()
    while True:
        yield from block
        block = sha256(block).digest()
