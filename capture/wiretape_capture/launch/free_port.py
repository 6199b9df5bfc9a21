"""Ports for servers that begin to listen a moment later."""

from __future__ import annotations

import random
import socket

CHOICE = range(11_000, 32_000)
"""Below the ports that systems give to outgoing connections (Linux 32768 to 60999, RFC 6335 49152 to 65535).

A port that bind(0) gave comes from that range: until the server listens, any connection of the machine may take it.
"""
TRIES = 100
"""Ports looked at before any other one is taken."""
_given: set[int] = set()
"""Ports that were given out by this process, whose servers may not listen yet."""


def free_port(choice: range = CHOICE) -> int:
    """A port of loopback on which nobody listens now, and which no outgoing connection takes before the server does.

    Where none that it looks at is free it is any free one.
    """
    for port in random.sample(choice, min(TRIES, len(choice))):
        if port not in _given and _is_free(port):
            _given.add(port)
            return port
    return _any_port()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _any_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
