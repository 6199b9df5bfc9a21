"""Putting live values in the place of recorded ones: everywhere on token boundaries, or at one place only.

Everything else of the request keeps its bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from urllib.parse import parse_qsl, quote, quote_plus, unquote

from wiretape_capture.protocols.http import decode_content, header, is_text, media_type
from wiretape_capture.snapshot.exchange import Body, Headers, Request, Response
from wiretape_replay.bindings.forms import Step, rewritten
from wiretape_replay.bindings.messages import response_tokens
from wiretape_replay.bindings.replacements import Replacements
from wiretape_replay.bindings.tokens import Place, name_words
from wiretape_replay.exact_json import loads, spans
from wiretape_replay.leaves import leaf_name
from wiretape_replay.routes import singular


@dataclass(frozen=True, slots=True)
class Placed:
    """A value that changes at one place only."""

    place: Place
    recorded: str
    live: str


type Spots = Mapping[str, Sequence[Placed]]
"""What changes in one part of a message, by the place's name."""

_LINKS = frozenset({"location", "content-location", "link"})
_NUMBER_IN_TEXT = re.compile(r"([A-Za-z_-]+)([ #:=/-]{1,3})(\d{1,18})(?![\d.]*\d)")
_SEGMENT = re.compile(r"[\w.~-]+")
_LAST_WORD = re.compile(r"[A-Za-z_-]+$")


def rewrite_text(text: str, everywhere: Replacements, named: Mapping[tuple[str, str], str]) -> str:
    """Free text: distinctive values anywhere, others only after their noun (`Order 17`, `/orders/17`, `/jobs/a_B3`)."""

    def number(found: re.Match[str]) -> str:
        noun = singular("_".join(name_words(found[1])))
        return f"{found[1]}{found[2]}{named.get((noun, found[3]), found[3])}"

    applied = everywhere.apply(text)
    return _NUMBER_IN_TEXT.sub(number, _in_path(applied, named)) if named else applied


def _in_path(text: str, named: Mapping[tuple[str, str], str]) -> str:
    """Identifiers that are no numbers, where they are a segment of a path after their noun."""
    segments = text.split("/")
    for index, (before, segment) in enumerate(pairwise(text.split("/")), start=1):
        value, word = _SEGMENT.match(segment), _LAST_WORD.search(before)
        if value and word and not value[0].isdecimal():
            live = named.get((singular("_".join(name_words(word[0]))), value[0]))
            segments[index] = segment if live is None else live + segment[value.end() :]
    return "/".join(segments)


def rewrite_request(request: Request, everywhere: Replacements, placed: Sequence[Placed]) -> Request:
    """The request with live values; the same object when nothing changes."""
    if not everywhere and not placed:
        return request
    parts: dict[str, dict[str, list[Placed]]] = {}
    for each in placed:
        parts.setdefault(each.place.part, {}).setdefault(each.place.name, []).append(each)
    body, encoded = _body(request, everywhere, parts.get("body", {}))
    target = _target(request.target, everywhere, parts)
    headers = _headers(request.headers, everywhere, parts, body, encoded=encoded)
    if target == request.target and headers == request.headers and body is request.body:
        return request
    return request.model_copy(update={"target": target, "headers": headers, "body": body})


def _at(text: str, spots: Sequence[Placed]) -> str:
    """The whole text is changed first, then what stands inside of it, the last first."""
    for each in sorted(spots, key=lambda each: tuple(_backwards(step) for step in each.place.within)):
        text = rewritten(text, each.place.within, each.live)
    return text


def _backwards(step: Step) -> tuple[str, int, str]:
    return step[0], -int(step[1]) if step[1].isdecimal() else 0, step[1]


def _target(target: str, everywhere: Replacements, parts: Mapping[str, Spots]) -> str:
    path, mark, query = target.partition("?")
    segments = path.split("/")
    for name, spots in parts.get("path", {}).items():
        if int(name) < len(segments):
            segments[int(name)] = quote(_at(unquote(segments[int(name)]), spots), safe=":@!$&'()*+,;=~")
    if names := parts.get("query"):
        query = "&".join(_pair(pair, names) for pair in query.split("&"))
    return everywhere.apply("/".join(segments) + mark + query)


def _pair(pair: str, names: Spots) -> str:
    decoded = parse_qsl(pair, keep_blank_values=True)
    if not decoded or decoded[0][0] not in names:
        return pair
    return f"{pair.partition('=')[0]}={quote_plus(_at(decoded[0][1], names[decoded[0][0]]))}"


def _headers(
    headers: Headers, everywhere: Replacements, parts: Mapping[str, Spots], body: Body, *, encoded: bool
) -> Headers:
    cookies, named = parts.get("cookie", {}), parts.get("header", {})
    found = []
    for name, value in headers:
        lower = name.lower()
        if lower == "content-length":
            found.append((name, str(body.size)))
        elif lower == "content-encoding" and encoded:
            continue
        elif lower == "cookie":
            found.append((name, everywhere.apply(_cookie_line(value, cookies))))
        else:
            found.append((name, everywhere.apply(_at(value, named.get(lower, ())))))
    return tuple(found)


def _cookie_line(line: str, spots: Spots) -> str:
    parts = []
    for part in line.split("; "):
        name, mark, value = part.partition("=")
        quoted = value[:1] == '"' == value[-1:] and len(value) > 1
        live = _at(value.strip('"'), spots.get(name, ()))
        parts.append(f'{name}{mark}"{live}"' if quoted else f"{name}{mark}{live}")
    return "; ".join(parts)


