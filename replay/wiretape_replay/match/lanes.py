"""Whose request it is: a session named by the request itself, where the recording shows that this tells sessions apart.

Pure. It looks at headers only; ids inside of requests are followed by bindings.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

from wiretape_capture.protocols.http import header
from wiretape_capture.snapshot.exchange import Headers
from wiretape_replay.formats import jwt_claims

SHARED = ""
"""The lane of all requests that do not say whose they are."""
NAMED = "wiretape-session"
"""The header by which traffic names its session for us."""
SESSION_HEADERS = ("x-session-id", "x-session", "x-user-id", "x-tenant-id")
_SUBJECT_CLAIMS = ("sid", "sub")
_SIGNED = ("aws4-", "digest ", "oauth ", "signature ", "hawk ", "dpop ")
"""Schemes whose value is new in every request."""
_SOURCES = (NAMED, *SESSION_HEADERS, "authorization", "cookie")


@dataclass(frozen=True, slots=True)
class Lanes:
    """The header that tells sessions apart in one recording, if any does."""

    source: str = ""

    def lane(self, headers: Headers) -> str:
        """The session a request belongs to."""
        return session_value(self.source, headers) if self.source else SHARED


class LaneLearner:
    """Finds the header that tells sessions apart, one request after another."""

    def __init__(self) -> None:
        self._seen: list[tuple[str, ...]] = []
        self._counts = [Counter[str]() for _ in _SOURCES]

    def see(self, headers: Headers) -> None:
        """One more outbound request."""
        values = _values(headers)
        self._seen.append(values)
        for counter, value in zip(self._counts, values, strict=True):
            if value:
                counter[value] += 1

    def learned(self) -> Lanes:
        """The first source whose values come again, and of which there are several; our own header needs no proof."""
        named, *others = self._counts
        if named:
            return Lanes(NAMED)
        for source, values in zip(_SOURCES[1:], others, strict=True):
            if len(values) > 1 and values.total() >= 2 * len(values):
                return Lanes(source)
        return Lanes()

    def lanes(self) -> list[str]:
        """The lane of each request that was seen."""
        source = self.learned().source
        at = _SOURCES.index(source) if source else -1
        return [values[at] if source else SHARED for values in self._seen]


@lru_cache(maxsize=1 << 10)
def _values(headers: Headers) -> tuple[str, ...]:
    return tuple(session_value(source, headers) for source in _SOURCES)


def session_value(source: str, headers: Headers) -> str:
    """What one source says about whose request it is; empty when it says nothing."""
    value = header(headers, source) or ""
    if source == "authorization":
        return _subject(value)
    if source == "cookie":
        return "; ".join(sorted(pair.strip() for pair in value.split(";") if _names_session(pair)))
    return value


def trace_of(headers: Headers) -> str:
    """The W3C trace id of a request (traceparent), or its request id."""
    parts = (header(headers, "traceparent") or "").split("-")
    return parts[1] if len(parts) == 4 else (header(headers, "x-request-id") or "")


def _subject(authorization: str) -> str:
    if authorization.lower().startswith(_SIGNED):
        return SHARED
    parsed = jwt_claims(authorization.rpartition(" ")[2])
    if parsed is None:
        return authorization
    subject = next((parsed[1][name] for name in _SUBJECT_CLAIMS if name in parsed[1]), None)
    return f"jwt {subject}" if subject is not None else authorization


def _names_session(pair: str) -> bool:
    name = pair.partition("=")[0].strip().lower()
    return any(part in name for part in ("sess", "sid", "auth", "token", "user"))
