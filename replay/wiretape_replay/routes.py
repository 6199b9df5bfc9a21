"""Routes: the path templates behind recorded requests, `GET /orders/{id}`. The order of the requests never matters.

A segment becomes a parameter by its form (a number, a UUID), by siblings of mixed letters and digits, or by many
plain siblings below a collection that is requested itself; an override of the user wins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Self

from wiretape_capture.errors import UsageError
from wiretape_replay.formats import format_of

type Segments = tuple[str, ...]

_PARAMETER = "{}"
_VERSION = re.compile(r"v\d+(?:\.\d+)*")
_DATE_LIKE = re.compile(r"\d{4}-\d\d-\d\d")
_RESERVED = frozenset(
    (
        *("me", "self", "current", "new", "search", "export", "import", "count", "stats", "summary", "latest"),
        *("health", "status", "login", "logout", "batch", "bulk"),
    )
)
_PLAIN_SIBLINGS = 6
_OVERRIDE = re.compile(r"(?:(\*|[A-Za-z][A-Za-z-]*) +)?(/[^\s?#]*)")
_NAMED = re.compile(r"\{[^{}/]+\}")


@dataclass(slots=True)
class _Node:
    literals: dict[str, _Node] = field(default_factory=dict)
    parameter: _Node | None = None


class RouteTable:
    """Knows the route of each request, also of one that the recording does not have."""

    def __init__(self, root: _Node, overrides: Sequence[tuple[str, Segments]]) -> None:
        self._root = root
        self._overrides = overrides
        self._known: dict[tuple[str, str], str] = {}

    @classmethod
    def infer(cls, requests: Iterable[tuple[str, str]], overrides: Sequence[str] = ()) -> Self:
        """From (method, target) pairs; overrides are `/a/{b}` or `GET /a/{b}`, the most literal one that fits wins."""
        paths = {tuple(_path(target).split("/")[1:]) for _, target in requests}
        return cls(_grow(paths, depth=0), sorted(map(parse_override, overrides), key=_literalness))

    def route(self, method: str, target: str) -> str:
        """The route's name."""
        path = _path(target)
        if (name := self._known.get((method, path))) is None:
            name = f"{method} {self._template(method, path)}"
            if len(self._known) < 100_000:
                self._known[method, path] = name
        return name

    def _template(self, method: str, path: str) -> str:
        segments = tuple(path.split("/")[1:])
        for wanted, template in self._overrides:
            if wanted in ("", method) and _fits(template, segments):
                return "/" + "/".join(template)
        return "/" + "/".join(_named(self._generalise(segments))) if path.startswith("/") else path

    def _generalise(self, segments: Segments) -> list[str]:
        node: _Node | None = self._root
        result = []
        for segment in segments:
            if node and segment in node.literals:
                node = node.literals[segment]
                result.append(segment)
            elif node and node.parameter and segment and segment not in _RESERVED:
                node = node.parameter
                result.append(_PARAMETER)
            else:
                node = node.parameter if node and is_identifier(segment) else None
                result.append(_PARAMETER if is_identifier(segment) else segment)
        return result


def is_identifier(segment: str) -> bool:
    """Whether a path segment is an identifier by its form alone."""
    return segment.isdecimal() or bool(_DATE_LIKE.fullmatch(segment)) or format_of(segment) is not None


def singular(noun: str) -> str:
    """English enough for resource names: `orders` order, `categories` category, `addresses` address."""
    if noun.endswith("ies") and len(noun) > 4:
        return noun[:-3] + "y"
    if noun.endswith(("sses", "xes", "ches", "shes")):
        return noun[:-2]
    return noun[:-1] if noun.endswith("s") and not noun.endswith("ss") else noun


def _path(target: str) -> str:
    path = target.partition("?")[0].partition("#")[0]
    if "://" in path[:12]:
        path = "/" + path.split("://", 1)[1].partition("/")[2]
    return path


def _grow(paths: set[Segments], depth: int) -> _Node:
    node = _Node()
    below: dict[str, set[Segments]] = {}
    for path in paths:
        if path:
            below.setdefault(path[0], set()).add(path[1:])
    parameters = _parameters(below, collection=() in paths and depth > 0)
    merged: set[Segments] = set().union(*(below[segment] for segment in parameters))
    node.parameter = _grow(merged, depth + 1) if parameters else None
    node.literals = {segment: _grow(rest, depth + 1) for segment, rest in below.items() if segment not in parameters}
    return node


def _parameters(below: dict[str, set[Segments]], *, collection: bool) -> set[str]:
    certain = {segment for segment in below if is_identifier(segment)}
    mixed = {segment for segment in below if _is_mixed(segment)} - certain
    if certain or len(mixed) > 1:
        certain |= mixed
    plain = {segment for segment in below if segment and segment not in _RESERVED} - certain
    alike = len({frozenset(below[segment]) for segment in plain}) == 1
    if collection and alike and len(plain) >= _PLAIN_SIBLINGS:
        certain |= plain
    return certain


def _is_mixed(segment: str) -> bool:
    digits = sum(character.isdigit() for character in segment)
    return digits > 0 and len(segment) >= 3 and digits * 5 >= len(segment) and not _VERSION.fullmatch(segment)


def _named(segments: list[str]) -> list[str]:
    named: list[str] = []
    for index, segment in enumerate(segments):
        if segment != _PARAMETER:
            named.append(segment)
            continue
        noun = singular(segments[index - 1]) if index and segments[index - 1] != _PARAMETER else "part"
        name = "{id}" if "{id}" not in named else f"{{{noun}_id}}"
        named.append(name if name not in named else f"{{{noun}_id{index}}}")
    return named


def parse_override(text: str) -> tuple[str, Segments]:
    """Method, empty for every one, and segments of `/a/{b}` or `GET /a/{b}`."""
    found = _OVERRIDE.fullmatch(text.strip())
    if not found:
        raise UsageError(f'"{text}" is not a route', 'write it as "/orders/{id}" or "GET /orders/{id}"')
    segments = tuple(found[2].split("/")[1:])
    names = [segment for segment in segments if "{" in segment or "}" in segment]
    if wrong := next((name for name in names if not _NAMED.fullmatch(name)), None):
        raise UsageError(f'"{wrong}" in the route "{text}" is no parameter', "a parameter is one whole segment: {id}")
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UsageError(f'the route "{text}" has {twice} twice', "give each parameter a name of its own")
    return (found[1] or "").replace("*", "").upper(), segments


def _literalness(override: tuple[str, Segments]) -> tuple[int, bool]:
    method, template = override
    return sum(segment.startswith("{") for segment in template), not method


def _fits(template: Segments, segments: Segments) -> bool:
    return len(template) == len(segments) and all(
        wanted == segment or (wanted.startswith("{") and wanted.endswith("}") and segment)
        for wanted, segment in zip(template, segments, strict=True)
    )
