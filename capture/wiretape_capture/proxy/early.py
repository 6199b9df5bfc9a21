"""Requests that come to the inbound port before the app listens: they wait for it, and are not recorded if in vain.

Bound: `MOST` connections are held; further ones wait in the port's backlog.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress

from wiretape_capture.tee.dial import has_ended, peek

PATIENCE = 30.0
"""Seconds that a request waits for the app."""
MOST = 256
NOTE = "requests that came before the app listened on port {} and were not recorded"
ANSWER = "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}"


class EarlyRequests:
    """The connections at a listening socket until the app is there: `take` them then, or `end` them."""

    def __init__(self, listening: socket.socket, app_port: int, note: Callable[[str], None]) -> None:
        self._listening = listening
        self._app_port = app_port
        self._note = note
        self._held: dict[socket.socket, asyncio.TimerHandle] = {}
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(listening, self._accept)

    def take(self) -> list[socket.socket]:
        """The connections whose client still waits, in the order in which they came. No more are accepted here."""
        self._stop()
        waiting = [each for each in self._held if not has_ended(each)]
        for each in self._held.keys() - set(waiting):
            self._drop(each)
        for timer in self._held.values():
            timer.cancel()
        self._held.clear()
        return waiting

    def end(self) -> None:
        """The app does not come any more."""
        self._stop()
        for each in list(self._held):
            self._drop(each)

    def _stop(self) -> None:
        self._accept()
        self._loop.remove_reader(self._listening)

    def _accept(self) -> None:
        while len(self._held) < MOST:
            try:
                accepted, _ = self._listening.accept()
            except BlockingIOError:
                return
            except OSError:  # no more files
                break
            accepted.setblocking(False)
            self._held[accepted] = self._loop.call_later(PATIENCE, self._drop, accepted)
        self._loop.remove_reader(self._listening)

    def _drop(self, waiting: socket.socket) -> None:
        """Tell a client that nobody is here, and count its request; one that only looked at the port asked nothing."""
        self._held.pop(waiting).cancel()
        with suppress(OSError), waiting:
            if not peek(waiting, 1):
                return
            self._note(NOTE.format(self._app_port))
            text = f"wiretape: the app does not listen on port {self._app_port} yet; this request was not recorded\n"
            waiting.recv(1 << 16)  # what is unread at the end would reset the connection before the answer is read
            waiting.send(ANSWER.format(len(text), text).encode())
