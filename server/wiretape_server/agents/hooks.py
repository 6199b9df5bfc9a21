"""What an agent's hook file says: which of its events run `wiretape hook`."""

from __future__ import annotations

from typing import Any

from wiretape_server.agents.catalogue import HookFile, Scope
from wiretape_server.agents.command import hook_command

STOP_SECONDS = 600
"""A verdict may take a while; `wiretape hook` itself gives up a minute earlier and says so."""
EDIT_SECONDS = 30


def element(hooks: HookFile, event: str, scope: Scope) -> dict[str, Any]:
    """The element of the list of `event`."""
    command = hook_command(scope, hooks.client)
    if hooks.client == "cursor":
        return {"command": command, "timeout": STOP_SECONDS, "loop_limit": 3}
    seconds = STOP_SECONDS if event == hooks.stop else EDIT_SECONDS
    # Gemini CLI counts milliseconds.
    handler = {"type": "command", "command": command, "timeout": seconds * (1000 if hooks.client == "gemini" else 1)}
    matcher = {"matcher": hooks.edited[1]} if hooks.edited and event == hooks.edited[0] else {}
    return {**matcher, "hooks": [handler]}
