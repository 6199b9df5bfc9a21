"""`--map`: what a user writes for one service, and how a variable that names the service is pointed at our listener.

Pure text; listening and forwarding belong to the recorder and the mock.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from wiretape_capture.errors import UsageError
from wiretape_capture.launch.database_url import ENCODE, Dsn
from wiretape_capture.launch.naming import NAMINGS, SCHEMES
from wiretape_capture.launch.postgres_dsn import SSL_MODES
from wiretape_capture.launch.spec import ServiceMap

DEFAULT_PORTS = {
    "http": 80, "ws": 80, "https": 443, "wss": 443, "tcp": 0,
    "postgres": 5432, "postgresql": 5432, "mysql": 3306, "mariadb": 3306, "redis": 6379, "mongodb": 27017, "amqp": 5672,
}  # fmt: skip
"""Schemes that a map understands, with their port; 0: has none."""

DATABASES = SCHEMES
"""Schemes whose traffic is understood, with the name of its protocol."""
HTTP_SCHEMES = {"http": "http", "ws": "http", "https": "https", "wss": "https"}
TLS_PORTS = frozenset({443, 8443})
TCP_PORTS = frozenset({1433, 1521, 3306, 4222, 5432, 5672, 6379, 9042, 9092, 11211, 27017})
"""Ports of services that do not speak HTTP, for maps without a scheme."""

FORM = "write NAME=URL[@PORT], such as payments=https://api.example.com@9001, or HOST:PORT"

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*\Z")
_NAMED = re.compile(r"([^=/@:\[\]]*)=(.*)\Z", re.DOTALL)
_MISTYPED = re.compile(r"([A-Za-z][A-Za-z0-9+]*)(//|:/(?!/))")
_LISTEN = re.compile(r"(.+)@([0-9]+)\Z", re.DOTALL)


def parse_map(text: str) -> ServiceMap:
    """One `--map` value. Without a name, the service is called `host:port`."""
    named = _NAMED.match(text)
    name, rest = (named[1], named[2]) if named else ("", text)
    if named and not _NAME.match(name):
        raise UsageError(
            f"{name!r} in --map {text!r} is not a name", "begin with a letter; use letters, digits, - and _"
        )
    listening = _LISTEN.match(rest)
    url, listen = (listening[1], _port(listening[2], text)) if listening else (rest, 0)
    _check_separator(name, url)
    scheme, colon, _ = url.partition("://")
    if colon and scheme.partition("+")[0] in SCHEMES:
        return database_map(name, url, listen)
    scheme, host, port = _service(url, text)
    return ServiceMap(name=name or f"{host}:{port}", scheme=scheme, host=host, port=port, listen=listen)


def _check_separator(name: str, url: str) -> None:
    """A known scheme whose `://` is mistyped would be taken for a host."""
    found = _MISTYPED.match(url)
    if found and (found[1].partition("+")[0] in SCHEMES or found[1] in DEFAULT_PORTS):
        missing = "a slash is" if found[2].startswith(":") else "the scheme's colon is"
        raise UsageError(f"{_called(name)}{missing} missing", f"write {found[1]}://HOST:PORT")


def database_map(name: str, url: str, listen: int = 0) -> ServiceMap:
    """The map of the database that a URL names. Errors name the map and never what its URL holds."""
    try:
        scheme, found = _database(url)
    except UsageError as error:
        raise UsageError(f"{_called(name)}{error.problem}", error.hint) from None
    return ServiceMap(name=name or f"{found.host}:{found.port}", scheme=scheme, host=found.host, port=found.port,
                      url=url, listen=listen)  # fmt: skip


def _called(name: str) -> str:
    return f"map {name!r}: " if name else "a map: "


def _database(url: str) -> tuple[str, Dsn]:
    """Protocol and server of a database's URL."""
    scheme = SCHEMES[url.partition("://")[0].partition("+")[0]]
    if not url.partition("://")[2]:
        raise UsageError(f"the {scheme} URL names no host", f"write {scheme}://USER@HOST:PORT/DATABASE")
    found = NAMINGS[scheme].urls.parse(url)
    if found is None:
        raise UsageError("a database's URL cannot be read", f"write {scheme}://USER@HOST:PORT/DATABASE; {ENCODE}")
    if scheme == "redis" and found.database and not found.database.isdecimal():
        raise UsageError(f"{found.database[:20]!r} in a redis URL is not a database, which Redis numbers",
                         "write redis://HOST:PORT/0, or leave it out")  # fmt: skip
    mode = found.options.get("sslmode", "")
    if scheme == "postgres" and mode and mode not in SSL_MODES:
        raise UsageError(f"{mode[:20]!r} is no sslmode", f"use one of {', '.join(SSL_MODES)}")
    return scheme, found


def found_databases(environ: Mapping[str, str], known: Sequence[ServiceMap]) -> tuple[ServiceMap, ...]:
    """Maps for the databases that an app's variables name, but for those that have one or cannot be understood here."""
    maps = list(known)
    for scheme, naming in NAMINGS.items():
        for each in naming.named_servers(environ) if naming.installed else ():
            server = each.server
            if not naming.evident(each) or any(server.is_at(other.host, other.port) for other in maps):
                continue
            name = naming.named.get(each.variable) or _name_of(each.variable)
            taken = {other.name for other in maps}
            name = next(one for one in (name, *(f"{name}-{n}" for n in range(2, len(taken) + 3))) if one not in taken)
            maps.append(ServiceMap(name=name, scheme=scheme, host=server.host, port=server.port, url=each.url,
                                   found_in=each.variable))  # fmt: skip
    return tuple(maps[len(known) :])


