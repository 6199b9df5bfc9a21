"""The proxy that the app would have used without us, from its environment. Pure; opens nothing.

Where direct connections are blocked, a recorder that ignores it would be stricter than the app.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from urllib.parse import SplitResult, unquote, urlsplit

DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Upstream:
    """One HTTP proxy of the user's network."""

    scheme: str
    host: str
    port: int
    authorization: str = ""
    """Value of `Proxy-Authorization`; never shown."""

    @property
    def via(self) -> tuple[str, tuple[str, int]]:
        """As mitmproxy names it."""
        return self.scheme, (self.host, self.port)


@dataclass(frozen=True)
class Upstreams:
    """Which proxy a request goes through."""

    by_scheme: Mapping[str, Upstream]
    direct: tuple[str, ...] = ()
    unusable: tuple[str, ...] = ()
    """Schemes of preset proxies that we cannot speak to, such as `socks5`."""

    def through(self, scheme: str, host: str, port: int) -> Upstream | None:
        """The proxy for a request, or None for a direct connection; loopback is always direct."""
        if is_loopback(host) or any(matches(rule, host, port) for rule in self.direct):
            return None
        return self.by_scheme.get(scheme)

    def authorization(self, host: str, port: int) -> str:
        """The credentials for one of the proxies."""
        known = (upstream for upstream in self.by_scheme.values() if (upstream.host, upstream.port) == (host, port))
        return next((upstream.authorization for upstream in known), "")


NO_UPSTREAMS = Upstreams({})


def from_environment(environ: Mapping[str, str]) -> Upstreams:
    """Read `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`; lower case wins, as in curl."""
    usable: dict[str, Upstream] = {}
    unusable: list[str] = []
    for scheme, url in _proxy_urls(environ):
        if url.scheme in DEFAULT_PORTS and url.hostname:
            usable[scheme] = _upstream(url)
        else:
            unusable.append(url.scheme)
    rules = _value(environ, "no_proxy").replace(" ", ",").split(",")
    return Upstreams(usable, tuple(rule.lower() for rule in rules if rule), tuple(dict.fromkeys(unusable)))


def _proxy_urls(environ: Mapping[str, str]) -> Iterator[tuple[str, SplitResult]]:
    for scheme in ("http", "https"):
        text = _value(environ, f"{scheme}_proxy") or _value(environ, "all_proxy")
        if text:
            yield scheme, urlsplit(text if "://" in text else f"http://{text}")


def _upstream(url: SplitResult) -> Upstream:
    name, password = unquote(url.username or ""), unquote(url.password or "")
    secret = f"Basic {b64encode(f'{name}:{password}'.encode()).decode()}" if url.username else ""
    return Upstream(url.scheme, url.hostname or "", url.port or DEFAULT_PORTS[url.scheme], secret)


def _value(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name) or environ.get(name.upper()) or ""


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def matches(rule: str, host: str, port: int) -> bool:
    """Whether a `NO_PROXY` entry covers a host: `*`, a name with its subdomains, `name:port`, an address, a network."""
    if rule == "*":
        return True
    name, _, rule_port = rule.rpartition(":") if rule.count(":") == 1 else (rule, "", "")
    if rule_port and rule_port != str(port):
        return False
    try:
        return ip_address(host) in ip_network(name, strict=False)
    except ValueError:
        name = name.removeprefix("*").removeprefix(".")
        return host.lower() == name or host.lower().endswith(f".{name}")
