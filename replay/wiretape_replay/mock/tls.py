"""TLS inside of a connection that began as something else: certificates by name, and the record layer. No sockets."""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Callable
from contextlib import suppress
from typing import cast

from wiretape_capture.launch.ca import Authority

CONTEXT_LIMIT = 1024
"""Hosts whose context is kept; beyond it the oldest is made anew."""
_READ = 16 * 1024
"""Bytes of plain text in one record, at most (RFC 8446 §5.1)."""
_PLAIN = bytearray(_READ)
_VIEW = memoryview(_PLAIN)
"""What all sessions of the loop read into: one made for each record would be 16 KiB for a few hundred bytes."""


class Certificates:
    """A server context for each host, with a certificate of our authority, made when first needed.

    A context also holds the keys of its session tickets: a client that comes back resumes without a full handshake.
    """

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self._contexts: dict[str, ssl.SSLContext] = {}

    def context(self, host: str) -> ssl.SSLContext:
        """The context for a host; its handshake goes over to the name that the client asks for (SNI)."""
        context = self._contexts.get(host)
        if context is None:
            context = self._contexts[host] = self._create(host)
            if len(self._contexts) > CONTEXT_LIMIT:
                del self._contexts[next(iter(self._contexts))]
        return context

    def _create(self, host: str) -> ssl.SSLContext:
        chain, key = self._authority.mint(host)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # ssl reads certificates from files only; this one is private (0600) and gone at once.
        with tempfile.NamedTemporaryFile(suffix=".pem") as file:
            file.write(chain + key)
            file.flush()
            context.load_cert_chain(file.name)
        context.set_alpn_protocols(["http/1.1", "postgresql"])  # libpq wants the latter where it begins with TLS
        context.num_tickets = 1  # enough to resume with: a client that wants two connections makes a new one
        context.sni_callback = self._switch
        return context

    def _switch(self, connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> int | None:
        if name is None:
            return None
        try:
            connection.context = self.context(name)
        except ValueError:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        return None


class TlsLayer:
    """The server side of one TLS session over bytes that somebody else carries."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._session = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._read = cast("Callable[[int, bytearray], int]", self._session.read)
        self._write = self._session.write
        self.established = False
        self.closed = False
        """The client said that it sends no more."""

    def feed(self, data: bytes) -> bytes:
        """Records in, plain text out; raises ssl.SSLError. `pending` must be sent after each call."""
        self._incoming.write(data)
        if not self.established:
            try:
                self._session.do_handshake()
            except ssl.SSLWantReadError:
                return b""
            self.established = True
        pieces = []
        try:
            while size := self._read(_READ, _PLAIN):
                pieces.append(bytes(_VIEW[:size]))
                if not self._incoming.pending:  # a read takes a whole record: to ask for another costs an exception
                    return b"".join(pieces)
            self.closed = True
        except ssl.SSLZeroReturnError:
            self.closed = True
        except ssl.SSLWantReadError:
            pass
        return b"".join(pieces)

    def seal(self, data: bytes) -> bytes:
        """Plain text in, records out."""
        self._write(data)
        return self._outgoing.read()

    def pending(self) -> bytes:
        """Records of the session itself that are due: handshake, tickets, alerts."""
        return self._outgoing.read() if self._outgoing.pending else b""

    def close(self) -> bytes:
        """The records that end the session in good order."""
        with suppress(ssl.SSLError):
            self._session.unwrap()
        return self._outgoing.read()
