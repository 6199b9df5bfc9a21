"""What mitmproxy 12's HTTP/1 codec would do to an app that talks without it, undone.

Chunked trailers pass (stock raises NotImplementedError), 1xx responses do not end the exchange (stock takes 103 for
the answer), and a peer that went away looks like one (stock answers 502 in its place).
"""

from __future__ import annotations

from logging import ERROR
from typing import Any

import h11
from mitmproxy import http
from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.layers import http as http_layers
from mitmproxy.proxy.layers.http._base import HttpEvent, ReceiveHttp
from mitmproxy.proxy.layers.http._events import (
    ErrorCode,
    RequestEndOfMessage,
    RequestTrailers,
    ResponseEndOfMessage,
    ResponseProtocolError,
    ResponseTrailers,
)
from mitmproxy.proxy.layers.http._http1 import Http1Client, Http1Connection, Http1Server

GONE = (ErrorCode.CONNECT_FAILED, ErrorCode.GENERIC_SERVER_ERROR)
"""Errors of a service that is not there: the client gets the closed connection that it would have got."""


INFORMATIONAL = "informational responses (1xx) that passed and were not recorded"
MALFORMED = "requests that are not HTTP/1 and were answered with 400 by the recorder"

COUNTED = frozenset({INFORMATIONAL, MALFORMED})
"""What these connections log to have it counted; anything else that is logged as an error is a failure."""


class TrailingConnection(Http1Connection):
    """An HTTP/1 connection that carries chunked trailers (RFC 9112 §7.1.2)."""

    ReceiveTrailers: type[RequestTrailers | ResponseTrailers]
    held_trailers: http.Headers | None = None

    def read_body(self, event: events.Event) -> layer.CommandGenerator[None]:
        """Read body chunks, then trailers, then the end of the message."""
        assert self.stream_id is not None
        while True:
            try:
                item = self.body_reader(self.buf) if isinstance(event, events.DataReceived) else self._at_eof()
            except h11.ProtocolError as error:
                yield commands.CloseConnection(self.conn)
                yield ReceiveHttp(
                    self.ReceiveProtocolError(self.stream_id, f"HTTP/1 protocol error: {error}",
                                              code=self.ReceiveProtocolError.code)
                )  # fmt: skip
                return
            if item is None:
                return
            if isinstance(item, h11.Data):
                if item.data:
                    yield ReceiveHttp(self.ReceiveData(self.stream_id, bytes(item.data)))
                continue
            yield from self._end_of_body(item)
            return

    def _at_eof(self) -> Any:
        return self.body_reader.read_eof()

    def _end_of_body(self, end: h11.EndOfMessage) -> layer.CommandGenerator[None]:
        assert self.request is not None
        assert self.stream_id is not None
        if end.headers:
            fields = list(end.headers.raw_items())
            yield ReceiveHttp(self.ReceiveTrailers(self.stream_id, http.Headers(fields)))
        if self.request.data.method.upper() != b"CONNECT":
            yield ReceiveHttp(self.ReceiveEndOfMessage(self.stream_id))
        is_request = isinstance(self, Http1Server)
        yield from self.mark_done(request=is_request, response=not is_request)

    def last_chunk(self, message: http.Message | None) -> bytes | None:
        """The last chunk with the held trailers, or None when there are none to send."""
        if not self.held_trailers or message is None:
            return None
        if "chunked" not in message.headers.get("transfer-encoding", "").lower():
            return None
        return b"0\r\n" + bytes(self.held_trailers) + b"\r\n"


class RecordedHttp1Server(TrailingConnection, Http1Server):
    """Our side towards the client."""

    ReceiveTrailers = RequestTrailers
    stream_id: int

    def send(self, event: HttpEvent) -> layer.CommandGenerator[None]:
        """Send a part of the response."""
        if isinstance(event, ResponseTrailers):
            self.held_trailers = event.trailers
        elif isinstance(event, ResponseEndOfMessage) and (last := self.last_chunk(self.response)) is not None:
            self.held_trailers = None
            yield commands.SendData(self.conn, last)
            yield from self.mark_done(response=True)
        elif isinstance(event, ResponseProtocolError) and event.code in GONE:
            yield commands.CloseConnection(self.conn)
        else:
            yield from super().send(event)

    def read_headers(self, event: events.ConnectionEvent) -> layer.CommandGenerator[None]:
        """Read a request head; one that cannot be parsed is refused here and never becomes an exchange."""
        for command in super().read_headers(event):
            if isinstance(command, commands.SendData) and self.request is None:
                yield commands.Log(MALFORMED, ERROR)
            yield command


class RecordedHttp1Client(TrailingConnection, Http1Client):
    """Our side towards the service."""

    ReceiveTrailers = ResponseTrailers

    def send(self, event: HttpEvent) -> layer.CommandGenerator[None]:
        """Send a part of the request."""
        if isinstance(event, RequestTrailers):
            self.held_trailers = event.trailers
        elif isinstance(event, RequestEndOfMessage) and (last := self.last_chunk(self.request)) is not None:
            self.held_trailers = None
            yield commands.SendData(self.conn, last)
            yield from self.mark_done(request=True)
        else:
            yield from super().send(event)

    def read_headers(self, event: events.ConnectionEvent) -> layer.CommandGenerator[None]:
        """Read the response head after any informational ones, which end nothing (RFC 9110 §15.2)."""
        if self.request is not None and isinstance(event, events.DataReceived):
            while is_informational(bytes(self.buf)):
                head = self.buf.maybe_extract_lines()
                if head is None:
                    return
                yield from self._pass_on(head)
        yield from super().read_headers(event)

    def _pass_on(self, head: list[bytearray]) -> layer.CommandGenerator[None]:
        """Give an informational response to a client that may get one; mitmproxy itself answers 100-continue."""
        client = self.context.client
        assert self.request is not None
        if b" 100" in head[0] or self.request.http_version != "HTTP/1.1" or client.alpn == b"h2":
            return
        yield commands.Log(INFORMATIONAL, ERROR)
        yield commands.SendData(client, b"\r\n".join(map(bytes, head)) + b"\r\n\r\n")


def is_informational(head: bytes) -> bool:
    """Whether a response head is a 1xx that another head follows; 101 is a final answer."""
    status = head[9:12]
    return head.startswith(b"HTTP/1.") and status.startswith(b"1") and status != b"101"


def install() -> None:
    """Have mitmproxy's HTTP layer use these connections in this process."""
    vars(http_layers).update(Http1Server=RecordedHttp1Server, Http1Client=RecordedHttp1Client)
