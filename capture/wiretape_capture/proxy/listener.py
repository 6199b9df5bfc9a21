"""Listening sockets of the recorder and the mitmproxy core behind each of their connections."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from mitmproxy import connection as mitm
from mitmproxy.options import Options
from mitmproxy.proxy import commands, events, server
from mitmproxy.proxy.mode_specs import ProxyMode

from wiretape_capture.errors import WiretapeError
from wiretape_capture.proxy.http1 import COUNTED
from wiretape_capture.proxy.http2 import congested
from wiretape_capture.proxy.routing import first_layer
from wiretape_capture.tee.route import Aim

LOOPBACK = "127.0.0.1"
TRIES = 200
"""Ports that are looked at for a free one."""

type Hooks = Mapping[str, Sequence[Callable[[Any], Any]]]
"""Functions by mitmproxy hook name, called in order."""


@dataclass(frozen=True)
class Port:
    """One listener: `kind` is `forward`, `reverse` or `raw`; `flag` is what the user changes when the port is taken.

    A `tunnel` is what came through a `forward` one already.
    """

    kind: str
    number: int
    flag: str
    options: Options
    scheme: str = "http"
    address: tuple[str, int] | None = None
    first: int = 0
    """With `number` 0: where to begin to look for a free port."""

    @property
    def mode(self) -> ProxyMode:
        """What mitmproxy calls it."""
        if self.kind in ("forward", "tunnel") or self.address is None:
            return ProxyMode.parse("regular")
        host = f"[{self.address[0]}]" if ":" in self.address[0] else self.address[0]
        return ProxyMode.parse(f"reverse:{self.scheme}://{host}:{self.address[1]}")


class Connection(server.LiveConnectionHandler):
    """One client connection with its connections to services."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: Port, hooks: Hooks,
                 number: int) -> None:  # fmt: skip
        super().__init__(reader, writer, port.options, port.mode)
        if not isinstance(self.client.sockname, tuple):  # a local socket, behind which the tee has the client
            self.client.peername = self.client.sockname = (LOOPBACK, number)
        self._hooks = hooks
        self._client_spoke = asyncio.Event()
        context = self.layer.context
        context.layers.clear()
        self.layer = first_layer(context, kind=port.kind, address=port.address)

    async def server_event(self, event: events.Event) -> None:
        """Stamp what arrives from a service before anything is parsed: its latency must not include ours."""
        from_client = isinstance(event, events.ConnectionEvent) and event.connection is self.client
        if isinstance(event, events.DataReceived) and not from_client:
            for function in self._hooks["arrived"]:
                function(event.connection)
        await super().server_event(event)
        if from_client:
            self._client_spoke.set()

    async def handle_connection(self, connection: mitm.Connection) -> None:
        """Read until the end; not at once, for a client that has gone already would be forgotten before it is known."""
        if connection is self.client:
            await asyncio.sleep(0)
        await super().handle_connection(connection)

    async def drain_writers(self) -> None:
        """Wait before the next read; a service also waits for an HTTP/2 client that does not take its data."""
        await super().drain_writers()  # type: ignore[no-untyped-call]
        client = self.transports.get(self.client)
        while client is not None and client.handler is not asyncio.current_task() and congested(self.client):
            self._client_spoke.clear()
            await self._client_spoke.wait()

    async def handle_hook(self, hook: commands.StartHook) -> None:
        """Call our functions of this name; an addon manager would ask every addon for every hook."""
        (data,) = hook.args()
        for function in self._hooks.get(hook.name, ()):
            function(data)

    def cut(self) -> None:
        """End the connection and those behind it."""
        for transport in list(self.transports.values()):
            if transport.handler is not None:
                transport.handler.cancel("the recording ended")


