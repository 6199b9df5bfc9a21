"""What one route was sent, and what it answered with one status: counts and profiles that merge."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from pydantic import JsonValue

from wiretape_capture.protocols.http import header, header_values, media_type, split_target
from wiretape_capture.snapshot.exchange import Body, Headers, Request
from wiretape_replay.compare.headers import POLICIES, Policy
from wiretape_replay.content import read_content
from wiretape_replay.contract.leaf import Profile

STRUCTURED = frozenset({"json", "ndjson", "xml", "form"})
"""Kinds of bodies that have leaves with names."""
_WHOLE = re.compile(r"0|-?[1-9]\d{0,15}")
_NUMBER = re.compile(r"-?\d{1,15}\.\d{1,15}")
_OF_THE_MESSAGE = frozenset({
    "host", "user-agent", "accept", "accept-encoding", "accept-language", "accept-charset", "content-type", "cookie",
    "authorization", "origin", "referer", "expect", "priority", "dnt", "forwarded", "cache-control", "pragma", "from",
    "proxy-authorization", "upgrade-insecure-requests", "max-forwards", "set-cookie", "http2-settings",
})  # fmt: skip
_PREFIXES = ("sec-", "x-forwarded-", "x-wiretape-")


@dataclass(slots=True)
class Answers:
    """The answers of one route with one status."""

    count: int = 0
    media: Counter[str] = field(default_factory=Counter)
    headers: Profile = field(default_factory=Profile)
    """As one object of texts, a profile of all."""
    body: Profile = field(default_factory=Profile)
    """Of structured bodies; its count says how many there were."""

    def add(self, headers: Headers, body: Body) -> None:
        """Count one answer."""
        self.count += 1
        if body.size:
            self.media[media_type(headers)] += 1
        self.headers.add(_told(headers))
        content = read_content(headers, body)
        if content.kind in STRUCTURED:
            self.body.add(content.tree)

    def merge(self, other: Answers) -> None:
        """Add what was seen elsewhere."""
        self.count += other.count
        self.media.update(other.media)
        self.headers.merge(other.headers)
        self.body.merge(other.body)


@dataclass(slots=True)
class Requests:
    """The requests to one route that were not refused."""

    count: int = 0
    parameters: Profile = field(default_factory=Profile)
    """Of the path, by the name that the route gives them."""
    query: Profile = field(default_factory=Profile)
    headers: Profile = field(default_factory=Profile)
    schemes: Counter[str] = field(default_factory=Counter)
    """Of the Authorization header, in lower case."""
    media: Counter[str] = field(default_factory=Counter)
    bodies: dict[str, Profile] = field(default_factory=dict)
    """By media type."""

    def add(self, request: Request, route: str) -> None:
        """Count one request."""
        self.count += 1
        path, pairs = split_target(request.target)
        self.parameters.add(_path_values(route, path))
        self.query.add(_query_values(pairs))
        self.headers.add(_told(request.headers))
        if credentials := header(request.headers, "authorization"):
            self.schemes[credentials.partition(" ")[0].lower()] += 1
        if request.body.size:
            self._add_body(request)

    def _add_body(self, request: Request) -> None:
        media = media_type(request.headers)
        self.media[media] += 1
        content = read_content(request.headers, request.body)
        if content.kind in STRUCTURED:
            tree = _typed_form(content.tree) if content.kind == "form" else content.tree
            self.bodies.setdefault(media, Profile()).add(tree)

    def merge(self, other: Requests) -> None:
        """Add what was sent elsewhere."""
        self.count += other.count
        self.parameters.merge(other.parameters)
        self.query.merge(other.query)
        self.headers.merge(other.headers)
        self.schemes.update(other.schemes)
        self.media.update(other.media)
        for media, profile in other.bodies.items():
            self.bodies.setdefault(media, Profile()).merge(profile)


def scalar(text: str) -> JsonValue:
    """What a text in a path, query or form stands for: a whole number, a number, a truth value, or itself."""
    if _WHOLE.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text):
        return float(text)
    return text == "true" if text in ("true", "false") else text


def path_values(template: str, path: str) -> dict[str, str]:
    """The parameters of a path by the names in its template; none where they do not fit."""
    wanted, given = template.split("/"), path.split("/")
    if len(wanted) != len(given):
        return {}
    return {name[1:-1]: text for name, text in zip(wanted, given, strict=True)
            if name.startswith("{") and name.endswith("}")}  # fmt: skip


def _path_values(route: str, path: str) -> JsonValue:
    return {name: scalar(text) for name, text in path_values(route.partition(" ")[2], path).items()}


def _query_values(pairs: Iterable[tuple[str, str]]) -> JsonValue:
    found: dict[str, list[JsonValue]] = {}
    for name, text in pairs:
        found.setdefault(name, []).append(scalar(text))
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def _typed_form(tree: JsonValue) -> JsonValue:
    if isinstance(tree, dict):
        return {name: _typed_form(value) for name, value in tree.items()}
    if isinstance(tree, list):
        return [_typed_form(value) for value in tree]
    return scalar(tree) if isinstance(tree, str) else tree


def _matters(name: str) -> bool:
    """Whether a header, in lower case, belongs to the interface rather than to the message that carries it."""
    return (name not in _OF_THE_MESSAGE and not name.startswith(_PREFIXES)
            and POLICIES.get(name) not in (Policy.IGNORED, Policy.VOLATILE))  # fmt: skip


def _told(headers: Headers) -> JsonValue:
    names = dict.fromkeys(name.lower() for name, _ in headers)
    return {name: ", ".join(header_values(headers, name)) for name in names if _matters(name)}
