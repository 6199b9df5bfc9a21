"""Logging in to MongoDB with SCRAM-SHA-256 or SCRAM-SHA-1, and the server's side of it for an app's own login. Pure.

The drivers' specification "Driver Authentication" says how; RFC 5802 and RFC 7677 what is in the payloads. Nothing
is kept.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from scramp import ScramClient, ScramMechanism
from scramp.core import ScramException, ScramServer

from wiretape_capture.protocols.mongodb.wire import Malformed

SHA_256, SHA_1 = "SCRAM-SHA-256", "SCRAM-SHA-1"
MECHANISMS = (SHA_256, SHA_1)
ITERATIONS = 4096
"""The fewest that drivers accept."""
FAILED = 18
"""Code AuthenticationFailed."""


def digest(mechanism: str, user: str, password: str) -> str:
    """The password as a mechanism takes it: SCRAM-SHA-1 knows only the hash of the server's older users."""
    if mechanism != SHA_1:
        return password
    return hashlib.md5(f"{user}:mongo:{password}".encode(), usedforsecurity=False).hexdigest()


class Login:
    """One login of ours: a command to send, then the next for each answer. Raises Malformed for a wrong server."""

    def __init__(self, user: str, password: str, source: str, offered: Sequence[str]) -> None:
        self._source = source
        self._mechanism = next((each for each in MECHANISMS if each in offered), SHA_1)
        self._scram = ScramClient([self._mechanism], user, digest(self._mechanism, user, password))
        self._finished = False

    def first(self) -> dict[str, Any]:
        """The command that begins it."""
        payload = self._scram.get_client_first().encode()
        return {"saslStart": 1, "mechanism": self._mechanism, "payload": payload,
                "options": {"skipEmptyExchange": True}, "$db": self._source}  # fmt: skip

    def next(self, reply: Mapping[str, Any]) -> dict[str, Any] | None:
        """The next command; None when it is done."""
        try:
            text = bytes(reply.get("payload", b"")).decode()
            if not self._finished and not reply.get("done"):
                return self._final(text, reply)
            if not self._finished:
                raise Malformed("the server ended the login early")
            if text:
                self._scram.set_server_final(text)
        except (ScramException, UnicodeDecodeError, TypeError, ValueError) as error:
            raise Malformed(f"the server's SCRAM exchange is wrong: {error}") from error
        return None if reply.get("done") else self._go_on(b"", reply)

    def _final(self, text: str, reply: Mapping[str, Any]) -> dict[str, Any]:
        self._scram.set_server_first(text)
        self._finished = True
        return self._go_on(self._scram.get_client_final().encode(), reply)

    def _go_on(self, payload: bytes, reply: Mapping[str, Any]) -> dict[str, Any]:
        return {"saslContinue": 1, "conversationId": reply.get("conversationId", 1), "payload": payload,
                "$db": self._source}  # fmt: skip


class Door:
    """The server's side. A server proves that it knows the password, too: only the app's own can be accepted."""

    def __init__(self, passwords: Sequence[str]) -> None:
        self._passwords = tuple(dict.fromkeys(passwords))
        self._tries: list[ScramServer] = []
        self._skips_empty = False
        self._done = False

    def answer(self, command: Mapping[str, Any]) -> dict[str, Any]:
        """The reply to saslStart or saslContinue."""
        try:
            payload = bytes(command.get("payload", b"")).decode()
            if "saslStart" in command:
                return self._start(payload, command)
            if self._done:
                return {"conversationId": 1, "done": True, "payload": b"", "ok": 1.0}
            return self._finish(payload)
        except (ScramException, UnicodeDecodeError, TypeError, ValueError, KeyError, IndexError) as error:
            return refusal(f"the SCRAM exchange is wrong: {error}")

    def _start(self, payload: str, command: Mapping[str, Any]) -> dict[str, Any]:
        mechanism = str(command.get("mechanism"))
        if mechanism not in MECHANISMS:
            return refusal(f"{mechanism} is not spoken: leave user and password out of the app's settings")
        self._skips_empty = bool((command.get("options") or {}).get("skipEmptyExchange"))
        self._done = False
        salt, nonce, scheme = secrets.token_bytes(16), secrets.token_urlsafe(24), ScramMechanism(mechanism)
        user = _user(payload)
        self._tries = []
        for password in self._passwords:
            info = scheme.make_auth_info(digest(mechanism, user, password), ITERATIONS, salt)
            server = scheme.make_server(lambda _, info=info: info, s_nonce=nonce)
            server.set_client_first(payload)
            first = server.get_server_first()
            self._tries.append(server)
        if not self._tries:
            return refusal("no password is known")
        return {"conversationId": 1, "done": False, "payload": first.encode(), "ok": 1.0}

    def _finish(self, payload: str) -> dict[str, Any]:
        for server in self._tries:
            try:
                server.set_client_final(payload)
            except ScramException:
                continue
            self._done = True
            return {"conversationId": 1, "done": self._skips_empty, "payload": server.get_server_final().encode(),
                    "ok": 1.0}  # fmt: skip
        return refusal(
            "the app logs in with a password that wiretape does not know, and SCRAM wants the server to know it: "
            "leave user and password out, or name the password in the map's URL"
        )


def _user(payload: str) -> str:
    """The name in a client-first message (RFC 5802 §5.1)."""
    found = next((each[2:] for each in payload.split(",") if each.startswith("n=")), "")
    return found.replace("=2C", ",").replace("=3D", "=")


def refusal(why: str) -> dict[str, Any]:
    """The error of a login that failed."""
    return {"ok": 0.0, "errmsg": f"wiretape: {why}", "code": FAILED, "codeName": "AuthenticationFailed"}