def _body(request: Request, everywhere: Replacements, spots: Spots) -> tuple[Body, bool]:
    """The new body and whether its content coding had to be undone."""
    if not request.body.data:
        return request.body, False
    media = media_type(request.headers)
    multipart = media.startswith("multipart/")
    try:
        plain = decode_content(request.headers, request.body.data)
        # Files keep their bytes: every byte is one character of this encoding.
        text = plain.decode("latin-1" if multipart else "utf-8")
    except ValueError:
        return request.body, False
    if not (is_text(media) or multipart or not media or text[:1] in ("{", "[")):
        return request.body, False
    written = everywhere.apply(_at_pointers(media, text, spots) if spots else text)
    if written == text:
        return request.body, False
    data = written.encode("latin-1" if multipart else "utf-8", "replace")
    body = Body(size=len(data), sha256=sha256(data).hexdigest(), data=data, complete=request.body.complete)
    return body, plain is not request.body.data


def _at_pointers(media: str, text: str, spots: Spots) -> str:
    if media == "application/x-www-form-urlencoded":
        names = {pointer[1:]: live for pointer, live in spots.items()}
        return "&".join(_pair(pair, names) for pair in text.split("&"))
    if media.startswith("multipart/"):
        return _in_parts(text, spots)
    if text.lstrip()[:1] == "<":
        return _in_elements(text, spots)
    try:
        loads(text)
    except ValueError:
        return _in_lines(text, spots)
    return _in_json(text, spots)


def _in_json(text: str, spots: Spots, prefix: str = "") -> str:
    out, end = [], 0
    for at, start, stop in spans(text):
        if found := spots.get(prefix + at):
            quoted = text[start] == '"'
            live = _at(json.loads(text[start:stop]) if quoted else text[start:stop], found)
            out += [text[end:start], json.dumps(live) if quoted else live]
            end = stop
    return "".join([*out, text[end:]])


def _in_lines(text: str, spots: Spots) -> str:
    """JSON lines: the first part of the pointer is the number of the line, blank ones not counted."""
    lines, number = text.split("\n"), 0
    for index, line in enumerate(lines):
        if not line.strip():
            continue
        try:
            loads(line)
        except ValueError:
            return text
        lines[index] = _in_json(line, spots, f"/{number}")
        number += 1
    return "\n".join(lines)


def _in_elements(text: str, spots: Spots) -> str:
    """XML: an element or attribute of that name with that value."""
    for pointer, found in spots.items():
        name = re.escape(leaf_name(pointer).removeprefix("@").removeprefix("#text"))
        for each in found:
            value = re.escape(each.recorded)
            pattern = rf'(<(?:[\w-]+:)?{name}\b[^<>]*>\s*|\b{name}=["\']){value}(?=\s*<|["\'])'
            text = re.sub(pattern, lambda hit, live=each.live: f"{hit[1]}{live}", text)  # type: ignore[misc]
    return text


def _in_parts(text: str, spots: Spots) -> str:
    """Multipart: the field of that name with that value."""
    for pointer, found in spots.items():
        name = re.escape(pointer.split("/", 2)[2])
        for each in found:
            pattern = rf'(\bname="{name}"(?:\r?\n[^\r\n]+)*\r?\n\r?\n){re.escape(each.recorded)}(?=\r?\n--)'
            text = re.sub(pattern, lambda hit, live=each.live: f"{hit[1]}{live}", text, count=1)  # type: ignore[misc]
    return text


def renumber_response(request: Request, response: Response, named: Mapping[tuple[str, str], str]) -> Response:
    """A recorded answer with other serial numbers, only where they stand under their noun; the rest keeps its bytes."""
    none = Replacements()
    headers = tuple((name, rewrite_text(value, none, named) if name.lower() in _LINKS else value)
                    for name, value in response.headers)  # fmt: skip
    changed = response.model_copy(update={"headers": headers})
    if not response.body.data:
        return changed
    try:
        text = decode_content(response.headers, response.body.data).decode("utf-8")
    except ValueError:
        return changed
    spots: dict[str, list[Placed]] = {}
    for token in response_tokens(request, response):
        live = next((named[key] for key in token.keys if key in named), None)
        if live is not None and token.place.part == "body":
            spots.setdefault(token.place.name, []).append(Placed(token.place, token.value, live))
    written = _renumbered(text, spots, named)
    if written == text:
        return changed
    data = written.encode()
    if header(headers, "content-encoding") is not None:
        changed = changed.model_copy(
            update={"headers": tuple(h for h in headers if h[0].lower() != "content-encoding")}
        )
    return changed.model_copy(update={"body": Body(size=len(data), sha256=sha256(data).hexdigest(), data=data)})


def _renumbered(text: str, spots: Spots, named: Mapping[tuple[str, str], str]) -> str:
    none = Replacements()
    try:
        loads(text)
    except ValueError:
        return rewrite_text(_in_elements(text, spots) if text.lstrip()[:1] == "<" else text, none, named)
    out, end = [], 0
    for at, start, stop in spans(text):
        quoted = text[start] == '"'
        if found := spots.get(at):
            live = _at(json.loads(text[start:stop]) if quoted else text[start:stop], found)
            out += [text[end:start], json.dumps(live) if quoted else live]
            end = stop
        elif quoted:
            out += [text[end:start], rewrite_text(text[start:stop], none, named)]
            end = stop
    return "".join([*out, text[end:]])
