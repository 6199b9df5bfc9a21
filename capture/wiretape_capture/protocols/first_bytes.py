"""Which protocol a client speaks, by the first bytes that it sends of itself. Pure.

MySQL is not among them: there the server speaks first.
"""

from __future__ import annotations

import re
from typing import Literal

from wiretape_capture.protocols.postgres.wire import CANCEL_REQUEST, GSS_REQUEST, PROTOCOL_3, SSL_REQUEST

type Spoken = Literal["TLS", "HTTP", "Postgres", "Redis", "MongoDB"]

_TLS = re.compile(rb"\x16\x03[\x01-\x03]")
"""A record that carries a handshake, and its version (RFC 8446 §5.1)."""
_HTTP = re.compile(rb"[A-Z]{3,7} [^ \r\n]{1,8000} HTTP/\d(?:\.\d)?\r?\n")
_REDIS = re.compile(rb"\*\d{1,7}\r\n(?:\$|\Z)|(?:PING|INFO|QUIT|AUTH [^\r\n]*|SELECT \d+)\r?\n", re.IGNORECASE)
_MONGODB = frozenset({2004, 2012, 2013})
"""OP_QUERY, OP_COMPRESSED, OP_MSG: what clients begin with."""


def spoken_by(data: bytes) -> Spoken | None:
    """The protocol that these bytes begin; None where they do not tell, or not yet."""
    if _TLS.match(data):
        return "TLS"
    if _HTTP.match(data):
        return "HTTP"
    if _REDIS.match(data):
        return "Redis"
    if len(data) >= 8 and data[0] == 0:
        code = int.from_bytes(data[4:8])
        if code >> 16 == PROTOCOL_3 or code in (SSL_REQUEST, GSS_REQUEST, CANCEL_REQUEST):
            return "Postgres"
    if len(data) >= 16 and int.from_bytes(data[12:16], "little") in _MONGODB:
        return "MongoDB"
    return None


def may_be_tls(data: bytes) -> bool:
    """Whether these few bytes may yet begin TLS: too few to tell."""
    return len(data) < 3 and b"\x16\x03".startswith(data)
