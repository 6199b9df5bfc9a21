"""Which protocol follows on a connection: HTTP proxy or SOCKS5 on one port, HTTP/2 by prior knowledge, raw bytes."""

from __future__ import annotations

from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers import HttpLayer, TCPLayer, modes
from mitmproxy.proxy.layers.http import HTTPMode

from wiretape_capture.proxy.addons import NextLayer

PREFACE = b"PRI * HTTP/2.0\r\n"
SOCKS5 = 0x05


class ProxyEntry(layer.Layer):
    """The forward proxy's first layer: a first byte of 5 is SOCKS5 (RFC 1928), anything else is HTTP."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        # The layers below look at their own stack, which begins with the one that is chosen here.
        context.layers.remove(self)

    def _handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
        if isinstance(event, events.DataReceived):
            entry = modes.Socks5Proxy if event.data[0] == SOCKS5 else modes.HttpProxy
            child = entry(self.context)
            self._handle_event = child.handle_event  # type: ignore[method-assign]
            yield from child.handle_event(events.Start())
            yield from child.handle_event(event)
        elif isinstance(event, events.ConnectionClosed):
            yield commands.CloseConnection(event.connection)


class ProtocolChoice(NextLayer):
    """mitmproxy's choice, plus HTTP/2 without TLS, which it refuses (its issue 6998)."""

    def next_layer(self, nextlayer: layer.NextLayer) -> None:
        """Set the layer that follows, or leave it unset until more bytes are there."""
        sent: bytes = nextlayer.data_client()  # type: ignore[no-untyped-call]
        if nextlayer.layer is None and sent.startswith(PREFACE):
            context = nextlayer.context
            context.client.alpn = context.server.alpn = b"h2"
            nextlayer.layer = HttpLayer(context, HTTPMode.transparent)
        elif sent or not is_settings(nextlayer.data_server()):  # type: ignore[no-untyped-call]
            super().next_layer(nextlayer)


def is_settings(received: bytes) -> bool:
    """Whether a service spoke first and began with an HTTP/2 SETTINGS frame, which its client may not have answered."""
    return received[3:4] == b"\x04" and received[5:9] == bytes(4)


def first_layer(context: Context, *, kind: str, address: tuple[str, int] | None) -> layer.Layer:
    """The first layer of a new connection on a listener of this kind: `forward`, `reverse`, `raw` or `tunnel`."""
    match kind:
        case "forward":
            return ProxyEntry(context)
        case "raw":
            context.server.address = address
            return TCPLayer(context)
        case "tunnel":
            context.server.address = address
            return modes.TransparentProxy(context)
        case _:
            return modes.ReverseProxy(context)
