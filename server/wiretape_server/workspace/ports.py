"""Which local ports wiretape looks from when the user names none, and whether one that was named is free."""

from __future__ import annotations

import errno
import socket

from wiretape_capture.errors import WiretapeError

INBOUND = 7080
PROXY = 7090


def checked_port(wanted: int, flag: str) -> int:
    """`wanted` if it is free; another process may still be quicker, and the job that binds it says so too."""
    try:
        _bind(wanted)
    except PermissionError:
        raise WiretapeError(f"port {wanted} needs more rights than you have", f"give {flag} a port from 1024") from None
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise WiretapeError(f"port {wanted} is taken",
                            f"stop what listens there, or give {flag} another port") from None  # fmt: skip
    return wanted


def _bind(port: int) -> None:
    with socket.socket() as probe:
        # The listeners set it too: without it a port in TIME_WAIT looks taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
