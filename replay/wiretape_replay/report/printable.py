"""Recorded text made safe and short enough to show: no control characters, no line breaks, cut with a mark."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

import orjson
from pydantic import JsonValue

CUT = "…"


def printable(text: str) -> str:
    """The text on one line without anything that a terminal obeys: escape sequences arrive in recorded traffic."""
    return text if text.isprintable() else "".join(map(_visible, text))


def cut(text: str, width: int) -> str:
    """At most `width` characters, the last of which says that some are missing."""
    return text if len(text) <= width else text[: max(width - 1, 0)] + CUT


def value_text(value: JsonValue, width: int = 60) -> str:
    """A JSON value as short JSON."""
    return cut(printable(orjson.dumps(value).decode()), width)


def wrapped(text: str, indent: str, width: int = 80) -> list[str]:
    """Lines of at most `width` columns, each after `indent`."""
    return textwrap.wrap(printable(text), width, initial_indent=indent, subsequent_indent=indent)


def plural(count: int, noun: str) -> str:
    """`1 eval`, `2 evals`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def listed(parts: Iterable[str]) -> str:
    """The parts that are not empty, separated by commas."""
    return ", ".join(part for part in parts if part)


def _visible(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()
