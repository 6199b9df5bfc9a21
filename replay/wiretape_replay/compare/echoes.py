"""Which fields of answers repeat an identifier of their own request, whatever they are called: `"cancelled": 2` is
order 2 in every answer of `POST /orders/{id}/cancel`. A small number may equal an identifier by chance, so one answer
that says otherwise refutes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import unquote

from pydantic import JsonValue

from wiretape_capture.protocols.http import split_target
from wiretape_capture.snapshot.exchange import Exchange, Request
from wiretape_replay.bindings.plan import BindingPlan
from wiretape_replay.bindings.tokens import Place, is_id_name, name_words
from wiretape_replay.compare.places import template
from wiretape_replay.content import read_content
from wiretape_replay.leaves import leaf_name, split, walk

_LONG = 3
"""Digits from which a value is not taken to equal an identifier by chance."""
_ENOUGH = 2
"""Values that differ and are repeated, which no chance explains."""
_STEM = 3
"""Letters of a path's word that a field must begin with to be called after it."""

type Echoes = Mapping[tuple[str, str], Mapping[Place, set[str]]]
"""By route and templated pointer: where the request carries what the answer repeats, and the first values that did."""


def find_echoes(ordered: Sequence[Exchange], commands: Mapping[int, str], plan: BindingPlan) -> Echoes:
    """The fields that repeat a bound number or code of their request in all answers of their route."""
    found: dict[tuple[str, str], dict[Place, set[str]]] = {}
    for each in ordered:
        for pointer, text, place in _repeats(each, plan):
            values = found.setdefault((commands[each.sequence], pointer), {}).setdefault(place, set())
            if len(values) < _ENOUGH:
                values.add(text)
    left: dict[str, set[str]] = {}
    for route, pointer in found:
        left.setdefault(route, set()).add(pointer)
    for each in ordered:
        route = commands[each.sequence]
        if pointers := left.get(route):
            _refute(each, pointers, {pointer: found[route, pointer] for pointer in pointers})
    return found


def _refute(exchange: Exchange, pointers: set[str], found: Mapping[str, dict[Place, set[str]]]) -> None:
    """Leave out what an answer speaks against, and pointers of which nothing is left."""
    names = {leaf_name(pointer) for pointer in pointers}
    for at, text in _leaves(exchange):
        # The last step of a pointer is its member's name, but for what is data.
        if leaf_name(at) in names or "*" in names:
            places = found.get(pointer := echo_place(at), {})
            for place in [place for place in places if _at(exchange.request, place) != text]:
                del places[place]
            if not places:
                pointers.discard(pointer)


def echo_place(at: str) -> str:
    """The templated pointer that `Echoes` counts a member by."""
    pointer = ""
    for key in split(at):
        pointer = template(pointer, key)
    return pointer


def is_sure(values: set[str], at: str, target: str) -> bool:
    """Whether a field that repeats an identifier does so on purpose: with two of them, a long one, or by its name."""
    return (
        len(values) >= _ENOUGH or any(len(value) >= _LONG for value in values) or _called_after(leaf_name(at), target)
    )


def _called_after(name: str, target: str) -> bool:
    """`cancelled` at `/orders/2/cancel`."""
    own = "_".join(name_words(name))
    last = "_".join(name_words(split_target(target)[0].rstrip("/").rpartition("/")[2]))
    stem = last.removesuffix("e")
    return len(stem) >= _STEM and own.startswith(stem)


def _repeats(exchange: Exchange, plan: BindingPlan) -> Iterator[tuple[str, str, Place]]:
    edges = plan.by_consumer.get(exchange.sequence, ())
    carried = [(edge.consumed_at, edge.value) for edge in edges if edge.noun and not edge.consumed_at.within]
    if not carried or exchange.response is None:
        return
    content = read_content(exchange.response.headers, exchange.response.body)
    if _texts(content.tree).isdisjoint(value for _, value in carried):
        return
    for at, text in _leaves(exchange):
        yield from ((echo_place(at), text, place) for place, value in carried if value == text)


def _texts(tree: JsonValue) -> set[str]:
    """All scalars: most answers repeat nothing, and pointers cost more."""
    found: set[str] = set()
    pending = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            pending.extend(node.values())
        elif isinstance(node, list):
            pending.extend(node)
        elif isinstance(node, str | int):
            found.add(str(node))
    return found


def _leaves(exchange: Exchange) -> Iterator[tuple[str, str]]:
    """The members of an answer that are no identifiers by their name, with their pointers."""
    response = exchange.response
    if response is None or response.status >= 400:
        return
    for at, value in walk(read_content(response.headers, response.body).tree):
        if at and isinstance(value, str | int) and not isinstance(value, bool) and not is_id_name(leaf_name(at)):
            yield at, str(value)


def _at(request: Request, place: Place) -> str | None:
    """What a request carries at a place."""
    path, pairs = split_target(request.target)
    if place.part == "path":
        segments = unquote(path).split("/")
        return segments[int(place.name)] if int(place.name) < len(segments) else None
    if place.part == "query":
        return next((value for name, value in pairs if name == place.name), None)
    if place.part != "body":
        return None
    content = read_content(request.headers, request.body)
    return next((str(value) for pointer, value in walk(content.tree) if pointer == place.name), None)
