"""What mitmproxy 12's HTTP/2 codec would do to an app that talks without it, undone.

A service that went away looks like one (stock answers 502 in its place), and a client that reads slowly slows the
service down (stock opens its own window to 2 GB and keeps what the client's window does not take).
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

from mitmproxy.connection import Client
from mitmproxy.proxy import events, layer
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers import http as http_layers
from mitmproxy.proxy.layers.http._events import ErrorCode, ResponseProtocolError
from mitmproxy.proxy.layers.http._http2 import Http2Server

from wiretape_capture.proxy.http1 import GONE

UNSENT_LIMIT = 8 * 1024 * 1024
"""Bytes kept for a client whose HTTP/2 window is closed before its services are no longer read."""


class RecordedHttp2Server(Http2Server):
    """Our side towards an HTTP/2 client."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        _towards[context.client] = self

    def _handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
        if isinstance(event, ResponseProtocolError) and event.code in GONE:
            event = ResponseProtocolError(event.stream_id, event.message, ErrorCode.CANCEL)
        yield from super()._handle_event(event)

    @property
    def unsent(self) -> int:
        """Bytes that wait for the client's window."""
        return sum(len(piece.data) for waiting in self.h2_conn.stream_buffers.values() for piece in waiting)


_towards: WeakKeyDictionary[Client, RecordedHttp2Server] = WeakKeyDictionary()


def congested(client: Client) -> bool:
    """Whether a client has more to read than we want to keep for it."""
    side = _towards.get(client)
    return side is not None and side.unsent > UNSENT_LIMIT


def install() -> None:
    """Have mitmproxy's HTTP layer use this connection in this process."""
    vars(http_layers).update(Http2Server=RecordedHttp2Server)
