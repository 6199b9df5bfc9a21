"""Which routes somebody means who names a route, a path, a part of one, or the function that handles it. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

from wiretape_replay.routes import RouteTable, singular

_METHOD = re.compile(r"([A-Za-z]+)\s+(\S.*)")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_VERBS = {
    "get": {"GET", "HEAD"}, "show": {"GET"}, "list": {"GET"}, "read": {"GET"}, "fetch": {"GET"}, "index": {"GET"},
    "retrieve": {"GET"}, "search": {"GET", "POST"}, "create": {"POST"}, "add": {"POST"}, "new": {"POST"},
    "post": {"POST"}, "submit": {"POST"}, "place": {"POST"}, "update": {"PUT", "PATCH", "POST"}, "put": {"PUT"},
    "edit": {"PUT", "PATCH", "POST"}, "patch": {"PATCH"}, "delete": {"DELETE"}, "remove": {"DELETE"},
    "destroy": {"DELETE"}, "cancel": {"DELETE", "POST"},
}  # fmt: skip
"""First words of the names of functions, and the methods that they usually handle."""
_SAY_NOTHING = frozenset({
    "do", "handle", "handler", "handlers", "on", "the", "a", "by", "id", "for", "of", "view", "views", "route",
    "controller", "api", "endpoint", "async", "def", "function", "py", "ts", "js", "src", "app", "routes",
    "v", "1", "2",
})  # fmt: skip


def fitting(text: str, routes: Sequence[str], table: RouteTable) -> list[str]:
    """The routes that `text` names, in the order given; one where it is exact."""
    text = text.strip()
    lower = {route.lower(): route for route in routes}
    if text.lower() in lower:
        return [lower[text.lower()]]
    method, path = _parted(text)
    if path.startswith("/"):
        return _by_path(method, path, routes, table)
    return _by_words(text, routes)


def nearest(text: str, routes: Sequence[str]) -> str | None:
    """The route that looks most like a text which fits none."""
    found = get_close_matches(text[:200], routes, 1, cutoff=0.4)
    if not found:
        paths = {route.partition(" ")[2]: route for route in routes}
        found = [paths[path] for path in get_close_matches(_parted(text)[1][:200], list(paths), 1, cutoff=0.4)]
    return found[0] if found else None


def _parted(text: str) -> tuple[str, str]:
    found = _METHOD.fullmatch(text)
    return (found[1].upper(), found[2]) if found and found[2].startswith("/") else ("", text)


def _by_path(method: str, path: str, routes: Sequence[str], table: RouteTable) -> list[str]:
    mine = [route for route in routes if not method or route.startswith(f"{method} ")]
    exact = [route for route in mine if route.partition(" ")[2] == path.partition("?")[0]]
    concrete = [route for route in mine if table.route(route.partition(" ")[0], path) == route]
    return exact or concrete or [route for route in mine if fnmatchcase(route.partition(" ")[2], path)]


def _by_words(text: str, routes: Sequence[str]) -> list[str]:
    words = [word.lower() for word in _WORD.findall(text)]
    methods = next((_VERBS[word] for word in words if word in _VERBS), None)
    wanted = {singular(word) for word in words if word not in _VERBS and word not in _SAY_NOTHING}
    if not wanted:
        return []
    found = [route for route in routes if wanted <= _said(route)]
    handled = [route for route in found if methods and route.partition(" ")[0] in methods]
    return handled or found


def _said(route: str) -> set[str]:
    literal = re.sub(r"\{[^}]*\}", " ", route.partition(" ")[2])
    return {singular(word.lower()) for word in _WORD.findall(literal)}
