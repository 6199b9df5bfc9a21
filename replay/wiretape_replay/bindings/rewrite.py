"""Putting live values in the place of recorded ones: everywhere on token boundaries, or at one place only.

Everything else of the request keeps its bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import parse_qsl, quote, quote_plus

from wiretape_capture.protocols.http import decode_content, is_text, media_type
from wiretape_capture.snapshot.exchange import Body, Headers, Request
from wiretape_replay.bindings.tokens import Place, name_words
from wiretape_replay.exact_json import loads, spans
from wiretape_replay.routes import singular


@dataclass(frozen=True, slots=True)
class Substitution:
    """A recorded value and what it became."""

    recorded: str
    live: str


_NUMBER_IN_TEXT = re.compile(r"([A-Za-z_-]+)([ #:=/-]{1,3})(\d{1,18})(?![\d.]*\d)")


def rewrite_text(text: str, substitutions: Iterable[Substitution], named: Mapping[tuple[str, str], str]) -> str:
    """Free text: distinctive values anywhere, a number only after its noun (`Order 17`, `/orders/17`)."""

    def number(found: re.Match[str]) -> str:
        noun = singular("_".join(name_words(found[1])))
        return f"{found[1]}{found[2]}{named.get((noun, found[3]), found[3])}"

    return _NUMBER_IN_TEXT.sub(number, _everywhere(text, substitutions)) if named else _everywhere(text, substitutions)


def rewrite_request(request: Request, everywhere: Iterable[Substitution], placed: Mapping[Place, str]) -> Request:
    """The request with live values; the same object when there is nothing to put in."""
    substitutions = list(everywhere)
    if not substitutions and not placed:
        return request
    body, encoded = _body(request, substitutions, placed)
    return request.model_copy(
        update={
            "target": _target(request.target, substitutions, placed),
            "headers": _headers(request.headers, substitutions, placed, body, encoded=encoded),
            "body": body,
        }
    )


def _everywhere(text: str, substitutions: Iterable[Substitution]) -> str:
    """All at once and longest first, so that no live value is taken for a recorded one."""
    spellings: dict[str, str] = {}
    for each in substitutions:
        for spell in (str, _quoted, quote_plus, _in_json):
            spellings.setdefault(spell(each.recorded), spell(each.live))
    present = [value for value in spellings if value in text]
    if not present:
        return text
    present.sort(key=len, reverse=True)
    pattern = "|".join(re.escape(value) for value in present)
    return re.sub(rf"(?<![A-Za-z0-9])(?:{pattern})(?![A-Za-z0-9])", lambda found: spellings[found[0]], text)


def _quoted(text: str) -> str:
    return quote(text, safe="")


def _in_json(text: str) -> str:
    return json.dumps(text)[1:-1]


def _target(target: str, substitutions: list[Substitution], placed: Mapping[Place, str]) -> str:
    path, mark, query = target.partition("?")
    segments = path.split("/")
    for place, live in placed.items():
        if place.part == "path" and int(place.name) < len(segments):
            segments[int(place.name)] = _quoted(live)
    names = {place.name: live for place, live in placed.items() if place.part == "query"}
    query = "&".join(_pair(pair, names) for pair in query.split("&"))
    return _everywhere("/".join(segments) + mark + query, substitutions)


def _pair(pair: str, names: Mapping[str, str]) -> str:
    decoded = parse_qsl(pair, keep_blank_values=True)
    if not decoded or decoded[0][0] not in names:
        return pair
    return f"{pair.partition('=')[0]}={quote_plus(names[decoded[0][0]])}"


def _headers(
    headers: Headers, substitutions: list[Substitution], placed: Mapping[Place, str], body: Body, *, encoded: bool
) -> Headers:
    cookies = {place.name: live for place, live in placed.items() if place.part == "cookie"}
    named = {place.name: live for place, live in placed.items() if place.part == "header"}
    found = []
    for name, value in headers:
        lower = name.lower()
        if lower == "content-length":
            found.append((name, str(body.size)))
        elif lower == "content-encoding" and encoded:
            continue
        elif lower == "cookie":
            found.append((name, _everywhere(_cookie_line(value, cookies), substitutions)))
        else:
            found.append((name, _everywhere(named.get(lower, value), substitutions)))
    return tuple(found)


def _cookie_line(line: str, live: Mapping[str, str]) -> str:
    parts = []
    for part in line.split("; "):
        name, mark, value = part.partition("=")
        parts.append(f"{name}{mark}{live.get(name, value)}")
    return "; ".join(parts)


def _body(request: Request, substitutions: list[Substitution], placed: Mapping[Place, str]) -> tuple[Body, bool]:
    """The new body and whether its content coding had to be undone."""
    if not request.body.data:
        return request.body, False
    media = media_type(request.headers)
    try:
        plain = decode_content(request.headers, request.body.data)
        text = plain.decode("utf-8")
    except ValueError:
        return request.body, False
    pointers = {place.name: live for place, live in placed.items() if place.part == "body"}
    if not (is_text(media) or not media or text[:1] in ("{", "[")):
        return request.body, False
    written = _everywhere(_at_pointers(media, text, pointers), substitutions)
    if written == text:
        return request.body, False
    data = written.encode()
    body = Body(size=len(data), sha256=sha256(data).hexdigest(), data=data, complete=request.body.complete)
    return body, plain is not request.body.data


def _at_pointers(media: str, text: str, pointers: Mapping[str, str]) -> str:
    if not pointers:
        return text
    if media == "application/x-www-form-urlencoded":
        names = {pointer[1:]: live for pointer, live in pointers.items()}
        return "&".join(_pair(pair, names) for pair in text.split("&"))
    try:
        loads(text)
    except ValueError:
        return text
    out, end = [], 0
    for pointer, start, stop in spans(text):
        if pointer in pointers:
            live = pointers[pointer]
            out += [text[end:start], json.dumps(live) if text[start] == '"' else live]
            end = stop
    return "".join([*out, text[end:]])
