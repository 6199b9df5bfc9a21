"""TLS towards an app that wants it on the way to us, with a certificate of the workspace's own authority."""

from __future__ import annotations

import ssl
import tempfile

from wiretape_capture.databases.greeting import Desk
from wiretape_capture.databases.side import Side

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


async def secured(client: Side, context: ssl.SSLContext, name: str, desk: Desk, turn_off: str) -> None:
    """Go on in TLS with an app that asks for it, up to its first byte; `turn_off` is how it would not.

    Raises ConnectionError and EOFError for one that does not trust our certificate, which is told.
    """
    refusal = (f"clients of {name} with which TLS failed ({{}}): {turn_off} where the app connects, or have it trust "
               "wiretape's authority")  # fmt: skip
    try:
        await client.secure(context, server_side=True)
    except ssl.SSLError as error:
        desk.note(refusal.format(error.reason))
        raise ConnectionAbortedError from error
    try:
        client.unread(await client.read(1))
    except EOFError:
        desk.note(refusal.format("they left without a word"))  # Node.js verifies once TLS is set up
        raise
