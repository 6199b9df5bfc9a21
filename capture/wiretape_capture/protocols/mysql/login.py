"""The packets with which a connection begins, and what proves a password. Pure; nothing of it is kept.

The server greets first. A client answers with what it can do and its proof; the server may ask for another kind of
proof.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from wiretape_capture.protocols.mysql.wire import (
    Capability,
    Extended,
    Malformed,
    Reader,
    decoded,
    encoded,
    string,
    terminated,
)

PROTOCOL_10 = 10
NATIVE, CACHING_SHA2, CLEAR = "mysql_native_password", "caching_sha2_password", "mysql_clear_password"
FAST_OK, FULL_LOGIN, PUBLIC_KEY = 0x03, 0x04, 0x02
"""What caching_sha2_password says: the proof was good; the password itself is wanted; a client asks for the key."""
SSL_REQUEST_SIZE = 32
"""Bytes of a client's answer that only asks for TLS."""
CHARSET = 45
"""utf8mb4_general_ci."""


@dataclass(frozen=True, slots=True)
class Greeting:
    """What the server says first."""

    version: str
    connection: int
    scramble: bytes
    """20 random bytes that the client mixes into its proof."""
    capabilities: int
    charset: int
    status: int
    plugin: str
    extended: int = 0
    """MariaDB's own capabilities."""

    def offering(self, capabilities: int, extended: int) -> Greeting:
        """The same with other capabilities."""
        return replace(self, capabilities=capabilities, extended=extended)


@dataclass(frozen=True, slots=True)
class Response:
    """A client's answer."""

    capabilities: int
    largest: int
    charset: int
    user: str
    proof: bytes
    database: str = ""
    plugin: str = ""
    attributes: bytes = b""
    extended: int = 0


def read_greeting(payload: bytes) -> Greeting:
    """Protocol::HandshakeV10. Raises Malformed."""
    reader = Reader(payload)
    if reader.number(1) != PROTOCOL_10:
        raise Malformed("the server does not greet as MySQL does")
    version, connection = decoded(reader.terminated()), reader.number(4)
    scramble = reader.take(8)
    reader.take(1)
    capabilities, charset, status = reader.number(2), reader.number(1), reader.number(2)
    capabilities |= reader.number(2) << 16
    length = reader.number(1)
    reader.take(6)
    extended = reader.number(4)
    if capabilities & Capability.MYSQL:
        extended = 0
    scramble += reader.take(max(13, length - 8) if capabilities & Capability.SECURE_CONNECTION else 0)
    plugin = decoded(reader.rest().partition(b"\0")[0]) if capabilities & Capability.PLUGIN_AUTH else NATIVE
    return Greeting(version, connection, scramble[:20], capabilities, charset, status, plugin, extended)


def write_greeting(greeting: Greeting) -> bytes:
    """Protocol::HandshakeV10."""
    capabilities = greeting.capabilities
    extended = 0 if capabilities & Capability.MYSQL else greeting.extended
    return (
        bytes((PROTOCOL_10,)) + terminated(encoded(greeting.version)) + greeting.connection.to_bytes(4, "little")
        + greeting.scramble[:8] + b"\0" + (capabilities & 0xFFFF).to_bytes(2, "little")
        + bytes((greeting.charset,)) + greeting.status.to_bytes(2, "little")
        + (capabilities >> 16).to_bytes(2, "little") + b"\x15" + bytes(6) + extended.to_bytes(4, "little")
        + greeting.scramble[8:20] + b"\0" + terminated(encoded(greeting.plugin))
    )  # fmt: skip


def is_tls_request(payload: bytes) -> bool:
    """Whether a client's answer only asks for TLS."""
    return len(payload) == SSL_REQUEST_SIZE and bool(int.from_bytes(payload[:4], "little") & Capability.SSL)


