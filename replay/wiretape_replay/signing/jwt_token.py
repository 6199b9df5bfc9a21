"""Signing a JSON Web Token again (RFC 7515, RFC 7519): HS256, RS256, ES256. Pure; keys and times are passed in."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from pydantic import JsonValue

ALGORITHMS = ("HS256", "RS256", "ES256")
CLOCK_CLAIMS = ("iat", "exp", "nbf", "auth_time")
"""Claims in seconds since 1970 that move with the clock (RFC 7519 §4.1)."""

type Key = bytes | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def read_key(text: bytes, alg: str) -> Key:
    """The key of an algorithm. Raises ValueError when it cannot be one."""
    if alg == "HS256":
        return text
    try:
        key = serialization.load_pem_private_key(text, password=None)
    except (TypeError, UnsupportedAlgorithm) as error:
        raise ValueError(str(error)) from None
    if alg == "RS256" and isinstance(key, rsa.RSAPrivateKey):
        return key
    if alg == "ES256" and isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise ValueError(f"it is no key for {alg}")


def shifted(claims: Mapping[str, JsonValue], seconds: int) -> dict[str, JsonValue]:
    """The claims with their times moved."""

    def move(name: str, value: JsonValue) -> JsonValue:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return value + seconds if name in CLOCK_CLAIMS and number else value  # type: ignore[operator]

    return {name: move(name, value) for name, value in claims.items()}


def sign(header: Mapping[str, JsonValue], claims: Mapping[str, JsonValue], key: Key) -> str:
    """The token in compact form; its algorithm is the one of the header."""
    text = f"{_part(header)}.{_part(claims)}"
    return f"{text}.{_base64(_signature(str(header['alg']), text.encode(), key))}"


def _signature(alg: str, text: bytes, key: Key) -> bytes:
    if isinstance(key, bytes):
        return hmac.digest(key, text, hashlib.sha256)
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(text, padding.PKCS1v15(), hashes.SHA256())
    assert alg == "ES256"
    r, s = decode_dss_signature(key.sign(text, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")  # RFC 7518 §3.4


def _part(value: Mapping[str, JsonValue]) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
