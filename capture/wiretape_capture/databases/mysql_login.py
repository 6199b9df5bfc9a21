"""Logging in to MySQL and MariaDB with a password: mysql_native_password and caching_sha2_password. No sockets."""

from __future__ import annotations

from wiretape_capture.protocols.mysql import login
from wiretape_capture.protocols.mysql.login import CACHING_SHA2, CLEAR, FAST_OK, FULL_LOGIN, NATIVE, PUBLIC_KEY
from wiretape_capture.protocols.mysql.wire import EOF, MORE_DATA, encoded, terminated


class Unspoken(Exception):
    """The server asks for a proof that this does not know how to give."""


class Login:
    """One login. `secure` says that nobody can listen: then the password itself may be sent."""

    def __init__(self, password: str, scramble: bytes, *, secure: bool) -> None:
        self._password = password
        self._scramble = scramble
        self._secure = secure
        self._plugin = ""

    def first(self, plugin: str) -> tuple[str, bytes]:
        """Plugin and proof to begin with, for the plugin that the server greeted with."""
        self._plugin = plugin
        proof = login.proof_of(plugin, self._password, self._scramble)
        if proof is None:
            self._plugin = NATIVE
            proof = login.proof_of(NATIVE, self._password, self._scramble)
        return self._plugin, proof or b""

    def reply(self, payload: bytes) -> bytes | None:
        """What to send for a packet of the login; None for nothing. Raises Unspoken."""
        if payload[:1] == bytes((EOF,)):
            return self._switched(*login.read_switch(payload))
        if payload[:1] == bytes((MORE_DATA,)) and self._plugin == CACHING_SHA2:
            return self._more(payload[1:])
        raise Unspoken(f"the server goes on with {self._plugin} in a way that wiretape does not speak")

    def _switched(self, plugin: str, data: bytes) -> bytes:
        self._plugin, self._scramble = plugin, data[:20] or self._scramble
        proof = login.proof_of(plugin, self._password, self._scramble)
        if proof is None and plugin == CLEAR and self._secure:
            return terminated(encoded(self._password))
        if proof is None:
            raise Unspoken(f"the server asks for a login by {plugin}, and wiretape speaks {NATIVE} and {CACHING_SHA2}")
        return proof

    def _more(self, data: bytes) -> bytes | None:
        if data == bytes((FAST_OK,)):
            return None
        if data == bytes((FULL_LOGIN,)):
            return terminated(encoded(self._password)) if self._secure else bytes((PUBLIC_KEY,))
        return self._encrypted(data)

    def _encrypted(self, pem: bytes) -> bytes:
        """The password for the server's RSA key."""
        # Imported here: it is needed once in a server's life, and takes long to load.
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import padding, rsa

        try:
            key = serialization.load_pem_public_key(pem)
        except ValueError as error:
            raise Unspoken("the server's public key cannot be read") from error
        if not isinstance(key, rsa.RSAPublicKey):
            raise Unspoken("the server's public key is not of RSA")
        hidden = login.hidden(self._password, self._scramble)
        return key.encrypt(hidden, padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None))
