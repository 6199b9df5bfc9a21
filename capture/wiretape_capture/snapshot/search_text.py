"""What a text search looks into: the texts of one row, in lower case as UTF-8 bytes. Pure.

UTF-8 is self-synchronising, so one text is part of another exactly when its bytes are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import orjson

from wiretape_capture.protocols.http import codings, decode_content
from wiretape_capture.snapshot.exchange import Headers

SEARCHED_BODY = 1 << 20
"""Bytes on the wire of the largest body that is looked into."""

type Part = tuple[str, Headers]
"""SHA-256 of a body, and the headers that say how it is coded; none for a stream's message."""


def lowered(text: str) -> bytes:
    """As texts are compared: in any case."""
    return text.lower().encode("utf-8", "surrogatepass")


def head_text(row: Mapping[str, Any]) -> bytes:
    """Target, error and headers, one a line."""
    lines: list[str] = [row["location"], row["error"]]
    for side in _sides(row):
        lines += [f"{name}: {value}" for name, value in orjson.loads(row[f"{side}_headers"])]
    return lowered("\n".join(lines))


def parts(row: Mapping[str, Any]) -> Iterator[Part]:
    """The bodies of a row that are looked into."""
    for side in _sides(row):
        if 0 < row[f"{side}_size"] <= SEARCHED_BODY:
            yield row[f"{side}_sha256"], orjson.loads(row[f"{side}_headers"])
    if row["stream"] != "[]":
        for _, _, _, size, sha256, _ in orjson.loads(row["stream"]):
            if 0 < size <= SEARCHED_BODY:
                yield sha256, ()


def coding_of(part: Part) -> str:
    """What a part's text depends on beside its bytes."""
    return ",".join(codings(part[1])) if part[1] else ""


def body_text(part: Part, data: bytes) -> bytes:
    """A body with its content codings undone; as it is where that fails."""
    with suppress(ValueError):
        data = decode_content(part[1], data)
    return lowered(data.decode("utf-8", "replace"))


def row_holds(row: Mapping[str, Any], bodies: Mapping[str, bytes], needle: bytes) -> bool:
    """Whether a row or one of its bodies, given by their hash, has the lowered text."""
    return needle in head_text(row) or any(needle in body_text(part, bodies[part[0]]) for part in parts(row))


def _sides(row: Mapping[str, Any]) -> tuple[str, ...]:
    return ("request",) if row["response_status"] is None else ("request", "response")
