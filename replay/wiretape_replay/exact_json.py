"""JSON without loss: exact numbers, repeated keys noticed, and where each scalar stands in the text.

Numbers with a fraction or exponent are `Decimal`, although `JsonValue` calls them float; NaN and infinities, which
RFC 8259 does not know but Python and Ruby send, are `Decimal` too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal

from pydantic import JsonValue

from wiretape_replay.leaves import join

DEPTH_LIMIT = 200
"""Deeper documents are not read as JSON: recursion over them could exhaust the stack."""


class RepeatedKeys(dict[str, JsonValue]):
    """An object whose text repeats keys (RFC 8259 §4 leaves open what that means): it maps each to its last value."""

    earlier: dict[str, list[JsonValue]]
    """The values before the last one, by repeated key."""


def loads(text: str) -> JsonValue:
    """The value of a JSON text. Raises ValueError when it is none, or is nested too deeply."""
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
    if text.count("[") + text.count("{") > DEPTH_LIMIT and _depth(value) > DEPTH_LIMIT:
        raise ValueError("nested too deeply")
    return value  # type: ignore[no-any-return]


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


def _depth(value: JsonValue) -> int:
    deepest, pending = 0, [(value, 1)]
    while pending:
        node, depth = pending.pop()
        if isinstance(node, dict | list):
            deepest = max(deepest, depth)
            pending.extend((item, depth + 1) for item in (node.values() if isinstance(node, dict) else node))
    return deepest


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=Decimal, parse_constant=Decimal)
_HUGE_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=Decimal, parse_constant=Decimal, parse_int=Decimal
)