class Listener:
    """An open port."""

    def __init__(self, port: Port, hooks: Hooks) -> None:
        self._port = port
        self._hooks = hooks
        self._server: asyncio.Server | None = None
        self._number = 0
        self._connections: dict[Connection, asyncio.Task[None]] = {}

    def bind(self) -> int:
        """Open the port on loopback; returns its number. Connections wait until somebody accepts them."""
        self.socket = bound_from(self._port.first) or bound(self._port.number, self._port.flag)
        self._number = self.socket.getsockname()[1]
        return self._number

    async def accept(self) -> None:
        """Accept connections here."""
        self._server = await asyncio.start_server(self._accept, sock=self.socket)

    async def adopt(self, accepted: socket.socket, aim: Aim | None) -> None:
        """Take a connection that another process accepted; with an aim, it is what a tunnel to there carries."""
        port = self._port if aim is None else self._inside(accepted, aim)
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, accepted)
        await self._carry(reader, asyncio.StreamWriter(transport, protocol, reader, loop), port)

    def _inside(self, accepted: socket.socket, aim: Aim) -> Port:
        """What comes through a local socket has left its TLS already; it goes on in TLS of our own."""
        taken = accepted.family == socket.AF_UNIX and aim.scheme == "https"
        return replace(
            self._port, kind="reverse" if taken else "tunnel", scheme=aim.scheme, address=(aim.host, aim.port)
        )

    @property
    def port(self) -> Port:
        """What it was opened for."""
        return self._port

    def point_to(self, host: str) -> None:
        """Send new connections to this host, on the same port as before."""
        assert self._port.address is not None
        self._port = replace(self._port, address=(host, self._port.address[1]))

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._carry(reader, writer, self._port)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: Port) -> None:
        connection = Connection(reader, writer, port, self._hooks, self._number)
        task = asyncio.current_task()
        assert task is not None
        self._connections[connection] = task
        try:
            await connection.handle_client()
        finally:
            del self._connections[connection]

    async def close(self) -> None:
        """Stop listening and end every connection."""
        if self._server is not None:
            self._server.close()
        else:
            self.socket.close()
        tasks = list(self._connections.values())
        for connection in list(self._connections):
            connection.cut()
        if tasks:
            await asyncio.wait(tasks, timeout=2.0)


def bound_from(first: int) -> socket.socket | None:
    """A socket on the first free port from `first`: bound while looking, so that two recorders cannot pick the same."""
    for number in range(first, first + TRIES) if first else ():
        with suppress(WiretapeError):
            return bound(number, "")
    return None


def bound(number: int, flag: str) -> socket.socket:
    """A listening loopback socket, or a sentence about why there is none."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((LOOPBACK, number))
        listening.listen(1024)
    except OSError as error:
        listening.close()
        raise _not_bound(number, flag, error) from None
    listening.setblocking(False)
    return listening


def _not_bound(number: int, flag: str, error: OSError) -> WiretapeError:
    if error.errno == errno.EADDRINUSE:
        return WiretapeError(f"port {number} is taken, perhaps by another recording",
                             f"stop what listens there or choose another port with {flag}")  # fmt: skip
    if error.errno == errno.EACCES:
        return WiretapeError(f"permission denied: port {number} is reserved for root",
                             f"choose a port above 1023 with {flag}")  # fmt: skip
    return WiretapeError(f"port {number} cannot be opened: {error.strerror}", f"choose another port with {flag}")


class CrashLog(logging.Handler):
    """mitmproxy reports its own failures only to its log; each one ended a connection of the app."""

    def __init__(self, note: Callable[[str], None]) -> None:
        super().__init__(logging.ERROR)
        self._note = note

    def emit(self, record: logging.LogRecord) -> None:
        """Count one failure."""
        text = record.getMessage()
        if text not in COUNTED:
            error = record.exc_info[1] if record.exc_info else None
            if error is not None:
                traceback.print_exception(error)  # stderr is the job's log
                text = f"{type(error).__name__}: {error}"
            text = f"connections that failed inside the recorder ({text})"
        self._note(text)
