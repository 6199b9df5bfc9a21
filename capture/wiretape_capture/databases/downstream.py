"""TLS towards an app that wants it on the way to us, with a certificate of the workspace's own authority."""

from __future__ import annotations

import ssl
import tempfile

HERE = "127.0.0.1"
"""What the app was told to connect to."""


def server_context(pem: bytes) -> ssl.SSLContext:
    """The server side's context, from a certificate chain with its key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # ssl reads certificates from files only; this one is private (0600) and gone at once.
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        file.write(pem)
        file.flush()
        context.load_cert_chain(file.name)
    return context
