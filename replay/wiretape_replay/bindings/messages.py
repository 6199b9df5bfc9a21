"""The tokens of a whole response (what it may have given birth to) and of a whole request (what it carries on)."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from pydantic import JsonValue

from wiretape_capture.protocols.http import header, header_values, split_target
from wiretape_capture.snapshot.exchange import Headers, Request, Response
from wiretape_replay.bindings.tokens import (
    UNKNOWN,
    Naming,
    Place,
    Token,
    body_tokens,
    header_tokens,
    is_distinctive,
    is_id_name,
    is_secret_name,
    nouns_of,
    path_tokens,
    query_tokens,
    tokens_at,
)
from wiretape_replay.content import Content, read_content

_FIELD = re.compile(r"<(?:input|meta)\b[^>]{0,500}>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""\b(name|id|value|content)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+))""", re.IGNORECASE)
_TOKEN_HEADERS = frozenset({"etag", "x-csrf-token", "x-auth-token", "x-session-id", "x-xsrf-token"})
_LINK = re.compile(r"<([^<>]*)>")
_PART_NAME = re.compile(r'\bname="([^"]+)"')
_NOT_CARRIED = frozenset({
    "accept", "accept-encoding", "accept-language", "user-agent", "host", "content-type", "content-length",
    "content-encoding", "origin", "connection", "cache-control", "pragma", "date", "traceparent", "tracestate",
    "baggage", "x-request-id", "x-correlation-id", "te", "dnt", "upgrade-insecure-requests", "transfer-encoding",
})  # fmt: skip


def response_tokens(
    request: Request, response: Response, content: Content | None = None, names: Naming = UNKNOWN
) -> list[Token]:
    """What later requests may take from this response."""
    path = split_target(request.target)[0]
    content = content or read_content(response.headers, response.body)
    found = [*_set_cookies(response.headers), *_location(response.headers), *_link(response.headers)]
    for name, value in response.headers:
        found += _given_header(name.lower(), value)
    if content.kind == "text" and isinstance(content.tree, list):
        found += _html_fields("\n".join(line for line in content.tree if isinstance(line, str)))
    elif content.kind not in ("empty", "binary"):
        found += body_tokens(content.tree, path, names)
    return found


def request_tokens(request: Request, names: Naming = UNKNOWN) -> list[Token]:
    """What this request may have taken from an earlier response."""
    path, pairs = split_target(request.target)
    found = [*path_tokens(unquote(path)), *query_tokens(list(pairs), path, names)]
    for name, value in request.headers:
        if name.lower() == "cookie":
            found += _cookies(value)
        elif name.lower() not in _NOT_CARRIED:
            found += header_tokens(name.lower(), value)
    content = read_content(request.headers, request.body)
    if content.kind in ("json", "form", "ndjson", "xml"):
        found += body_tokens(content.tree, path, names)
    elif content.kind == "multipart" and isinstance(content.tree, list):
        found += _part_tokens(content.tree, path)
    return list(dict.fromkeys(found))


def cookie_pairs(text: str) -> list[tuple[str, str]]:
    """Names and values of a Cookie header (RFC 6265 §4.2), as sent."""
    pairs = (part.strip().partition("=") for part in text.split(";"))
    return [(name, value.strip('"')) for name, mark, value in pairs if mark]


def set_cookies(headers: Headers) -> dict[str, tuple[str, dict[str, str]]]:
    """Each cookie that is set: its value and its attributes in lower case (RFC 6265 §4.1)."""
    found: dict[str, tuple[str, dict[str, str]]] = {}
    for line in header_values(headers, "set-cookie"):
        first, *rest = line.split(";")
        name, _, value = first.strip().partition("=")
        attributes = (part.strip().partition("=") for part in rest if part.strip())
        found[name] = (value.strip('"'), {key.lower(): setting for key, _, setting in attributes})
    return found


def _given_header(name: str, value: str) -> list[Token]:
    if name in _TOKEN_HEADERS:
        return [Token(value, Place("header", name), (), distinctive=True)] if len(value) >= 4 else []
    named = name not in _NOT_CARRIED and (is_id_name(name) or is_secret_name(name) or name == "authorization")
    return header_tokens(name, value) if named else []


def _set_cookies(headers: Headers) -> list[Token]:
    pairs = [(name, value) for name, (value, _) in set_cookies(headers).items()]
    return [token for name, value in pairs if value for token in _cookie_tokens(name, value)]


def _cookies(text: str) -> list[Token]:
    return [token for name, value in cookie_pairs(text) if value for token in _cookie_tokens(name, value)]


def _cookie_tokens(name: str, value: str) -> list[Token]:
    place, nouns = Place("cookie", name), (name.lower(),)
    inner = [each for each in tokens_at(place, name, value, nouns, "") if each.place.within]
    return [Token(value, place, nouns, distinctive=is_distinctive(value) or len(value) >= 12), *inner]


def _location(headers: Headers) -> list[Token]:
    value = header(headers, "location")
    if not value:
        return []
    parts = urlsplit(value)
    tokens = [*path_tokens(unquote(parts.path)), *query_tokens(list(split_target(value)[1]), parts.path)]
    return [Token(t.value, Place("header", f"location/{t.place.part}/{t.place.name}", t.place.within), t.nouns,
                  t.distinctive) for t in tokens]  # fmt: skip


def _link(headers: Headers) -> list[Token]:
    """The targets of a Link header (RFC 8288): what follows next is named there."""
    found: list[Token] = []
    for number, target in enumerate(_LINK.findall(header(headers, "link") or "")):
        found += tokens_at(Place("header", f"link/{number}"), "", target, (), "")
    return found


def _part_tokens(parts: list[JsonValue], path: str) -> list[Token]:
    found: list[Token] = []
    for number, part in enumerate(parts):
        if isinstance(part, dict) and isinstance(heads := part.get("headers"), dict):
            name = _PART_NAME.search(str(heads.get("content-disposition", "")))
            if name and "filename" not in str(heads.get("content-disposition")):
                place = Place("body", f"/{number}/{name[1]}")
                found += tokens_at(place, name[1], part.get("body"), nouns_of(name[1], [name[1]], path), path)
    return found


def _html_fields(text: str) -> list[Token]:
    found = []
    for field in _FIELD.findall(text[:2_000_000]):
        attributes = {key.lower(): a or b or c for key, a, b, c in _ATTRIBUTE.findall(field)}
        name = attributes.get("name") or attributes.get("id") or ""
        value = attributes.get("value") or attributes.get("content") or ""
        if name and (is_distinctive(value) or (is_secret_name(name) and len(value) >= 8)):
            found.append(Token(value, Place("body", f"<{name}>"), (name.lower(),), distinctive=True))
    return found
