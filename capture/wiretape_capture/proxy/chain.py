"""Going through the user's own proxy: CONNECT for TLS, the absolute form for plain HTTP, as the app would have."""

from __future__ import annotations

from typing import cast

from mitmproxy import http
from mitmproxy.connection import Server
from mitmproxy.net.server_spec import ServerSpec
from mitmproxy.proxy import layer, tunnel
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers import http as http_layers
from mitmproxy.proxy.layers.http import HttpLayer, HTTPMode, HttpStream, _upstream_proxy
from mitmproxy.proxy.layers.http._upstream_proxy import HttpUpstreamProxy

from wiretape_capture.proxy.authority import authority
from wiretape_capture.proxy.upstream import Upstreams


class ChainedStream(HttpStream):
    """An exchange of the forward proxy whose tunnel may go through another proxy."""

    def handle_connect_regular(self) -> layer.CommandGenerator[None]:
        """Open the tunnel: stock knows the other proxy only as a mode of the whole listener."""
        if self.context.server.via is None:
            yield from super().handle_connect_regular()  # type: ignore[no-untyped-call]
        else:
            yield from self.handle_connect_upstream()  # type: ignore[no-untyped-call]


class ChainedProxy(HttpUpstreamProxy):
    """A connection to the other proxy."""

    @classmethod
    def make(cls, ctx: Context, send_connect: bool) -> tunnel.LayerStack:
        """Plain HTTP needs no tunnel, and many proxies refuse one to port 80."""
        above = ctx.layers[-1]
        plain = isinstance(above, HttpLayer) and above.mode is HTTPMode.regular
        return super().make(ctx, send_connect and not plain)


class Chain:
    """Hooks that send what needs it through the user's proxy."""

    def __init__(self, upstreams: Upstreams) -> None:
        self._upstreams = upstreams

    def http_connect(self, flow: http.HTTPFlow) -> None:
        """A tunnel is asked for."""
        self._route(flow.server_conn, "https", flow.request.host, flow.request.port)

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        """A request is about to be sent; one inside a tunnel has its way already."""
        request = flow.request
        if flow.server_conn.via is not None or flow.server_conn.connected:
            return
        self._route(flow.server_conn, request.scheme, request.host, request.port)
        if flow.server_conn.via is None or request.scheme != "http":
            return
        request.authority = authority(request.host, request.port)
        secret = self._upstreams.authorization(*flow.server_conn.via[1])
        if secret:
            request.headers["Proxy-Authorization"] = secret

    def http_connect_upstream(self, flow: http.HTTPFlow) -> None:
        """The other proxy is asked for a tunnel."""
        assert flow.server_conn.address is not None
        secret = self._upstreams.authorization(*flow.server_conn.address[:2])
        if secret:
            flow.request.headers["Proxy-Authorization"] = secret

    def _route(self, server: Server, scheme: str, host: str, port: int) -> None:
        upstream = self._upstreams.through(scheme, host, port)
        if upstream is not None:
            server.via = cast(ServerSpec, upstream.via)


def install() -> None:
    """Have mitmproxy's HTTP layer use these in this process."""
    vars(http_layers).update(HttpStream=ChainedStream)
    vars(_upstream_proxy).update(HttpUpstreamProxy=ChainedProxy)
