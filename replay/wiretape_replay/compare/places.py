"""Where and how answers may vary: the places and kinds that noise is counted by."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from functools import lru_cache

from pydantic import JsonValue

from wiretape_replay.leaves import join
from wiretape_replay.routes import is_identifier


class Kind(StrEnum):
    """What varies at a place."""

    VALUE = "value"
    """Another value of the same type, for no reason that the value itself gives."""
    NULL = "null"
    """Null here, a value there."""
    PRESENCE = "presence"
    """A field or header that some answers lack."""
    ORDER = "order"
    """The same items of an array in another order."""
    ITEMS = "items"
    """Other items in an array, other keys in a map."""
    RAW = "raw"
    """Any other value, whatever explains it: never noise by itself, but a place without it is deterministic."""


type Seen = dict[tuple[str, Kind], bool]
"""Whether a place differed in one answer, for each place and kind that was looked at."""

LEARNED = (Kind.VALUE, Kind.NULL, Kind.PRESENCE, Kind.ORDER, Kind.ITEMS)
"""The kinds that rules are made of."""


def template(pointer: str, key: str | int) -> str:
    """The templated pointer of a member: array positions and keys that are data become `*`."""
    return f"{pointer}/*" if isinstance(key, int) or _is_data(key) else join(pointer, key)


_is_data = lru_cache(maxsize=8192)(is_identifier)


def place_of(pointer: str, at: str, *, lines: bool) -> str:
    """The templated pointer, but with the exact position of a line of text and of an element of a tuple.

    `/rows/*/*` would be every column of a table, and `/*` every line of a page.
    """
    if lines:
        return at
    if "/*/*" not in pointer:
        return pointer
    wanted, exact = pointer.split("/"), at.split("/")
    if len(wanted) != len(exact):
        return pointer
    tuples = zip(wanted[:-1], wanted[1:], exact[1:], strict=True)
    kept = [here if (before, star) == ("*", "*") and here.isdecimal() else star for before, star, here in tuples]
    return "/".join([wanted[0], *kept])


def places_below(value: JsonValue, at: str, pointer: str) -> Iterator[tuple[str, JsonValue]]:
    """A value and all below it, each with its place."""
    pending = [(value, at, pointer)]
    while pending:
        node, here, templated = pending.pop()
        yield place_of(templated, here, lines=False), node
        if isinstance(node, dict):
            pending += [(item, join(here, key), template(templated, key)) for key, item in node.items()]
        elif isinstance(node, list):
            pending += [(item, join(here, index), f"{templated}/*") for index, item in enumerate(node)]
