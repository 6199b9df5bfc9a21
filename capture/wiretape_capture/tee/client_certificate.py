"""Services with mutual TLS, which nobody between them and the app can satisfy. Pure."""

from __future__ import annotations

import ssl


def wants_certificate(service: str) -> str:
    """Why a service with mutual TLS cannot be recorded."""
    return f"{service} asks for a client certificate and ended the connection: the app's own cannot pass a proxy"


def is_refusal(error: Exception | None) -> bool:
    """Whether TLS ended for want of a certificate, which TLS 1.3 says after the handshake only (RFC 8446 §6.2)."""
    return isinstance(error, ssl.SSLError) and "CERTIFICATE_REQUIRED" in (error.reason or str(error)).upper()