def left_alone(environ: Mapping[str, str]) -> Iterator[str]:
    """What to tell of variables that name a database in a way that cannot be pointed at a listener."""
    for naming in NAMINGS.values():
        for variable, value in environ.items():
            for error in naming.urls.unusable(value):
                yield f"what goes to the database that {variable} names is not recorded: {error}"
        if not naming.installed:
            for each in naming.named_servers(environ):
                yield f"what goes to the database that {each.variable} names is not recorded: {naming.missing}"


def _name_of(variable: str) -> str:
    """What a database is called after its variable: `DATABASE_URL` names `database`."""
    name = re.sub(r"_(URL|URI|DSN|HOST|HOSTNAME)\Z", "", variable.upper()).lower()
    return name if _NAME.match(name) else "database"


def parse_maps(texts: Iterable[str]) -> tuple[ServiceMap, ...]:
    """All `--map` values; a name or a local port given twice is an error."""
    maps = tuple(parse_map(text) for text in texts)
    names = [service.name for service in maps]
    ports = [service.listen for service in maps if service.listen]
    for twice in [name for name in names if names.count(name) > 1]:
        raise UsageError(f"two maps are named {twice!r}", "give each service its own name")
    for port in [port for port in ports if ports.count(port) > 1]:
        raise UsageError(f"two maps listen on port {port}", "give each its own port, or leave @PORT out")
    return maps


def variable(name: str) -> str:
    """The variable that tells the app where the map `name` listens: `payments` becomes `WIRETAPE_PAYMENTS_URL`."""
    return f"WIRETAPE_{re.sub(r'[^A-Za-z0-9]+', '_', name).strip('_').upper()}_URL"


def local_url(service: ServiceMap, local: str) -> str:
    """The URL of our listener as an app can use it: a database's with its user and database."""
    if service.scheme not in NAMINGS or not service.url:
        return local
    return NAMINGS[service.scheme].pointed(service.url, service.host, service.port, urlsplit(local).netloc)


def redirect(base: Mapping[str, str], maps: Mapping[str, str], services: Sequence[ServiceMap]) -> dict[str, str]:
    """Variables of `base` that name a mapped service, with the service replaced by our local URL."""
    changed: dict[str, str] = {}
    for service in services:
        if service.scheme in NAMINGS and service.name in maps:
            place = urlsplit(maps[service.name]).netloc
            changed |= NAMINGS[service.scheme].pointed_variables(base, service.host, service.port, place)
    for key, value in base.items():
        pointed = value
        for service in services:
            if service.name in maps:
                pointed = _pointed(pointed, service, maps[service.name])
        if pointed != value:
            changed[key] = pointed
    return changed


def _pointed(value: str, service: ServiceMap, local: str) -> str:
    place = urlsplit(local).netloc
    host = re.escape(f"[{service.host}]" if ":" in service.host else service.host)
    if service.scheme in NAMINGS:
        pointed = NAMINGS[service.scheme].pointed(value, service.host, service.port, place)
        return pointed if pointed != value else re.sub(rf"\A{host}:{service.port}\Z", place, value)
    if service.scheme == "tcp":
        return re.sub(rf"(?<![\w.-]){host}:{service.port}(?!\d)", place, value, flags=re.IGNORECASE)
    port = rf"(?::{service.port})" + ("?" if service.port == DEFAULT_PORTS[service.scheme] else "")
    value = re.sub(rf"\b{service.scheme}://{host}{port}(?![\w.:-])", f"http://{place}", value, flags=re.IGNORECASE)
    # A bare host:port has no scheme that would have to change with it.
    return re.sub(rf"\A{host}:{service.port}\Z", place, value, flags=re.IGNORECASE)


def _service(url: str, text: str) -> tuple[str, str, int]:
    """Scheme, host and port of a map's target."""
    bare = "://" not in url
    try:
        parts = urlsplit(f"//{url}" if bare else url)
        host, given = parts.hostname or "", parts.port
    except ValueError as error:
        raise UsageError(f"--map {text!r} has no valid host and port", FORM) from error
    if not bare and parts.scheme not in DEFAULT_PORTS:
        raise UsageError(
            f"--map {text!r} has the unknown scheme {parts.scheme!r}", f"use one of {', '.join(DEFAULT_PORTS)}"
        )
    port = given or DEFAULT_PORTS.get(parts.scheme, 0)
    if not host or not port or re.search(r"\s", url):
        raise UsageError(f"--map {text!r} names no {'port' if host else 'host'}", FORM)
    scheme = _bare_scheme(port) if bare else HTTP_SCHEMES.get(parts.scheme, "tcp")
    if scheme != "tcp" and (parts.path not in ("", "/") or parts.query):
        raise UsageError(f"--map {text!r} has a path", "a map stands for a whole service: leave the path out")
    return scheme, host, port


def _bare_scheme(port: int) -> str:
    if port in TLS_PORTS:
        return "https"
    database = next((scheme for scheme, naming in NAMINGS.items() if naming.port == port), "")
    return database or ("tcp" if port in TCP_PORTS else "http")


def _port(digits: str, text: str) -> int:
    if not 0 < int(digits) < 65536:
        raise UsageError(f"{digits} in --map {text!r} is not a port", "use a number from 1 to 65535")
    return int(digits)
