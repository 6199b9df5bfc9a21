"""Which local ports wiretape listens on when the user names none."""

from __future__ import annotations

import errno
import socket

from wiretape_capture.errors import WiretapeError

INBOUND = 7080
PROXY = 7090
_TRIES = 200


def listen_port(wanted: int | None, first: int, flag: str) -> int:
    """`wanted` if it is free, or the first free port from `first`. Another process may still be quicker."""
    if wanted is not None:
        _check(wanted, flag)
        return wanted
    return next((port for port in range(first, first + _TRIES) if _is_free(port)), 0)


def _check(port: int, flag: str) -> None:
    try:
        _bind(port)
    except PermissionError:
        raise WiretapeError(f"port {port} needs more rights than you have", f"give {flag} a port from 1024") from None
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise WiretapeError(f"port {port} is taken", f"stop what listens there, or give {flag} another port") from None


def _is_free(port: int) -> bool:
    try:
        _bind(port)
    except OSError:
        return False
    return True


def _bind(port: int) -> None:
    with socket.socket() as probe:
        # The listeners set it too: without it a port in TIME_WAIT looks taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
