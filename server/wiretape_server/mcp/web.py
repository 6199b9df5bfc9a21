"""MCP over Streamable HTTP and SSE: where it binds, which Host and Origin it takes, and the bearer token."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import ipaddress
import socket
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mcp.server import MCPServer
from mcp.server.transport_security import TransportSecuritySettings

from wiretape_capture.errors import UsageError, WiretapeError
from wiretape_server.mcp.host_names import HostNames
from wiretape_server.mcp.options import ServeOptions
from wiretape_server.mcp.presence import Presence, end_unattended
from wiretape_server.mcp.state import ServerState

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

PATHS = {"http": "/mcp", "sse": "/sse"}
KEEP_ALIVE = 75
"""Seconds that an idle connection stays open: longer than clients keep theirs, so that none sends on a closing one."""
LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")


async def serve_web(server: MCPServer[Any], state: ServerState) -> None:
    """Serve until the process is told to end."""
    import uvicorn

    class Uvicorn(uvicorn.Server):
        """Leaves signals to us: jobs must end before the process does."""

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    options = state.options
    token = bearer_token(state)
    listener = listen(options.host, options.port)
    # Behind the token's check, so that only who may use the server keeps its jobs alive.
    presence = Presence(application(server, options))
    # httptools leaves the blanks around a header's value, which RFC 9110 §5.5 says are no part of it; h11 does not.
    config = uvicorn.Config(guarded(presence, token), log_level="warning", timeout_graceful_shutdown=1,
                            lifespan="on", http="h11", timeout_keep_alive=KEEP_ALIVE)  # fmt: skip
    _announce(options, listener.getsockname()[1], token)
    unattended = asyncio.create_task(end_unattended(state.jobs, presence, options.idle_seconds)
                                     ) if options.idle_seconds else None  # fmt: skip
    try:
        await Uvicorn(config).serve(sockets=[listener])
    finally:
        if unattended is not None:
            unattended.cancel()


def application(server: MCPServer[Any], options: ServeOptions) -> ASGIApp:
    """The ASGI app of one transport behind its checks of Host and Origin."""
    security = transport_security(options)
    app: ASGIApp
    if options.transport == "sse":
        app = server.sse_app(host=options.host, transport_security=security)
    else:
        app = server.streamable_http_app(host=options.host, transport_security=security)
    return HostNames(app)


def guarded(app: ASGIApp, token: str) -> ASGIApp:
    """The app behind its token, where there is one."""
    return BearerCheck(app, token) if token else app


def transport_security(options: ServeOptions) -> TransportSecuritySettings:
    """Host and Origin headers that may pass: a web page that rebinds a name to us has neither."""
    names = [*LOOPBACK_NAMES, *(name.lower() for name in options.allow_hosts)]
    if options.host not in ("0.0.0.0", "::"):
        names.append(f"[{options.host}]" if ":" in options.host else options.host.lower())
    hosts = [form for name in dict.fromkeys(names) for form in (name, f"{name}:*")]
    return TransportSecuritySettings(
        allowed_hosts=hosts, allowed_origins=[f"{scheme}://{host}" for scheme in ("http", "https") for host in hosts]
    )


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only mean this machine."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def bearer_token(state: ServerState) -> str:
    """The token that requests must carry; none is needed on loopback unless one was given."""
    options = state.options
    if options.token:
        if len(options.token) < 16:
            raise UsageError(f"a token of {len(options.token)} characters can be guessed", "give at least 16")
        return options.token
    return "" if is_loopback(options.host) else state.secret("mcp-token")


def listen(host: str, port: int) -> socket.socket:
    """A bound socket, so that a taken port is told before anything is started."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host.strip("[]"), port))
        listener.listen(128)  # from here on clients queue, so the address may be announced
    except OSError as error:
        listener.close()
        raise WiretapeError(f"cannot listen on {host} port {port}: {error.strerror or error}",
                            "give another --port, or 0 for a free one") from error  # fmt: skip
    return listener


def _announce(options: ServeOptions, port: int, token: str) -> None:
    host = f"[{options.host}]" if ":" in options.host else options.host
    lines = [f"wiretape mcp: http://{host}:{port}{PATHS[options.transport]}"]
    if token and not options.token:
        lines.append("wiretape mcp: send the token in .wiretape/jobs/mcp-token as Authorization: Bearer")
    sys.stderr.write("\n".join(lines) + "\n")
    sys.stderr.flush()


class BearerCheck:
    """Lets only requests with the token through."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 401 or pass on."""
        if scope["type"] == "http" and not self._allowed(scope):
            await send(
                {
                    "type": "http.response.start",
                    "status": 401,
                    "headers": [(b"www-authenticate", b'Bearer realm="wiretape"'), (b"content-type", b"text/plain")],
                }
            )
            await send({"type": "http.response.body", "body": b"send Authorization: Bearer with the server's token\n"})
            return
        await self._app(scope, receive, send)

    def _allowed(self, scope: Scope) -> bool:
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        scheme, _, token = given[0].partition(b" ") if len(given) == 1 else (b"", b"", b"")
        # RFC 9110 section 11.1: the scheme is compared in any case, the token as it is.
        return scheme.lower() == b"bearer" and hmac.compare_digest(token.strip(), self._expected)
