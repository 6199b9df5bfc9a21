"""What really varies: unchanged answers of several starts held against each other, by place and not by any format."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.verdict.faults import leaves_of, tree_of
from wiretape_capture.snapshot.exchange import Response

_DATA = re.compile(r"/(?:\d+|(?=[^/]*\d)[^/]{12,})(?=/|$)")


def templated(pointer: str) -> str:
    """A pointer with `*` for positions and for keys that are data."""
    return _DATA.sub("/*", pointer)


def noisy_places(runs: Sequence[Mapping[int, Response]], routes: Mapping[int, str]) -> dict[int, frozenset[str]]:
    """By step: the pointers of leaves that vary, `order:POINTER` for lists whose order does, and `header:NAME`."""
    found: set[tuple[str, str]] = set()
    first, *others = runs
    for step, response in first.items():
        for other in others:
            if step in other:
                found |= {(routes[step], place) for place in _differing(response, other[step])}
    return {step: frozenset(_places(response, routes[step], found)) for step, response in first.items()}


def _places(response: Response, route: str, found: set[tuple[str, str]]) -> Iterator[str]:
    for pointer, _ in leaves_of(tree_of(response)):
        if (route, templated(pointer)) in found:
            yield pointer
        if (route, f"order:{templated(pointer)}") in found:
            yield f"order:{pointer}"
    for name, _ in response.headers:
        if (route, f"header:{name.lower()}") in found:
            yield f"header:{name.lower()}"


def _differing(one: Response, other: Response) -> Iterator[str]:
    yield from _tree(tree_of(one), tree_of(other), "")
    theirs = {name.lower(): value for name, value in other.headers}
    for name, value in one.headers:
        if theirs.get(name.lower()) != value:
            yield f"header:{name.lower()}"


def _tree(one: Any, other: Any, pointer: str) -> Iterator[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        data = one.keys() != other.keys()
        pairs = (
            zip(one.values(), other.values(), strict=False)
            if data
            else ((value, other[key]) for key, value in one.items())
        )
        for key, (a, b) in zip(one, pairs, strict=False):
            yield from _tree(a, b, f"{pointer}/*" if data else f"{pointer}/{templated('/' + key)[1:]}")
    elif isinstance(one, list) and isinstance(other, list):
        if _permuted(one, other):
            yield f"order:{pointer}"
        for a, b in zip(one, other, strict=False):
            yield from _tree(a, b, f"{pointer}/*")
    elif one != other:
        yield pointer


def _permuted(one: list[Any], other: list[Any]) -> bool:
    """Whether the same items came in another order, by any one member."""
    columns = [(one, other)]
    if one and all(isinstance(item, dict) for item in [*one, *other]):
        columns = [([item.get(key) for item in one], [item.get(key) for item in other]) for key in one[0]]
    texts = [([json.dumps(v) for v in a], [json.dumps(v) for v in b]) for a, b in columns]
    return any(a != b and sorted(a) == sorted(b) for a, b in texts)
