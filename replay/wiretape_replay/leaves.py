"""The leaves of a JSON value and their JSON Pointers (RFC 6901). It knows nothing about what a value means."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import JsonValue


def escape(key: str) -> str:
    """One reference token as it stands in a pointer (RFC 6901 §3)."""
    return key.replace("~", "~0").replace("/", "~1") if "~" in key or "/" in key else key


def unescape(token: str) -> str:
    """The object key that a reference token names."""
    return token.replace("~1", "/").replace("~0", "~") if "~" in token else token


def split(pointer: str) -> list[str]:
    """The keys of a pointer; none for the whole document."""
    return [unescape(token) for token in pointer.split("/")[1:]]


def join(pointer: str, key: str | int) -> str:
    """The pointer of a member or element below `pointer`."""
    return f"{pointer}/{key}" if isinstance(key, int) else f"{pointer}/{escape(key)}"


def leaf_name(pointer: str) -> str:
    """The nearest object key: `price` for `/items/3/price`, `tags` for `/tags/0`."""
    for token in reversed(pointer.split("/")[1:]):
        if token != "*" and not token.isdigit():
            return unescape(token)
    return ""


def walk(value: JsonValue, pointer: str = "") -> Iterator[tuple[str, JsonValue]]:
    """Each scalar and each empty container with its pointer, in document order."""
    pending: list[tuple[str, JsonValue]] = [(pointer, value)]
    while pending:
        where, node = pending.pop()
        if isinstance(node, dict) and node:
            pending.extend((join(where, key), node[key]) for key in reversed(node))
        elif isinstance(node, list) and node:
            pending.extend((join(where, index), node[index]) for index in range(len(node) - 1, -1, -1))
        else:
            yield where, node


def get(value: JsonValue, pointer: str) -> JsonValue:
    """The value at a pointer; LookupError when there is none."""
    for key in split(pointer):
        if isinstance(value, dict):
            value = value[key]
        elif isinstance(value, list) and key.isdecimal():
            value = value[int(key)]
        else:
            raise LookupError(pointer)
    return value


def kind_of(value: object) -> str:
    """The JSON type's name: `object`, `array`, `string`, `number`, `boolean` or `null`."""
    if isinstance(value, str):
        return "string"
    if isinstance(value, bool):
        return "boolean"
    if value is None:
        return "null"
    if isinstance(value, dict):
        return "object"
    return "array" if isinstance(value, list) else "number"
