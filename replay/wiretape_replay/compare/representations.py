"""Which places of which routes show the same objects: `GET /posts/{id}` what `POST /posts` answers, a list its items.

Two places do when both held an object with the same identifier and mostly the same members. What the recording shows to
vary of an object in one of them varies in the other: a view counter, the order of a set. Pure.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping

from pydantic import JsonValue

from wiretape_capture.snapshot.exchange import Exchange
from wiretape_replay.bindings.tokens import is_id_name
from wiretape_replay.compare.places import template
from wiretape_replay.content import read_content

type Spot = tuple[str, str]
"""Route and place."""

OBJECTS = 200
"""Objects of one answer that are looked at."""
OVERLAP = 0.5
"""Least share of all members of two objects that both have."""
_IDENTIFIERS = ("id", "_id", "uuid", "guid")


def representations(exchanges: Iterable[Exchange], routes: Mapping[int, str]) -> list[frozenset[Spot]]:
    """Groups of places that show the same objects."""
    shown: dict[tuple[str, str], dict[Spot, frozenset[str]]] = {}
    for exchange in exchanges:
        if exchange.response is None or exchange.response.status >= 400:
            continue
        content = read_content(exchange.response.headers, exchange.response.body)
        if content.kind == "json":
            for place, name, item in _identified(content.tree):
                identity = (name, str(item[name]))
                shown.setdefault(identity, {})[routes[exchange.sequence], place] = frozenset(item)
    return _joined(shown.values())


def spread(settled: Container[Spot], groups: Iterable[frozenset[Spot]], varied: Iterable[Spot]) -> dict[Spot, Spot]:
    """Places that vary as another one does: each with the place that shows it. What is settled needs no such help."""
    found: dict[Spot, Spot] = {}
    for group in groups:
        for route, place in varied:
            for _, at in (each for each in group if each[0] == route and place.startswith(f"{each[1]}/")):
                others = ((other, f"{there}{place[len(at) :]}") for other, there in group)
                found |= {spot: (route, place) for spot in others if spot not in settled}
    return found


def _identified(tree: JsonValue) -> Iterator[tuple[str, str, dict[str, JsonValue]]]:
    """Place, name of the identifier, and object."""
    pending, left = [(tree, "")], OBJECTS
    while pending and left:
        node, place = pending.pop()
        if isinstance(node, dict):
            left -= 1
            if name := _identifier(node):
                yield place, name, node
            pending += [(value, template(place, key)) for key, value in node.items() if isinstance(value, dict | list)]
        elif isinstance(node, list):
            pending += [(value, f"{place}/*") for value in node[:OBJECTS] if isinstance(value, dict | list)]


def _identifier(item: dict[str, JsonValue]) -> str | None:
    names = [*(name for name in _IDENTIFIERS if name in item), *(name for name in item if is_id_name(name))][:1]
    scalars = (name for name in names if isinstance(item[name], str | int) and not isinstance(item[name], bool))
    return next(scalars, None)


def _joined(shown: Iterable[Mapping[Spot, frozenset[str]]]) -> list[frozenset[Spot]]:
    group_of: dict[Spot, set[Spot]] = {}
    for places in shown:
        spots = list(places)
        for one, other in ((a, b) for index, a in enumerate(spots) for b in spots[index + 1 :]):
            shared, every = places[one] & places[other], places[one] | places[other]
            if len(shared) < OVERLAP * len(every):
                continue
            both = group_of.setdefault(one, {one}) | group_of.setdefault(other, {other})
            group_of |= dict.fromkeys(both, both)
    return list({frozenset(group) for group in group_of.values()})
