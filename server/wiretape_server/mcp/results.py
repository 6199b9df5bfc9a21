"""The shape of every tool's answer: verdict first, the next call last, the same facts as fields and as text.

Some clients show the model only the fields, others only the text, so neither may hold what the other lacks.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mcp.types import CallToolResult, TextContent
from pydantic import BaseModel, ConfigDict

from wiretape_server.mcp.quoting import visible, within

ERROR_LIMIT = 2000
"""Characters: an app that cannot start is told with its last words."""


class Result(BaseModel):
    """What every structured result carries."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    summary: str
    next: str


def answer(result: Result, lines: Iterable[str] = ()) -> CallToolResult:
    """One result for both kinds of client; fields that say nothing are left out."""
    text = visible("\n".join([result.summary, *lines, f"next: {result.next}"]))
    # A null without a default is an answer: an eval that could not be judged has no value, and its schema wants one.
    fields = _visible(result.model_dump(mode="json", exclude_defaults=True))
    return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=fields)


def bytes_of(row: BaseModel) -> int:
    """What a row takes in the fields of an answer."""
    return len(row.model_dump_json(exclude_defaults=True).encode("utf-8", "replace"))


def _visible(value: Any) -> Any:
    """The value with what nobody can see written as escapes, in keys too."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, dict):
        return {visible(key): _visible(each) for key, each in value.items()}
    return [_visible(each) for each in value] if isinstance(value, list) else value


def said(error: str) -> str:
    """An error as it is told: what it repeats of an argument can be long and hold anything."""
    return visible(cut(error, ERROR_LIMIT))


def cut(text: str, limit: int) -> str:
    """`text` within `limit` bytes of UTF-8, saying how much is missing."""
    kept = within(text, limit)
    return text if kept == text else f"{kept}… (+{len(text) - len(kept)} characters)"
