"""How a process beside the recorder begins: two local sockets as its arguments, its loop, its limits."""

from __future__ import annotations

import gc
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress

import uvloop

FILES = 65_536

type Main = Callable[[socket.socket, socket.socket], Coroutine[None, None, None]]
"""Takes the control socket and that for data, both not blocking; ends when the recorder does."""


def run(main: Main) -> int:
    """Run until the recorder ends it."""
    # The recorder ends it by its sockets; a Ctrl-C in the terminal is meant for the recorder.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _allow_many_connections()
    control, data = (socket.socket(fileno=int(number)) for number in sys.argv[1:3])
    for one in (control, data):
        os.set_inheritable(one.fileno(), False)
        one.setblocking(False)
    # Only connections are cyclic garbage, and they are few beside what comes and goes with each exchange.
    gc.set_threshold(100_000, 20, 20)
    gc.collect()
    gc.freeze()
    uvloop.run(main(control, data))
    return 0


def _allow_many_connections() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
