"""Credentials in recorded traffic, replaced by short fingerprints before an agent sees them.

What carries a credential is told by its name, in headers and in query parameters. The fingerprint is keyed, so that it
tells two tokens apart without letting anyone check a guess.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Callable

from wiretape_capture.snapshot.exchange import Exchange, Headers, Request, Response

_NAME = re.compile(
    r"token|secret|passw(or)?d|passphrase|(api|access|private|encryption|signing|subscription)-?key|credential|"
    r"signature|session|csrf|xsrf|jwt|hmac|(^|-)auth(entication|orization)?($|-)|(^|-)(pwd|sig|sid|cookie2?)($|-)",
    re.ASCII,
)
_OPEN = frozenset({"www-authenticate", "proxy-authenticate", "access-control-allow-credentials"})
"""Headers that say how to prove who one is, and hold no proof."""
_SCHEMED = frozenset({"authorization", "proxy-authorization"})
_QUERY = re.compile(r"(?<=[?&;])([^=&;#\s'\"<>]{1,100})=([^&;#\s'\"<>]+)")
_USERINFO = re.compile(r"(?<=://)([^/@\s'\"]+)@")


def carries_credential(name: str) -> bool:
    """Whether a header or query parameter of this name holds what must not be shown."""
    lower = name.lower().replace("_", "-")
    return lower not in _OPEN and _NAME.search(lower) is not None


class Mask:
    """Masks with one key: equal values stay equal."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def fingerprint(self, value: str) -> str:
        """`<masked 1f3a09>`."""
        digest = hashlib.blake2b(value.encode("utf-8", "surrogateescape"), key=self._key, digest_size=3).hexdigest()
        return f"<masked {digest}>"

    def header(self, name: str, value: str) -> str:
        """The value of one header as it may be shown."""
        lower = name.lower()
        if lower in _SCHEMED:
            scheme, _, rest = value.partition(" ")
            return f"{scheme} {self.fingerprint(rest)}" if rest else self.fingerprint(value)
        if lower == "cookie":
            return "; ".join(_pair(part, self.fingerprint) for part in value.split("; "))
        if lower == "set-cookie":
            pair, separator, attributes = value.partition(";")
            return _pair(pair, self.fingerprint) + separator + attributes
        return self.fingerprint(value) if carries_credential(lower) else self.queries(value)

    def headers(self, headers: Headers) -> Headers:
        """All headers, order and duplicates kept."""
        return tuple((name, self.header(name, value)) for name, value in headers)

    def queries(self, text: str) -> str:
        """A target, URL or sentence with what carries credentials masked: query parameters and users of URLs."""
        hidden = _QUERY.sub(
            lambda found: f"{found[1]}={self.fingerprint(found[2])}" if carries_credential(found[1]) else found[0], text
        )
        return _USERINFO.sub(lambda found: self.fingerprint(found[1]) + "@", hidden)

    def curl(self, line: str) -> str:
        """A shell line that repeats a request; one that is not understood is not shown."""
        try:
            words = shlex.split(line)
        except ValueError:
            return ""
        for at, word in enumerate(words):
            name, separator, value = word.partition(":")
            if at and words[at - 1] == "-H" and separator:
                words[at] = f"{name}: {self.header(name.strip(), value.strip())}"
            elif word.startswith(("http://", "https://")):
                words[at] = self.queries(word)
        return shlex.join(words) if words != shlex.split(line) else line

    def exchange(self, exchange: Exchange) -> Exchange:
        """An exchange with what is masked of its heads; bodies stay."""
        response = exchange.response and self._response(exchange.response)
        return exchange.model_copy(update={
            "location": self.queries(exchange.location), "request": self._request(exchange.request),
            "response": response,
        })  # fmt: skip

    def _request(self, request: Request) -> Request:
        changes = {"target": self.queries(request.target), "headers": self.headers(request.headers)}
        return request.model_copy(update=changes)

    def _response(self, response: Response) -> Response:
        return response.model_copy(update={"headers": self.headers(response.headers)})


def _pair(pair: str, fingerprint: Callable[[str], str]) -> str:
    name, separator, value = pair.partition("=")
    return f"{name}={fingerprint(value)}" if separator else fingerprint(pair)
