"""A connection to the real database: TCP or a Unix socket, and TLS as the app's own settings ask for it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from pathlib import Path

from wiretape_capture.databases.side import Side

CONNECT_SECONDS = 30.0


async def dial(host: str, port: int) -> Side:
    """Connect; a host that begins with `/` is the directory of a Postgres socket. Raises OSError, TimeoutError."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(CONNECT_SECONDS):
        if host.startswith("/"):
            path = host if port == 0 else f"{host}/.s.PGSQL.{port}"
            _, side = await loop.create_unix_connection(Side, path)
        else:
            _, side = await loop.create_connection(Side, host, port)
    return side


def tls_context(options: Mapping[str, str]) -> ssl.SSLContext:
    """What libpq's `sslmode`, `sslrootcert`, `sslcert` and `sslkey` ask for. Raises OSError for a missing file."""
    mode = options.get("sslmode") or options.get("ssl") or "prefer"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = mode == "verify-full"
    verifies = mode in ("verify-ca", "verify-full")
    context.verify_mode = ssl.CERT_REQUIRED if verifies else ssl.CERT_NONE
    roots = options.get("sslrootcert", "")
    if verifies and roots and roots != "system":
        context.load_verify_locations(Path(roots).expanduser())
    elif verifies:
        context.load_default_certs()
    if options.get("sslcert"):
        context.load_cert_chain(Path(options["sslcert"]).expanduser(),
                                Path(options["sslkey"]).expanduser() if options.get("sslkey") else None)  # fmt: skip
    return context


def wants_tls(options: Mapping[str, str]) -> tuple[bool, bool]:
    """Whether TLS is asked for, and whether the connection must have it."""
    mode = options.get("sslmode") or options.get("ssl") or "prefer"
    return mode not in ("disable", "allow", "false"), mode in ("require", "verify-ca", "verify-full", "true")
