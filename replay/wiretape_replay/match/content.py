"""A request body by its meaning: JSON, form, multipart or bytes; its digest ignores how it was spelled. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from hashlib import blake2b

import orjson
from pydantic import JsonValue

from wiretape_capture.protocols.http import decode_content, media_type, parse_form
from wiretape_capture.snapshot.exchange import Body, Headers
from wiretape_replay.leaves import walk

BODY_LIMIT = 1 << 20
"""Bytes; a longer body is compared as bytes by its hash and has no leaves."""
DECODED_LIMIT = 8 << 20
"""Bytes; a body that decodes to more is compared as it was sent."""
LEAF_LIMIT = 2_000
"""A body with more leaves is compared as a whole."""
TEXT_LIMIT = 64 << 10

# orjson reads integers beyond 64 bits as floats, which would make different numbers equal.
_LONG_NUMBER = re.compile(rb"\d{19}")
_BOUNDARY = re.compile(r'boundary="?([^";,]{1,70})"?', re.IGNORECASE)
_PARAMETER = re.compile(r'\b(name|filename)="([^"]*)"', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Content:
    """What a body says. `digest` is empty for no body."""

    digest: bytes = b""
    leaves: tuple[tuple[str, JsonValue], ...] = field(default=(), compare=False)


EMPTY = Content()


def content_of(headers: Headers, body: Body) -> Content:
    """The meaning of a body; one that cannot be parsed is its bytes."""
    if body.size == 0:
        return EMPTY
    if body.data is None or body.size > BODY_LIMIT:
        return Content(_digest("sha256", body.sha256.encode()))
    try:
        data = decode_content(headers, body.data, limit=DECODED_LIMIT)
    except ValueError:
        return Content(_digest("raw", body.data))
    kind = media_type(headers)
    return _structured(kind, headers, data) or _plain(data)


def _structured(kind: str, headers: Headers, data: bytes) -> Content | None:
    # curl and hand-written clients send JSON under the form's media type: the first byte says more.
    if data.lstrip()[:1] in (b"{", b"["):
        return _json(data) or _json_lines(data)
    if kind == "multipart/form-data":
        return _multipart(headers, data)
    if kind == "application/x-www-form-urlencoded":
        return _form(data)
    return _json(data) if kind.endswith("json") else None


def _json(data: bytes) -> Content | None:
    try:
        value: JsonValue = json.loads(data) if _LONG_NUMBER.search(data) else orjson.loads(data)
        return _tree(value)
    except (ValueError, RecursionError):
        return None


def _json_lines(data: bytes) -> Content | None:
    try:
        return _tree([orjson.loads(line) for line in data.splitlines() if line.strip()])
    except (ValueError, RecursionError):
        return None


def _tree(value: JsonValue) -> Content:
    value = _whole_numbers(value)
    leaves = []
    for pointer, leaf in walk(value):
        leaves.append((f"body{pointer}", leaf))
        if len(leaves) > LEAF_LIMIT:
            leaves = []
            break
    return Content(_digest("json", canonical(value)), tuple(leaves))


def canonical(value: JsonValue) -> bytes:
    """JSON with sorted keys and no white space."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # an integer beyond 64 bits
        return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _whole_numbers(value: JsonValue) -> JsonValue:
    """1.0 and 1 are one number, as they are to JSON."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: _whole_numbers(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_whole_numbers(item) for item in value]
    return value


def _form(data: bytes) -> Content:
    pairs = sorted(parse_form(data), key=lambda pair: pair[0])
    return Content(_digest("form", orjson.dumps(pairs)), _numbered(pairs))


def _multipart(headers: Headers, data: bytes) -> Content | None:
    found = _BOUNDARY.search(next((value for name, value in headers if name.lower() == "content-type"), ""))
    if found is None:
        return None
    sections = (b"\r\n" + data).split(b"\r\n--" + found[1].encode("latin-1"))
    if len(sections) < 3 or not sections[-1].startswith(b"--"):
        return None
    pairs = [_section(section) for section in sections[1:-1]]
    return Content(_digest("multipart", orjson.dumps(pairs)), _numbered(pairs))


def _section(section: bytes) -> tuple[str, str]:
    head, _, content = section.partition(b"\r\n\r\n")
    names = {name.lower(): value for name, value in _PARAMETER.findall(head.decode("utf-8", "replace"))}
    name = names.get("name", "") + (f"[{names['filename']}]" if "filename" in names else "")
    return name, _text(content) or "blake2b:" + blake2b(content, digest_size=16).hexdigest()


def _text(data: bytes) -> str | None:
    try:
        return data.decode() if len(data) <= TEXT_LIMIT else None
    except UnicodeDecodeError:
        return None


def _plain(data: bytes) -> Content:
    text = _text(data)
    return Content(_digest("bytes", data), (("body", text),) if text else ())


def _numbered(pairs: list[tuple[str, str]]) -> tuple[tuple[str, JsonValue], ...]:
    seen: dict[str, int] = {}
    leaves: list[tuple[str, JsonValue]] = []
    for name, value in pairs[:LEAF_LIMIT]:
        count = seen[name] = seen.get(name, -1) + 1
        leaves.append((f"body/{name}/{count}" if count else f"body/{name}", value))
    return tuple(leaves)


def _digest(kind: str, data: bytes) -> bytes:
    hasher = blake2b(kind.encode() + b"\0", digest_size=16)
    hasher.update(data)
    return hasher.digest()
