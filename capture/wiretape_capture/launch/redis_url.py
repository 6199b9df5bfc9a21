"""How apps name a Redis server: URLs as its clients and Celery read them, and REDIS_HOST and its like.

Pure text. A password is read here to log in with it and is never part of an error, an endpoint or a recording.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl, quote, unquote, urlencode

from wiretape_capture.errors import UsageError
from wiretape_capture.launch.database_url import Dsn, Named, Urls, login_of, place_of, pointed_by_name

REDIS_PORT = 6379
SECURE = frozenset({"rediss", "valkeys"})
SOCKETS = frozenset({"unix", "redis+socket", "redis+unix"})
OF_TRANSPORT = re.compile(r"(?i)(ssl|tls|host\Z|port\Z|path\Z)")
"""Parameters that say how the server is reached: between the app and us they do not hold."""
_HOST = re.compile(r"(?P<stem>(?:\w*_)?(?:REDIS|VALKEY)_?)HOST(?:NAME)?\Z")
_SAYS_REDIS = re.compile(r"(?i)redis|valkey|cache|celery|broker|[?&]db=")
_TRUE = {"1": "0", "true": "false", "True": "False", "TRUE": "FALSE", "yes": "no", "on": "off"}


def _read(match: re.Match[str]) -> Dsn:
    options = dict(parse_qsl(match["query"] or "", keep_blank_values=True))
    path = unquote(match["path"] or "")
    if match["scheme"] in SOCKETS:
        host, port, database = path, 0, options.get("db") or options.get("virtual_host") or ""
        if len(path) < 2 or match["place"]:
            raise UsageError("a Redis URL names no socket", "write unix:///PATH/OF/SOCKET?db=0")
    else:
        host, port = place_of(match["place"], options, REDIS_PORT, "redis")
        database = options.get("db") or path.strip("/")
    if match["scheme"] in SECURE:
        options["tls"] = "true"
    user, password = login_of(match)
    return Dsn(host, port, user or options.get("username", ""), password or options.get("password", ""), database,
               options)  # fmt: skip


def by_parts(environ: Mapping[str, str]) -> Iterator[Named]:
    """The servers that REDIS_HOST and its like name."""
    for name, value in environ.items():
        if (dsn := _by_host(name, value, environ)) is not None:
            yield Named(name, dsn)


def evident(named: Named) -> bool:
    """Whether a variable means Redis: `unix://` is also how Docker and others name their sockets."""
    told = f"{named.variable} {named.url}"
    return not named.url.startswith("unix:") or _SAYS_REDIS.search(told) is not None


def _by_host(name: str, value: str, environ: Mapping[str, str]) -> Dsn | None:
    """The server that REDIS_HOST names, with REDIS_PORT, REDIS_PASSWORD and so on."""
    found = _HOST.match(name)
    if found is None or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*|[0-9a-fA-F:]+", value):
        return None
    stem = found["stem"]
    port = environ.get(f"{stem}PORT") or str(REDIS_PORT)
    if not port.isdecimal() or not 0 < int(port) < 65536:
        return None
    secure = any(environ.get(stem + each, "").lower() in ("1", "true", "yes", "on") for each in ("TLS", "SSL"))
    user = environ.get(f"{stem}USERNAME") or environ.get(f"{stem}USER") or ""
    return Dsn(value, int(port), user, environ.get(f"{stem}PASSWORD", ""), environ.get(f"{stem}DB", ""),
               {"tls": "true"} if secure else {})  # fmt: skip


def _rewritten(match: re.Match[str], server: Dsn, local: str) -> str:
    user, colon, _ = (match["login"] or "").partition(":")
    login = "" if not match["login"] else f"{user}:wiretape@" if colon else "wiretape@"
    path = match["path"] or ""
    pairs = [(name, "wiretape" if name == "password" else value)
             for name, value in parse_qsl(match["query"] or "", keep_blank_values=True)
             if not OF_TRANSPORT.match(name)]  # fmt: skip
    if match["scheme"] in SOCKETS:
        path = f"/{server.database}" if server.database else ""
        pairs = [(name, value) for name, value in pairs if name not in ("db", "virtual_host")]
    query = urlencode(pairs, quote_via=quote)
    scheme = "valkey" if match["scheme"].startswith("valkey") else "redis"
    return f"{scheme}://{login}{local}{path}" + (f"?{query}" if query else "")


URLS = Urls(r"rediss?|valkeys?|unix|redis\+(?:socket|unix)", _read, _rewritten)


def pointed_variables(environ: Mapping[str, str], host: str, port: int, local: str) -> dict[str, str]:
    """Changes to REDIS_HOST, REDIS_PORT, REDIS_TLS and pairs such as CACHE_HOST and CACHE_PORT that name the server."""
    here, _, number = local.rpartition(":")
    changed = pointed_by_name(environ, host, port, local)
    for name, value in environ.items():
        dsn = _by_host(name, value, environ)
        if dsn is None or not dsn.is_at(host, port):
            continue
        stem = name.rpartition("HOST")[0]
        changed |= {name: here, f"{stem}PORT": number}
        for switch in (f"{stem}TLS", f"{stem}SSL"):
            if environ.get(switch) in _TRUE:
                changed[switch] = _TRUE[environ[switch]]
    return changed
