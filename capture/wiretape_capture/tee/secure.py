"""TLS on both sides: services are verified as the app would, clients get certificates that the recorder mints.

A service that does not verify, or that a plain handshake does not reach, is mitmproxy's.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import tempfile
from collections import OrderedDict
from pathlib import Path

from wiretape_capture.tee.end import End

HANDSHAKE_SECONDS = 20.0
CONTEXTS = 1024
"""Certificates kept; beyond it the one that was longest unused is minted anew."""
HTTP1 = "http/1.1"

type Site = tuple[str, int, str]
"""Host and port that were dialled, and the name that the client asked for."""


class Clients:
    """Server contexts by site, each with the certificate that the recorder minted for it.

    A context also holds the keys of its session tickets: a client that comes back resumes.
    """

    def __init__(self) -> None:
        self._contexts: OrderedDict[tuple[Site, str], ssl.SSLContext] = OrderedDict()

    def find(self, site: Site, protocol: str) -> ssl.SSLContext | None:
        """The context for a site whose service chose this protocol (empty: none)."""
        found = self._contexts.get((site, protocol))
        if found is not None:
            self._contexts.move_to_end((site, protocol))
        return found

    def keep(self, site: Site, protocol: str, pem: bytes) -> ssl.SSLContext:
        """A new context from a certificate chain with its key."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # ssl reads certificates from files only; this one is private (0600) and gone at once.
        with tempfile.NamedTemporaryFile(suffix=".pem") as file:
            file.write(pem)
            file.flush()
            context.load_cert_chain(file.name)
        if protocol:
            context.set_alpn_protocols([protocol])
        context.num_tickets = 1
        self._contexts[site, protocol] = context
        if len(self._contexts) > CONTEXTS:
            self._contexts.popitem(last=False)
        return context


class Services:
    """Client contexts, by the protocols that are offered."""

    def __init__(self, trust: Path | None) -> None:
        self._trust = trust
        self._contexts: dict[tuple[str, ...], ssl.SSLContext] = {}

    def context(self, protocols: tuple[str, ...]) -> ssl.SSLContext:
        """Verifies against the roots that the app trusted before; no stricter than OpenSSL by itself."""
        context = self._contexts.get(protocols)
        if context is None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            if self._trust is not None:
                context.load_verify_locations(self._trust)
            else:
                context.load_default_certs()
            if protocols:
                context.set_alpn_protocols(list(protocols))
            self._contexts[protocols] = context
        return context


async def towards_service(dialled: socket.socket, end: End, context: ssl.SSLContext, name: str) -> ssl.SSLObject:
    """Shake hands as a client. Raises OSError, of which ssl.SSLError is one; the socket is closed then."""
    loop = asyncio.get_running_loop()
    try:
        transport, _ = await loop.create_connection(lambda: end, sock=dialled, ssl=context, server_hostname=name,
                                                    ssl_handshake_timeout=HANDSHAKE_SECONDS)  # fmt: skip
    except ValueError as error:  # a name that cannot be one
        dialled.close()
        raise OSError(str(error)) from error
    session: ssl.SSLObject = transport.get_extra_info("ssl_object")
    return session


async def towards_client(accepted: socket.socket, end: End, context: ssl.SSLContext) -> None:
    """Shake hands as a server. Raises OSError; the socket is closed then."""
    loop = asyncio.get_running_loop()
    await loop.connect_accepted_socket(lambda: end, accepted, ssl=context, ssl_handshake_timeout=HANDSHAKE_SECONDS)
