"""Where a request is meant to go: the service that a listener, a CONNECT or an absolute target names. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from wiretape_capture.launch.spec import ServiceMap
from wiretape_capture.protocols.http import header
from wiretape_capture.snapshot.exchange import Headers
from wiretape_replay.match.index import Index
from wiretape_replay.mock.allow import split_authority


@dataclass(frozen=True, slots=True)
class Origin:
    """The real server that a request is meant for."""

    scheme: str
    authority: str
    """`host:port`."""
    name: str = ""
    """The map's name, where a map stands for it."""


PROXY = Origin("", "")
"""A connection to the proxy port that has not said where it wants to go."""


def mapped(service: ServiceMap) -> Origin:
    """What a map's listener stands for."""
    host = f"[{service.host}]" if ":" in service.host else service.host
    return Origin(service.scheme, f"{host}:{service.port}", service.name)


def aim(origin: Origin, target: str, headers: Headers) -> tuple[Origin, str]:
    """The origin of one request, and its target in origin form."""
    scheme, separator, rest = target.partition("://")
    if separator and scheme.lower() in ("http", "https"):
        scheme = scheme.lower()
        end = min((at for mark in "/?#" if (at := rest.find(mark)) >= 0), default=len(rest))
        authority, path = rest[:end].rpartition("@")[2], rest[end:]
        target = path if path.startswith("/") else "/" + path
        # A map's listener stands for its service whatever the target says.
        return (origin if origin.name else _whole(scheme, authority)), target
    if origin is PROXY:
        return _whole("http", header(headers, "host") or ""), target
    return origin, target


def _whole(scheme: str, authority: str) -> Origin:
    host, port = split_authority(authority, 443 if scheme == "https" else 80)
    return Origin(scheme, f"[{host}]:{port}" if ":" in host else f"{host}:{port}")


def service_of(index: Index, origin: Origin, headers: Headers) -> str:
    """The name under which the service is indexed; the Host header helps where only an address was dialled."""
    service = index.service(origin.scheme, origin.name or origin.authority)
    if service in index.by_service or origin.name:
        return service
    named = header(headers, "host")
    if named:
        other = index.service(origin.scheme, _whole(origin.scheme, named).authority)
        if other in index.by_service:
            return other
    return service
