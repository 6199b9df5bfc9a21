"""Credentials in recorded traffic, replaced by short fingerprints before an agent sees them.

The fingerprint is keyed, so that it tells two tokens apart without letting anyone check a guess.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable

from wiretape_capture.snapshot.exchange import Headers

_WHOLE = frozenset({"x-api-key", "api-key", "x-auth-token", "x-csrf-token", "x-amz-security-token"})
_SCHEMED = frozenset({"authorization", "proxy-authorization"})
_COOKIES = frozenset({"cookie"})
_SET_COOKIE = frozenset({"set-cookie"})
CREDENTIAL_HEADERS = _WHOLE | _SCHEMED | _COOKIES | _SET_COOKIE

_CURL_HEADER = re.compile(rf"(?i)\b({'|'.join(sorted(CREDENTIAL_HEADERS))})(\s*:\s*)([^'\"\n]+)")


class Mask:
    """Masks with one key: equal values stay equal."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def fingerprint(self, value: str) -> str:
        """`<masked 1f3a09>`."""
        digest = hashlib.blake2b(value.encode(), key=self._key, digest_size=3).hexdigest()
        return f"<masked {digest}>"

    def header(self, name: str, value: str) -> str:
        """The value of one header as it may be shown."""
        lower = name.lower()
        if lower in _SCHEMED:
            scheme, _, rest = value.partition(" ")
            return f"{scheme} {self.fingerprint(rest)}" if rest else self.fingerprint(value)
        if lower in _COOKIES:
            return "; ".join(_pair(part, self.fingerprint) for part in value.split("; "))
        if lower in _SET_COOKIE:
            pair, separator, attributes = value.partition(";")
            return _pair(pair, self.fingerprint) + separator + attributes
        return self.fingerprint(value) if lower in _WHOLE else value

    def headers(self, headers: Headers) -> Headers:
        """All headers, order and duplicates kept."""
        return tuple((name, self.header(name, value)) for name, value in headers)

    def text(self, text: str) -> str:
        """Free text, such as a curl line, with the values of credential headers masked."""
        return _CURL_HEADER.sub(lambda found: found[1] + found[2] + self.header(found[1], found[3]), text)


def _pair(pair: str, fingerprint: Callable[[str], str]) -> str:
    name, separator, value = pair.partition("=")
    return f"{name}={fingerprint(value)}" if separator else fingerprint(pair)
