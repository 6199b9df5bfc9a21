"""Where a request goes and how its head looks there. Pure.

What it cannot say for sure it leaves to mitmproxy by giving None.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from wiretape_capture.proxy.authority import authority
from wiretape_capture.proxy.upstream import NO_UPSTREAMS, Upstreams
from wiretape_capture.tee.heads import RequestHead, request_head

DEFAULT_PORTS = {"http": 80, "https": 443}
HERE = ("localhost", "127.0.0.1", "::1")
KNOWN_LIMIT = 4096
"""Heads remembered by one listener, each of at most `KNOWN_HEAD` bytes."""
KNOWN_HEAD = 2048
TUNNEL_KNOWN_LIMIT = 32
"""The same of one tunnel, which is one connection."""

_ABSOLUTE = re.compile(rb"(?i:http)://([^/?#@]+)(/[^#]*)?")
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(?::([0-9]{1,5}))?")
_HOST_LINE = re.compile(rb"(\r\nhost[ \t]*:[ \t]*)[^\r\n]*", re.I)
_PROXY_LINES = re.compile(rb"\r\nproxy-(?:connection|authorization):[^\r\n]*", re.I)


class Aim(NamedTuple):
    """One service."""

    scheme: str
    host: str
    port: int


class Route(NamedTuple):
    """One request on its way."""

    aim: Aim
    method: bytes
    length: int
    closes: bool
    """Whether it is the client's last."""
    head: bytes
    """As the service gets it."""
    service: bytes
    """`host:port`."""
    told: bytes
    """Service and head, as the recorder is told of them."""


@dataclass
class Place:
    """One listener: in front of the app (`inbound`), standing for a service (`map`), or the outbound `proxy`."""

    kind: Literal["inbound", "map", "proxy"]
    aim: Aim | None = None
    own_ports: frozenset[int] = frozenset()
    """Ports of ours that the proxy must not be asked for."""
    upstreams: Upstreams = NO_UPSTREAMS
    """The network's own proxies: what goes through one is mitmproxy's."""
    known: dict[bytes, Route] = field(default_factory=dict)
    """Routes by head, for clients that say the same again."""

    def route(self, head: bytes) -> Route | None:
        """The way of a request that came to this listener."""
        found = self.known.get(head)
        if found is None and (found := self._route(head)) is not None and len(head) <= KNOWN_HEAD:
            if len(self.known) >= KNOWN_LIMIT:
                self.known.clear()
            self.known[head] = found
        return found

    def direct(self, scheme: str, host: str, port: int) -> bool:
        """Whether the tee may go to a host that a client names."""
        ours = port in self.own_ports and host in HERE
        return not ours and self.upstreams.through(scheme, host, port) is None

    def _route(self, head: bytes) -> Route | None:
        if self.kind == "proxy":
            return self._absolute(head)
        assert self.aim is not None
        read = request_head(head)
        if read is None or not read.target.startswith((b"/", b"*")):
            return None
        if self.kind == "map":
            if len(read.hosts) != 1:
                return None
            head = _HOST_LINE.sub(rb"\g<1>" + _host_of(self.aim), head, count=1)
        return route_of(self.aim, read, head)

    def _absolute(self, head: bytes) -> Route | None:
        read = request_head(head)
        parts = _ABSOLUTE.fullmatch(read.target) if read is not None else None
        if read is None or parts is None or read.method == b"CONNECT":
            return None
        place = split(parts[1].decode("latin-1"), 80)
        if place is None or not self.direct("http", *place):
            return None
        line = read.method + b" " + read.target
        head = _PROXY_LINES.sub(b"", read.method + b" " + (parts[2] or b"/") + head[len(line) :])
        aim = Aim("http", *place)
        return route_of(aim, read, head)


@dataclass
class Tunnel:
    """The inside of a tunnel to one service."""

    aim: Aim
    known: dict[bytes, Route] = field(default_factory=dict)

    def route(self, head: bytes) -> Route | None:
        """The way of a request that came through it."""
        read = request_head(head)
        if read is None or not read.target.startswith((b"/", b"*")):
            return None
        found = route_of(self.aim, read, head)
        if len(head) <= KNOWN_HEAD and len(self.known) < TUNNEL_KNOWN_LIMIT:
            self.known[head] = found
        return found


def split(text: str, default: int) -> tuple[str, int] | None:
    """Host and port of `host:port`; brackets around an IPv6 address go."""
    found = _AUTHORITY.fullmatch(text)
    if found is None or not text.isascii():
        return None
    port = int(found[2] or default)
    return (found[1].strip("[]"), port) if 0 < port < 65536 else None


def connecting(aim: Aim) -> Route:
    """The request for a tunnel to a service, to be recorded where the tunnel is all that came to be."""
    service = authority(aim.host, aim.port).encode("latin-1", "replace")
    head = b"CONNECT " + service + b" HTTP/1.1\r\n\r\n"
    return Route(aim, b"CONNECT", 0, True, head, service, service + head)


def connect_target(head: bytes) -> tuple[str, int] | None:
    """Where a CONNECT request wants to go; None when that is not clear."""
    read = request_head(head)
    if read is None or read.method != b"CONNECT" or read.length or b":" not in read.target:
        return None
    return split(read.target.decode("latin-1"), 443)


def route_of(aim: Aim, read: RequestHead, head: bytes) -> Route:
    """The way of a request to a service."""
    service = authority(aim.host, aim.port).encode("latin-1", "replace")
    return Route(aim, read.method, read.length, read.closes, head, service, service + head)


def _host_of(aim: Aim) -> bytes:
    if aim.port == DEFAULT_PORTS[aim.scheme]:
        return authority(aim.host, aim.port).rpartition(":")[0].encode()
    return authority(aim.host, aim.port).encode()
