"""A request taken apart into comparable leaves, and its exact key. Pure; it does not know what was recorded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

from pydantic import JsonValue

from wiretape_capture.protocols.http import SAFE
from wiretape_capture.snapshot.exchange import Body, Headers
from wiretape_replay.match.content import Content, content_of

type Leaf = tuple[str, JsonValue]
"""A place (`path/0`, `query/NAME`, `header/NAME`, `body` and a JSON Pointer) and the value there."""

OPERATION_HEADERS = ("soapaction", "x-amz-target", "x-http-method-override", "range")
"""Headers that say what is asked for."""
TENANT_HEADERS = (
    "x-tenant", "x-tenant-id", "x-org-id", "x-organization", "x-organization-id", "x-account-id", "x-workspace-id",
    "x-project-id", "x-goog-user-project", "stripe-account", "x-shop-id", "openai-organization", "openai-project",
)  # fmt: skip
"""Headers that say for whom; no other header is part of the key."""
KEY_HEADERS = (*OPERATION_HEADERS, *TENANT_HEADERS)
KEY_HEADER_NAMES = frozenset(KEY_HEADERS)

READ_VERBS = ("Get", "List", "Describe", "Query", "Scan", "BatchGet", "Head", "Search")
LOOPBACK = frozenset({"127.0.0.1", "[::1]", "::1", "0.0.0.0"})
DEFAULT_PORTS = {"http": "80", "https": "443"}


@dataclass(frozen=True, slots=True)
class Parts:
    """One request, normalised: what two requests must share to be the same request."""

    method: str
    service: str
    segments: tuple[str, ...]
    query: tuple[tuple[str, str], ...]
    headers: tuple[tuple[str, str], ...]
    content: Content

    @property
    def exact(self) -> tuple[object, ...]:
        """The key of tier `exact`."""
        return (self.method, self.service, self.segments, self.query, self.headers, self.content.digest)

    @property
    def path(self) -> str:
        """The decoded path, for people."""
        return "/" + "/".join(self.segments)

    def leaves(self) -> Iterator[Leaf]:
        """Every place and value of the request but its method and service."""
        yield from ((f"path/{number}", segment) for number, segment in enumerate(self.segments))
        yield from numbered("query", self.query)
        yield from ((f"header/{name}", value) for name, value in self.headers)
        yield from self.content.leaves

    @property
    def writes(self) -> bool:
        """Whether the request may change the state of its service."""
        if self.method in SAFE:
            return False
        return not (self._graphql_read() or self._operation().startswith(READ_VERBS))

    def _operation(self) -> str:
        target = dict(self.headers).get("x-amz-target", "")
        return target.rpartition(".")[2] or str(dict(self.content.leaves).get("body/Action", ""))

    def _graphql_read(self) -> bool:
        query = dict(self.content.leaves).get("body/query") if self.segments[-1:] == ("graphql",) else None
        return isinstance(query, str) and not query.lstrip().startswith(("mutation", "subscription"))


def numbered(place: str, pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Leaves of a multimap: `place/NAME`, and `place/NAME/1` for a name's second value."""
    seen: Counter[str] = Counter()
    for name, value in pairs:
        count = seen[name]
        seen[name] += 1
        yield (f"{place}/{name}/{count}" if count else f"{place}/{name}"), value


def service_key(scheme: str, service: str) -> str:
    """`host:port` in lower case with the scheme's default port filled in; a map's name stays as it is."""
    host, colon, port = service.rpartition(":")
    if not colon or not port.isdigit():
        host, port = service, ""
    host = host.lower()
    if host in LOOPBACK:
        host = "localhost"
    if not port and not _is_host(host):
        return service
    return f"{host}:{port or DEFAULT_PORTS.get(scheme, '')}"


def _is_host(text: str) -> bool:
    return "." in text or text == "localhost" or text.startswith("[")


def split_path(target: str) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Decoded path segments, and the query's pairs sorted by name; a name's values keep their order."""
    path, _, query = target.partition("#")[0].partition("?")
    segments = tuple(unquote(segment) for segment in path.removeprefix("/").split("/"))
    pairs = parse_qsl(query, keep_blank_values=True) if query else ()
    return segments, tuple(sorted(pairs, key=lambda pair: pair[0]))


def parts_of(service: str, method: str, target: str, headers: Headers, body: Body) -> Parts:
    """The normalised form of a request to `service` (already a `service_key`)."""
    segments, query = split_path(target)
    return Parts(method, service, segments, query, _key_headers(headers), content_of(headers, body))


def _key_headers(headers: Headers) -> tuple[tuple[str, str], ...]:
    """The first value of each header that is part of the key, in the order of `KEY_HEADERS`."""
    found: dict[str, str] = {}
    for name, value in headers:
        if (lower := name.lower()) in KEY_HEADER_NAMES:
            found.setdefault(lower, value)
    return tuple((name, found[name]) for name in KEY_HEADERS if name in found) if found else ()
