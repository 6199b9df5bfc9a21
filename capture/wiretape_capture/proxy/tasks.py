"""Tasks of mitmproxy's core that start at once, as under mitmproxy's own task factory: it makes one for every hook.

Only its core is given them. A factory for the whole loop breaks what else runs there: anyio does not expect it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any

from mitmproxy.proxy import server

_alive: set[asyncio.Task[Any]] = set()


def start(coroutine: Coroutine[Any, Any, Any], **_debug_names: object) -> asyncio.Task[Any]:
    """Run a coroutine up to its first wait, then as a task; the loop itself holds tasks only weakly."""
    task = asyncio.Task(coroutine, loop=asyncio.get_running_loop(), eager_start=True)
    if not task.done():
        _alive.add(task)
        task.add_done_callback(_alive.discard)
    return task


def install() -> None:
    """Have mitmproxy's connections in this process use these tasks, without names for its debugger."""
    vars(server).update(
        asyncio_utils=SimpleNamespace(create_task=start, set_current_task_debug_info=lambda **_names: None)
    )
