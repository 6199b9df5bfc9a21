"""Links that install the server in an editor with one click."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

from wiretape_server.agents.catalogue import BY_NAME, SERVER

WORDS = ("wiretape", "mcp")


def cursor() -> str:
    """Opens Cursor."""
    return f"cursor://anysphere.cursor-deeplink/mcp/install?name={SERVER}&config={_cursor_entry()}"


def cursor_web() -> str:
    """The same for pages that take no other scheme than https."""
    return f"https://cursor.com/en/install-mcp?name={SERVER}&config={_cursor_entry()}"


def vscode() -> str:
    """Opens VS Code."""
    return f"https://vscode.dev/redirect/mcp/install?name={SERVER}&config={quote(_entry('vscode'), safe='')}"


def _cursor_entry() -> str:
    return quote(base64.b64encode(_entry("cursor").encode()).decode(), safe="")


def _entry(agent: str) -> str:
    server = BY_NAME[agent].server
    assert server is not None
    return json.dumps(server.entry(WORDS), separators=(",", ":"))
