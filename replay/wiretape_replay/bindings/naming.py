"""What a recording shows of its names: numbers called after what they number, numbers that only count places. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations, islice
from urllib.parse import unquote

from pydantic import JsonValue

from wiretape_capture.protocols.http import split_target
from wiretape_capture.snapshot.exchange import Exchange
from wiretape_replay.bindings.tokens import (
    Naming,
    is_id_name,
    listed_under,
    name_words,
    own_noun,
    path_noun,
    path_tokens,
)
from wiretape_replay.content import read_content
from wiretape_replay.leaves import leaf_name, split, walk
from wiretape_replay.routes import is_identifier

_FIRST = (0, 1)
"""Where people begin to count."""
_PAIRS = 50
"""Pairs of lists that are held against each other."""
_IDS = frozenset({"id", "uuid", "guid", "uid", "oid", "pk"})

type Owner = tuple[tuple[str, str], ...]
"""The identifiers of what holds a list."""
type Members = dict[str, JsonValue]


@dataclass(slots=True)
class _Counted:
    """The lists that one member was seen to count, by owner; `broken` once one of them was not counted."""

    lists: dict[Owner, list[Members]] = field(default_factory=dict)
    broken: bool = False


def naming(exchanges: Sequence[Exchange]) -> Naming:
    """The names of a recording."""
    own = _self_named(exchanges)
    return Naming(own, _ordinals(exchanges))


def _self_named(exchanges: Sequence[Exchange]) -> frozenset[str]:
    """Nouns whose own name is that of their identifier: `{"rooms": [{"room": 101}]}`, as `/rooms/101` proves."""
    paths = (split_target(each.request.target)[0] for each in exchanges)
    tokens = [token for path in paths for token in path_tokens(unquote(path)) if not token.distinctive]
    addressed = {(noun, token.value) for token in tokens for noun in token.nouns}
    found: set[str] = set()
    for path, tree in _answers(exchanges) if addressed else ():
        for pointer, value in walk(tree):
            name = leaf_name(pointer)
            noun = own_noun(name)
            if (noun, str(value)) in addressed and not is_id_name(name) and listed_under(split(pointer), path) == noun:
                found.add(noun)
    return frozenset(found)


def _ordinals(exchanges: Sequence[Exchange]) -> frozenset[tuple[str, str]]:
    """Members that begin to count anew in the list of each owner: `no` of the parcels of two shipments.

    One list that counts proves nothing, for the first rows of a table do so too; nor do lists that have the same
    elements under the same numbers, for those may be rows that both owners share.
    """
    counted: dict[tuple[str, str], _Counted] = {}
    for path, tree in _answers(exchanges):
        for keys, owner, elements in _lists(tree, path):
            noun = listed_under([*keys, "0", ""], path)
            for name in elements[0] if noun else ():
                if is_id_name(name):
                    _count(counted.setdefault((noun, name), _Counted()), owner, elements, name)
    return frozenset(key for key, each in counted.items() if not each.broken and _begins_anew(each, key[1]))


def _count(counted: _Counted, owner: Owner, elements: list[Members], name: str) -> None:
    values = [element.get(name) for element in elements]
    first = values[0]
    if not (type(first) is int and first in _FIRST and values == [*range(first, first + len(values))]):
        counted.broken = True
    elif owner:
        counted.lists.setdefault(owner, elements)


def _begins_anew(counted: _Counted, name: str) -> bool:
    some = islice(combinations(counted.lists.values(), 2), _PAIRS)
    pairs = [pair for ours, theirs in some for pair in zip(ours, theirs, strict=False)]
    return bool(pairs) and 2 * sum(_others(a, name) != _others(b, name) for a, b in pairs) > len(pairs)


def _others(element: Members, name: str) -> Members:
    return {key: value for key, value in element.items() if key != name}


def _lists(tree: JsonValue, path: str) -> Iterator[tuple[list[str], Owner, list[Members]]]:
    """The lists of objects in a body: where they stand, whose they are, their elements."""
    pending: list[tuple[JsonValue, list[str], Owner]] = [(tree, [], _path_owner(path))]
    while pending:
        value, keys, owner = pending.pop()
        if isinstance(value, dict):
            owner = _own_ids(value, keys, path) or owner
            below = [(name, each) for name, each in value.items() if isinstance(each, dict | list)]
        elif isinstance(value, list):
            elements = [each for each in value if isinstance(each, dict)]
            if elements and len(elements) == len(value):
                yield keys, owner, elements
            below = [(str(index), each) for index, each in enumerate(value) if isinstance(each, dict | list)]
        else:
            below = []
        pending += [(each, [*keys, key], owner) for key, each in below]


def _own_ids(members: Members, keys: list[str], path: str) -> Owner:
    """What identifies an object, and not the message that it came in: the number of a request is new each time."""
    if "jsonrpc" in members:
        return ()
    parents = [key for key in keys if not key.isdecimal()]
    mine = {path_noun(path), *(own_noun(key) for key in parents[-1:])}
    return tuple((name, str(value)) for name, value in members.items()
                 if isinstance(value, str | int) and is_id_name(name) and _is_own(name, mine))  # fmt: skip


def _is_own(name: str, nouns: set[str]) -> bool:
    words = name_words(name)
    return words[-1] in _IDS and (len(words) == 1 or own_noun("_".join(words[:-1])) in nouns)


def _path_owner(path: str) -> Owner:
    return tuple(("", segment) for segment in path.split("/") if is_identifier(segment))


def _answers(exchanges: Iterable[Exchange]) -> Iterator[tuple[str, JsonValue]]:
    """Path and body of each answer with a structure."""
    for each in exchanges:
        if each.response is not None and each.response.status < 400:
            content = read_content(each.response.headers, each.response.body)
            if content.kind in ("json", "ndjson"):
                yield split_target(each.request.target)[0], content.tree