def read_response(payload: bytes) -> Response:
    """Protocol::HandshakeResponse41. Raises Malformed."""
    reader = Reader(payload)
    capabilities = reader.number(4)
    if not capabilities & Capability.PROTOCOL_41:
        raise Malformed("the client speaks the protocol of before MySQL 4.1")
    largest, charset = reader.number(4), reader.number(1)
    reader.take(19)
    extended = reader.number(4)
    user = decoded(reader.terminated())
    if capabilities & Capability.LENENC_AUTH:
        proof = reader.string()
    elif capabilities & Capability.SECURE_CONNECTION:
        proof = reader.take(reader.number(1))
    else:
        proof = reader.terminated()
    database = decoded(reader.terminated()) if capabilities & Capability.CONNECT_WITH_DB and reader.left else ""
    plugin = ""
    if capabilities & Capability.PLUGIN_AUTH and reader.left:
        name, _, rest = reader.rest().partition(b"\0")  # some clients leave its end out
        plugin, reader = decoded(name), Reader(rest)
    attributes = reader.string() if capabilities & Capability.CONNECT_ATTRS and reader.left else b""
    return Response(capabilities, largest, charset, user, proof, database, plugin, attributes,
                    0 if capabilities & Capability.MYSQL else extended)  # fmt: skip


def write_response(response: Response) -> bytes:
    """Protocol::HandshakeResponse41, its proof with its length in a byte or as the capabilities say."""
    capabilities = response.capabilities | Capability.SECURE_CONNECTION
    proof = string(response.proof) if capabilities & Capability.LENENC_AUTH else (
        bytes((len(response.proof),)) + response.proof
    )  # fmt: skip
    parts = [write_tls_request(response), terminated(encoded(response.user)), proof]
    if capabilities & Capability.CONNECT_WITH_DB:
        parts.append(terminated(encoded(response.database)))
    if capabilities & Capability.PLUGIN_AUTH:
        parts.append(terminated(encoded(response.plugin)))
    if capabilities & Capability.CONNECT_ATTRS:
        parts.append(string(response.attributes))
    return b"".join(parts)


def write_tls_request(response: Response) -> bytes:
    """Protocol::SSLRequest, which is also how the whole response begins."""
    capabilities = response.capabilities | Capability.SECURE_CONNECTION
    extended = 0 if capabilities & Capability.MYSQL else response.extended
    return (
        capabilities.to_bytes(4, "little") + response.largest.to_bytes(4, "little")
        + bytes((response.charset,)) + bytes(19) + extended.to_bytes(4, "little")
    )  # fmt: skip


def agreed(greeting: Greeting, response: Response) -> tuple[int, int]:
    """The capabilities, and MariaDB's own, that both sides have."""
    return greeting.capabilities & response.capabilities, greeting.extended & response.extended & Extended.KNOWN


def read_switch(payload: bytes) -> tuple[str, bytes]:
    """Protocol::AuthSwitchRequest: another plugin and its random bytes."""
    name, _, data = payload[1:].partition(b"\0")
    return decoded(name) or "mysql_old_password", data.removesuffix(b"\0")


def proof_of(plugin: str, password: str, scramble: bytes) -> bytes | None:
    """What proves a password without telling it; None where the plugin is not known, or wants the password itself."""
    if not password:
        return b""
    secret = encoded(password)
    if plugin == NATIVE:
        once = _sha1(secret)
        return _mixed(once, _sha1(scramble + _sha1(once)))
    if plugin == CACHING_SHA2:
        once = hashlib.sha256(secret).digest()
        return _mixed(once, hashlib.sha256(hashlib.sha256(once).digest() + scramble).digest())
    return None


def hidden(password: str, scramble: bytes) -> bytes:
    """A password as it is encrypted for the server's RSA key."""
    secret = terminated(encoded(password))
    return _mixed(secret, (scramble * (len(secret) // len(scramble) + 1))[: len(secret)])


def _sha1(data: bytes) -> bytes:
    return hashlib.sha1(data, usedforsecurity=False).digest()


def _mixed(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
