"""JSON without loss: exact numbers, repeated keys noticed, and where each scalar stands in the text.

Numbers with a fraction or exponent are `Decimal`, although `JsonValue` calls them float; NaN and infinities, which
RFC 8259 does not know but Python and Ruby send, are `Decimal` too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal

import orjson
from jiter import from_json
from pydantic import JsonValue

from wiretape_replay.leaves import join

DEPTH_LIMIT = 200
"""Containers around a value: deeper documents are not read as JSON, for recursion over them could exhaust the stack.

It is jiter's own limit."""


class RepeatedKeys(dict[str, JsonValue]):
    """An object whose text repeats keys (RFC 8259 §4 leaves open what that means): it maps each to its last value."""

    earlier: dict[str, list[JsonValue]]
    """The values before the last one, by repeated key."""


def loads(text: str) -> JsonValue:
    """The value of a JSON text. Raises ValueError when it is none, or is nested too deeply."""
    try:
        value = from_json(text.encode(), allow_inf_nan=False, float_mode="decimal", catch_duplicate_keys=True,
                          cache_mode="keys")  # fmt: skip
    except ValueError:
        return _read(text)
    return value  # type: ignore[no-any-return]


def _read(text: str) -> JsonValue:
    """Reads what jiter refuses: repeated keys, NaN, half characters, huge integers. Says what is wrong with others."""
    try:
        value = _DECODER.decode(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except ArithmeticError as error:
        raise ValueError(f"a number is out of range: {error!r}") from None
    except ValueError as error:
        if isinstance(error, json.JSONDecodeError):
            raise
        value = _HUGE_DECODER.decode(text)  # an integer above Python's digit limit
    if text.count("[") + text.count("{") > DEPTH_LIMIT and _deeper(value, DEPTH_LIMIT):
        raise ValueError("nested too deeply")
    return value  # type: ignore[no-any-return]


def equal(one: JsonValue, other: JsonValue) -> bool:
    """Whether two read values are surely the same: spelt alike, keys in one order, none repeated, none a number.

    Python's own comparison takes true for 1. False where a closer look is needed, as for 1 and 1.0 or a key that may
    name another thing now.
    """
    if one != other:
        return False
    try:
        ours = orjson.dumps(one, default=_without_value, option=orjson.OPT_PASSTHROUGH_SUBCLASS)
        theirs = orjson.dumps(other, default=_without_value, option=orjson.OPT_PASSTHROUGH_SUBCLASS)
    except TypeError:
        return _same_spelling(one, other)  # half characters, integers of more than 64 bits
    return ours == theirs and _NUMBER_AS_KEY.search(ours) is None


def _without_value(number: object) -> None:
    """Of numbers that are equal already, their kind is enough. Raises TypeError for what may repeat keys."""
    if type(number) is not Decimal:
        raise TypeError


def _same_spelling(one: JsonValue, other: JsonValue) -> bool:
    """The same of two values that Python takes for equal; no deeper than `DEPTH_LIMIT`, as they were read."""
    kind = type(one)
    if kind is not type(other) or kind is RepeatedKeys:
        return False
    if isinstance(one, dict) and isinstance(other, dict):
        names = list(one)
        if names != list(other):
            return False
        for name in names:
            if name.isdecimal():
                return False
        pairs = zip(one.values(), other.values(), strict=True)
    elif isinstance(one, list) and isinstance(other, list):
        pairs = zip(one, other, strict=True)
    else:
        return True
    for ours, theirs in pairs:
        kind = type(ours)
        if kind is not type(theirs) or (kind in _CONTAINERS and not _same_spelling(ours, theirs)):
            return False
    return True


def spans(text: str) -> Iterator[tuple[str, int, int]]:
    """The pointer of each scalar in a valid JSON text, with where it starts and ends."""
    path: list[str | int] = []
    pointers = [""]
    key: str | None = None
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark in "{[":
            path.append("" if mark == "{" else 0)
            pointers.append(_below(pointers[-1], path[-1]))
        elif mark in "}]":
            path.pop()
            pointers.pop()
        elif mark == ",":
            if isinstance(path[-1], int):
                path[-1] += 1
                pointers[-1] = _below(pointers[-2], path[-1])
        elif mark == ":":
            path[-1] = json.loads(key or '""')
            pointers[-1] = _below(pointers[-2], path[-1])
            key = None
        elif mark[0] == '"' and _is_key(text, token.end()):
            key = mark
        else:
            yield pointers[-1], token.start(), token.end()


_NUMBER_AS_KEY = re.compile(rb'"[0-9\x80-\xff]+":')
"""And some other keys that are not ASCII: what is searched here is not decoded."""
_CONTAINERS: frozenset[type] = frozenset({dict, list, RepeatedKeys})
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)


def _below(pointer: str, key: str | int) -> str:
    return join(pointer, key)


def _is_key(text: str, end: int) -> bool:
    while end < len(text) and text[end] in " \t\r\n":
        end += 1
    return text[end : end + 1] == ":"


def _object(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    value = dict(pairs)
    if len(value) == len(pairs):
        return value
    marked = RepeatedKeys()
    marked.earlier = {}
    for name, each in pairs:
        if name in marked:
            marked.earlier.setdefault(name, []).append(marked[name])
        marked[name] = each
    return marked


def _deeper(value: JsonValue, limit: int) -> bool:
    """Whether something lies in more than `limit` containers; level by level takes a fifth of the time of a walk."""
    level = [value]
    for _ in range(limit + 1):
        arrays = [node for node in level if isinstance(node, list)]
        objects = [node for node in level if isinstance(node, dict)]
        level = [each for node in arrays for each in node]
        level += [each for node in objects for each in node.values()]
    return bool(level)


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=Decimal, parse_constant=Decimal)
_HUGE_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=Decimal, parse_constant=Decimal, parse_int=Decimal
)
