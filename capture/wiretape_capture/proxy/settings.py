"""mitmproxy's options as a recorder needs them: never stricter than the app, nothing buffered, nothing changed.

mitmproxy deep-copies an option at every access, several dozen times a request, so the values are frozen once.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from mitmproxy.options import Options

from wiretape_capture.proxy.addons import Proxyserver, TlsConfig

NEVER = 10**8
"""Seconds: idle connections are the peers' to close."""


class Settings(SimpleNamespace):
    """Frozen option values; mitmproxy asks for them by attribute and with `in`."""

    def __contains__(self, name: object) -> bool:
        return name in vars(self)

    def __iter__(self) -> Iterator[str]:
        return iter(vars(self))


def settings(ca_dir: Path, *, trust: Path | None, keep_host: bool, eager: bool) -> Options:
    """Options for one kind of listener; `trust` is the PEM bundle that upstream certificates are checked against."""
    options = Options()
    loader = SimpleNamespace(add_option=options.add_option)
    Proxyserver().load(loader)  # type: ignore[no-untyped-call]
    TlsConfig().load(loader)  # type: ignore[no-untyped-call]
    options.update(  # type: ignore[no-untyped-call]
        confdir=str(ca_dir),
        connection_strategy="eager" if eager else "lazy",
        keep_host_header=keep_host,
        validate_inbound_headers=False,
        # Upstream certificates are checked by trust.py, which lets the client decide what to do with the result.
        ssl_insecure=True,
        ssl_verify_upstream_trusted_ca=None if trust is None else str(trust),
        tcp_timeout=NEVER,
        # gRPC servers answer pings that they did not allow with GOAWAY.
        http2_ping_keepalive=0,
    )
    names: set[str] = options.keys()  # type: ignore[no-untyped-call]
    values: dict[str, Any] = {name: getattr(options, name) for name in names}
    return cast(Options, Settings(**values))
