"""Logging in to Postgres with a password: cleartext, MD5 and SCRAM-SHA-256 (§55.3). No sockets, nothing is kept."""

from __future__ import annotations

import hashlib

from scramp import ScramClient
from scramp.core import ScramException

from wiretape_capture.protocols.postgres.wire import Malformed, Reader, message, text

OK, CLEARTEXT, MD5, SASL, SASL_CONTINUE, SASL_FINAL = 0, 3, 5, 10, 11, 12
MECHANISM = "SCRAM-SHA-256"
PLUS = "SCRAM-SHA-256-PLUS"


class Login:
    """One login. Raises Malformed for what this does not speak or a server that proves not to know the password."""

    def __init__(self, user: str, password: str) -> None:
        self._user = user
        self._password = password
        self._scram: ScramClient | None = None

    def reply(self, payload: bytes) -> bytes:
        """What to send for an Authentication message; empty for nothing."""
        reader = Reader(payload)
        try:
            match reader.int32():
                case 0:
                    return b""
                case 3:
                    return message(b"p", text(self._password))
                case 5:
                    return message(b"p", text(self._hashed(reader.take(4))))
                case 10:
                    return self._first(mechanisms(payload))
                case 11 if self._scram is not None:
                    self._scram.set_server_first(reader.take(reader.left).decode())
                    return message(b"p", self._scram.get_client_final().encode())
                case 12 if self._scram is not None:
                    self._scram.set_server_final(reader.take(reader.left).decode())
                    return b""
                case other:
                    raise Malformed(f"the server asks for a login of kind {other}, which wiretape does not speak")
        except (ScramException, UnicodeDecodeError) as error:
            raise Malformed(f"the server's SCRAM exchange is wrong: {error}") from error

    def _hashed(self, salt: bytes) -> str:
        inner = hashlib.md5((self._password + self._user).encode(), usedforsecurity=False).hexdigest()
        return "md5" + hashlib.md5(inner.encode() + salt, usedforsecurity=False).hexdigest()

    def _first(self, offered: list[str]) -> bytes:
        if MECHANISM not in offered:
            raise Malformed(f"the server offers only {', '.join(offered)}, and wiretape speaks {MECHANISM}")
        self._scram = ScramClient([MECHANISM], self._user, self._password)
        first = self._scram.get_client_first().encode()
        return message(b"p", text(MECHANISM) + len(first).to_bytes(4) + first)


def mechanisms(payload: bytes) -> list[str]:
    """What an AuthenticationSASL offers."""
    reader = Reader(payload)
    reader.int32()
    found = []
    while reader.left and (name := reader.text()):
        found.append(name.decode("latin-1"))
    return found


def without_binding(payload: bytes) -> bytes:
    """An Authentication message without SCRAM-SHA-256-PLUS: a client in plain text could not bind to our TLS."""
    kind = Reader(payload).int32()
    if kind != SASL:
        return message(b"R", payload)
    kept = b"".join(text(name) for name in mechanisms(payload) if name != PLUS)
    return message(b"R", SASL.to_bytes(4) + kept + b"\0")
