"""The one sentence of each kind of difference."""

from __future__ import annotations

import json
from decimal import Decimal

from pydantic import JsonValue

from wiretape_replay.apart import apart, cut
from wiretape_replay.leaves import kind_of

VALUE_LIMIT = 200
"""Longest example value that a finding carries."""
SAID_LIMIT = 60
"""Longest value inside a sentence."""


def shown(value: JsonValue) -> JsonValue:
    """A value fit for any JSON writer: exact numbers readable, long texts cut, lone surrogates escaped."""
    if isinstance(value, str):
        return cut(_escaped(value), VALUE_LIMIT)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, Decimal):
        return float(value) if value.is_finite() and str(float(value)) == str(value) else str(value)
    if isinstance(value, int):
        return value if abs(value) < 1 << 53 else str(value)
    if isinstance(value, dict | list):
        text = json.dumps(_plain(value, 6), ensure_ascii=True, default=str)
        return _plain(value, 6) if len(text) <= VALUE_LIMIT else f"{text[: VALUE_LIMIT - 1]}…"
    return value


def said(value: JsonValue) -> str:
    """A value inside a sentence, at most sixty characters."""
    text = json.dumps(shown(value), ensure_ascii=False) if not isinstance(value, Decimal) else str(value)
    return cut(text, SAID_LIMIT)


def shown_pair(one: JsonValue, other: JsonValue) -> tuple[JsonValue, JsonValue]:
    """Both as `shown`; of long texts, where they differ."""
    if isinstance(one, str) and isinstance(other, str):
        return apart(_escaped(one), _escaped(other), VALUE_LIMIT, VALUE_LIMIT)
    return shown(one), shown(other)


def said_pair(one: JsonValue, other: JsonValue) -> tuple[str, str]:
    """Both inside a sentence as `said`; of long texts, where they differ."""
    if isinstance(one, str) and isinstance(other, str):
        return apart(_quoted(one), _quoted(other), SAID_LIMIT, SAID_LIMIT)
    return said(one), said(other)


def kind_said(value: JsonValue) -> str:
    """The type inside a sentence: `the string "7"`, `null`."""
    return "null" if value is None else f"the {kind_of(value)} {said(value)}"


def _escaped(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def _quoted(text: str) -> str:
    return json.dumps(_escaped(text), ensure_ascii=False)


def _plain(value: JsonValue, depth: int) -> JsonValue:
    if isinstance(value, dict):
        return {str(shown(k)): _plain(v, depth - 1) for k, v in list(value.items())[:20]} if depth else "…"
    if isinstance(value, list):
        return [_plain(item, depth - 1) for item in value[:20]] if depth else "…"
    return shown(value)
