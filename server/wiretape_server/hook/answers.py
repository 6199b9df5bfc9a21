"""What each agent sends its hooks and wants to hear from them. Pure; imports nothing that costs time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

CLIENTS = ("claude", "codex", "gemini", "cursor")
STOP_EVENTS = frozenset({"Stop", "AfterAgent", "stop"})
EDIT_EVENTS = frozenset({"PostToolUse", "AfterTool", "afterFileEdit", "postToolUse"})


@dataclass(frozen=True)
class Call:
    """One call of a hook."""

    kind: Literal["stop", "edited", "other"]
    event: str
    folder: str
    """Where the agent works; empty where it does not say."""
    session: str
    again: bool
    """The agent goes on because a hook of this turn said so."""


def call(client: str, said: Mapping[str, Any]) -> Call:
    """The call that `said`, the JSON of stdin, stands for."""
    event = _text(said, "hook_event_name")
    kind: Literal["stop", "edited", "other"] = (
        "stop" if event in STOP_EVENTS else "edited" if event in EDIT_EVENTS else "other"
    )
    if client == "cursor":
        if kind == "stop" and said.get("status", "completed") != "completed":
            kind = "other"  # the user stopped it, or it broke: nothing to go on with
        roots = said.get("workspace_roots")
        folder = roots[0] if isinstance(roots, list) and roots and isinstance(roots[0], str) else ""
        count = said.get("loop_count")
        return Call(kind, event, folder, _text(said, "conversation_id"), isinstance(count, int) and count > 0)
    return Call(kind, event, _text(said, "cwd"), _text(said, "session_id"), said.get("stop_hook_active") is True)


def go_on(client: str, reason: str) -> dict[str, Any]:
    """Do not stop: `reason` is for the model."""
    if client == "cursor":
        return {"followup_message": reason}
    return {"decision": "deny" if client == "gemini" else "block", "reason": reason}


def tell(client: str, message: str) -> dict[str, Any]:
    """Stop, and show the user `message`. Cursor shows nothing, so it is told nothing."""
    return {} if client == "cursor" else {"systemMessage": message}


def remind(client: str, event: str, message: str) -> dict[str, Any]:
    """Go on, and know this."""
    if client == "cursor":
        return {"additional_context": message}
    return {"hookSpecificOutput": {"hookEventName": event, "additionalContext": message}}


def _text(said: Mapping[str, Any], name: str) -> str:
    value = said.get(name)
    return value if isinstance(value, str) else ""
