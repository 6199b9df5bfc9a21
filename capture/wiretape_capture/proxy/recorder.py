"""Follows every flow through the proxy and puts it on the tape as an exchange; mitmproxy calls it by hook name.

What it cannot record it counts and names. It never changes what passes, apart from what only the proxy caused.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial

from mitmproxy import http, tcp
from mitmproxy.connection import Client, Connection
from mitmproxy.proxy.server_hooks import ServerConnectionHookData
from mitmproxy.tls import TlsData

from wiretape_capture.proxy import translate
from wiretape_capture.proxy.authority import authority
from wiretape_capture.proxy.body_tap import BodyTap
from wiretape_capture.proxy.ledger import Ledger
from wiretape_capture.proxy.listening import Listening
from wiretape_capture.proxy.live import LiveExchange
from wiretape_capture.snapshot.exchange import Body, Direction, Exchange, Request

CONNECT_UPGRADES = ("h2c",)
"""Upgrades that would turn the connection into one that mitmproxy cannot follow (RFC 7540 §3.2, since deprecated)."""
OUTBOUND = Listening(Direction.OUTBOUND)
HERE = ("localhost", "127.0.0.1", "::1")


class Recorder:
    """The hooks."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._live: dict[str, LiveExchange] = {}
        self._connections: dict[str, str] = {}
        self._connected: dict[str, int] = {}
        self._arrived: dict[str, int] = {}
        self._finishing: set[asyncio.Task[None]] = set()

    def client_connected(self, client: Client) -> None:
        """A client opened a connection."""
        self._connections[client.id] = self._ledger.connection()

    def client_disconnected(self, client: Client) -> None:
        """A client's connection ended; whatever it left open will not be answered any more."""
        self._connections.pop(client.id, None)
        for live in [live for live in self._live.values() if live.flow.client_conn is client]:
            self._end(live, "client disconnected")

    def server_connect(self, data: ServerConnectionHookData) -> None:
        """A connection to a service is about to be opened."""
        assert data.server.address is not None
        host, port = data.server.address[:2]
        if port in self._ledger.own_ports and host in HERE:
            data.server.error = "the request asks the proxy for itself"
        if data.client.alpn == b"h2" and not data.client.tls:
            data.server.alpn = b"h2"

    def server_connected(self, data: ServerConnectionHookData) -> None:
        """A connection to a service is open."""
        self._connected[data.server.id] = time.monotonic_ns()

    def server_disconnected(self, data: ServerConnectionHookData) -> None:
        """A connection to a service ended."""
        self._connected.pop(data.server.id, None)
        self._arrived.pop(data.server.id, None)

    def arrived(self, service: Connection) -> None:
        """Bytes came from a service."""
        self._arrived[service.id] = time.monotonic_ns()

    def tls_established_server(self, data: TlsData) -> None:
        """TLS with a service is set up: only now can the request be sent."""
        self._connected[data.conn.id] = time.monotonic_ns()

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        """A request head is there, its body is still coming."""
        for name in translate.PROXY_HEADERS:
            flow.request.headers.pop(name, None)
        if self._comes_by_a_map(flow):
            flow.request.stream = True
            return
        begun = time.monotonic_ns()
        live = self._live[flow.id] = LiveExchange(
            ticket=self._ledger.order.here(begun),
            listening=self._listening(flow.client_conn),
            connection=self._connections.get(flow.client_conn.id, ""),
            begun=begun,
            flow=flow,
            headers=(),
            request_body=BodyTap(self._ledger.open_sink),
            response_body=BodyTap(self._ledger.open_sink),
        )
        live.headers = translate.request_headers(flow.request)
        _stay_on_http1(flow.request)
        flow.request.stream = live.request_body.feed

    def request(self, flow: http.HTTPFlow) -> None:
        """A request is complete."""
        live = self._live.get(flow.id)
        if live is None:
            return
        live.request_done = True
        if live.response_done:
            self._end(live)

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        """A response head is there, its body is still coming."""
        live = self._live.get(flow.id)
        if flow.response is not None:
            flow.response.stream = live.response_body.feed if live is not None else True

    def response(self, flow: http.HTTPFlow) -> None:
        """A response is complete."""
        live = self._live.get(flow.id)
        if live is None:
            return
        live.response_done = True
        live.ended = self._arrived.get(flow.server_conn.id, 0) or time.monotonic_ns()
        if live.request_done and flow.websocket is None:
            self._end(live)

    def error(self, flow: http.HTTPFlow) -> None:
        """An exchange broke off."""
        live = self._live.get(flow.id)
        if live is not None and flow.error is not None:
            self._end(live, translate.cause(flow.error.msg))

    def websocket_message(self, flow: http.HTTPFlow) -> None:
        """A WebSocket message passed."""
        live = self._live.get(flow.id)
        if live is None or flow.websocket is None:
            return
        message = flow.websocket.messages[-1]
        live.hear(message.from_client, "text" if message.is_text else "binary", message.content, time.monotonic_ns())
        # mitmproxy would keep every message for as long as the connection lasts.
        flow.websocket.messages.clear()

    def websocket_end(self, flow: http.HTTPFlow) -> None:
        """A WebSocket was closed."""
        live = self._live.get(flow.id)
        if live is None or flow.websocket is None:
            return
        ended = flow.websocket
        code = ended.close_code if ended.close_code is not None else 1005
        reason = (ended.close_reason or "").encode()
        live.hear(bool(ended.closed_by_client), "close", code.to_bytes(2) + reason, time.monotonic_ns())
        if live.stream_dropped:
            self._ledger.note(f"WebSocket messages beyond the limit of one exchange on {flow.request.host}",
                              live.stream_dropped)  # fmt: skip
        self._end(live, "connection closed without a close frame" if code == 1006 else "")

    def http_connect_error(self, flow: http.HTTPFlow) -> None:
        """A tunnel could not be opened: the service is not there."""
        message = "" if flow.response is None else flow.response.get_text(strict=False) or ""
        target = authority(flow.request.host, flow.request.port)
        now = time.monotonic_ns()
        ticket = self._ledger.order.here(now)
        exchange = Exchange(
            sequence=0, direction=Direction.OUTBOUND, scheme="https", service=target, command="CONNECT",
            location=target, started_ns=self._ledger.clock.wall(now), duration_us=0, error=translate.cause(message),
            connection=self._connections.get(flow.client_conn.id, ""),
            request=Request(method="CONNECT", target=target, headers=translate.pairs(flow.request.headers),
                            version=translate.version(flow.request.data.http_version), body=Body()),
        )  # fmt: skip
        ticket.then(lambda: self._ledger.record(exchange.model_copy(update={"sequence": ticket.number})))

    def tcp_start(self, flow: tcp.TCPFlow) -> None:
        """A connection carries something else than HTTP."""
        service = self._listening(flow.client_conn).service
        if not service and flow.server_conn.address is not None:
            service = authority(*flow.server_conn.address[:2])
        self._ledger.note(f"connections to {service} that carried no HTTP; their bytes passed and were not recorded")

    def tcp_message(self, flow: tcp.TCPFlow) -> None:
        """Bytes of it passed."""
        # mitmproxy would keep every message for as long as the connection lasts.
        flow.messages.clear()

    def end_open(self) -> None:
        """Put what is still open on the tape as incomplete."""
        for live in list(self._live.values()):
            self._end(live, "" if live.flow.websocket and live.response_done else "the recording ended first")

    async def close(self) -> None:
        """Wait until every body is on the tape."""
        await asyncio.sleep(0)
        await asyncio.gather(*self._finishing)

    def _comes_by_a_map(self, flow: http.HTTPFlow) -> bool:
        """Whether the app goes through the proxy to a map's listener, where it comes by again."""
        proxied = self._listening(flow.client_conn) == OUTBOUND
        return proxied and flow.request.port in self._ledger.map_ports and flow.request.host in HERE

    def _listening(self, client: Client) -> Listening:
        return self._ledger.listening.get(client.sockname[1], OUTBOUND)

    def _end(self, live: LiveExchange, error: str = "") -> None:
        del self._live[live.flow.id]
        live.error = error
        live.ended = live.ended or time.monotonic_ns()
        live.begun = max(live.begun, self._connected.get(live.flow.server_conn.id, 0))
        live.started_ns = self._ledger.clock.wall(live.begun)
        if live.small:
            # Off the path: the response's last bytes leave before the exchange is built.
            record = partial(live.ticket.then, lambda: self._ledger.record(live.in_memory()))
            asyncio.get_running_loop().call_soon(record)
            return
        task = asyncio.ensure_future(self._finish(live))
        self._finishing.add(task)
        task.add_done_callback(self._finishing.discard)

    async def _finish(self, live: LiveExchange) -> None:
        request, response = await live.bodies()
        live.ticket.then(lambda: self._ledger.record(live.exchange(request, response)))


def _stay_on_http1(request: http.Request) -> None:
    """Do not pass on an offer to leave HTTP/1 for HTTP/2; the answer comes without it, as from most servers."""
    if request.headers.get("upgrade", "").lower() in CONNECT_UPGRADES:
        for name in ("upgrade", "connection", "http2-settings"):
            request.headers.pop(name, None)
