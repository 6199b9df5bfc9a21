"""Entry of the `wiretape` script: hooks and handshakes are answered without the imports that agents would feel."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import NoReturn


def main() -> NoReturn:
    """Run this process's command line."""
    words = sys.argv[1:]
    if words[:1] == ["hook"] and (len(words) == 1 or (len(words) == 3 and words[1] == "--client")):
        from wiretape_server.hook.main import CLIENTS, main

        client = words[2] if len(words) == 3 else CLIENTS[0]
        if client in CLIENTS:
            sys.exit(main(client))
    if words[:1] == ["mcp"]:
        from wiretape_server.mcp import ahead

        with suppress(OSError):  # without stdin or stdout there is no client; the command line opens them
            ahead.begin(words[1:], Path.cwd())
    from wiretape_server.cli.main import main as command_line

    command_line()
