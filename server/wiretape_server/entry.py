"""Entry of the `wiretape` script: an agent's hook is answered without the command line, whose imports it would feel."""

from __future__ import annotations

import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run this process's command line."""
    words = sys.argv[1:]
    if words[:1] == ["hook"] and (len(words) == 1 or (len(words) == 3 and words[1] == "--client")):
        from wiretape_server.hook.main import CLIENTS, main

        client = words[2] if len(words) == 3 else CLIENTS[0]
        if client in CLIENTS:
            sys.exit(main(client))
    from wiretape_server.cli.main import main as command_line

    command_line()
