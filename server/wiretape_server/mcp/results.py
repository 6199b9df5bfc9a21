"""The shape of every tool's answer: verdict first, the next call last, the same facts as fields and as text.

Some clients show the model only the fields, others only the text, so neither may hold what the other lacks.
"""

from __future__ import annotations

from collections.abc import Iterable

from mcp.types import CallToolResult, TextContent
from pydantic import BaseModel, ConfigDict


class Result(BaseModel):
    """What every structured result carries."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    summary: str
    next: str


def answer(result: Result, lines: Iterable[str] = ()) -> CallToolResult:
    """One result for both kinds of client; fields that say nothing are left out."""
    text = "\n".join([result.summary, *lines, f"next: {result.next}"])
    # A null without a default is an answer: an eval that could not be judged has no value, and its schema wants one.
    fields = result.model_dump(mode="json", exclude_defaults=True)
    return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=fields)


def cut(text: str, limit: int) -> str:
    """`text` within `limit` characters, saying how much is missing."""
    return text if len(text) <= limit else f"{text[:limit]}… (+{len(text) - limit} characters)"
