"""How apps name a MongoDB server: connection strings of the drivers' specification, MONGO_HOST and its like.

Pure text. A password is read here to log in with it and is never part of an error, an endpoint or a recording.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl, quote, unquote, urlencode

from wiretape_capture.errors import UsageError
from wiretape_capture.launch.database_url import Dsn, Named, Urls, login_of, place_of, pointed_by_name

MONGODB_PORT = 27017
PASSWORD = "wiretape"
"""What stands for an app's own password where it must give one."""
_KEPT = re.compile(
    r"(?i)(appname|connecttimeoutms|sockettimeoutms|timeoutms|serverselection\w*|heartbeatfrequencyms|maxpoolsize|minpoolsize"
    r"|maxconnecting|maxidletimems|waitqueue\w*|retryreads|retrywrites|readpreference\w*|maxstalenessseconds|readconcernlevel"
    r"|w|wtimeoutms|wtimeout|journal|fsync|uuidrepresentation|unicode_decode_error_handler|tz_aware|localthresholdms"
    r"|servermonitoringmode|serverapi\w*|socketcheckintervalms|enableutf8validation)\Z"
)
"""Options that say nothing of how the server is reached and who asks; others do not hold between the app and us."""
_HOST = re.compile(r"(?P<stem>(?:\w*_)?MONGO(?:DB)?_?)HOST(?:NAME)?\Z")
_LOGINS = frozenset({"", "DEFAULT", "SCRAM-SHA-1", "SCRAM-SHA-256"})


def _read(match: re.Match[str]) -> Dsn:
    if match["scheme"] == "mongodb+srv":
        raise UsageError("mongodb+srv:// names servers that only DNS knows, and cannot be pointed at wiretape",
                         "write one of them: mongodb://USER:PASSWORD@HOST:27017/DATABASE?tls=true")  # fmt: skip
    options = {name.lower(): value for name, value in parse_qsl(match["query"] or "", keep_blank_values=True)}
    place = match["place"]
    if not place or place.lower().endswith(".sock"):
        raise UsageError(f"a MongoDB URL names {'a Unix socket' if place else 'no host'}",
                         "write mongodb://HOST:PORT/DATABASE")  # fmt: skip
    host, port = place_of(place, {}, MONGODB_PORT, "mongodb")
    user, password = login_of(match)
    if password:
        _check_mechanism(options)
    return Dsn(host, port, user, password, unquote((match["path"] or "")[1:]), options)


def by_parts(environ: Mapping[str, str]) -> Iterator[Named]:
    """The servers that MONGO_HOST and its like name."""
    for name, value in environ.items():
        if (dsn := _by_host(name, value, environ)) is not None:
            yield Named(name, dsn)


def _by_host(name: str, value: str, environ: Mapping[str, str]) -> Dsn | None:
    """The server that MONGO_HOST names, with MONGO_PORT."""
    found = _HOST.match(name)
    if found is None or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*|[0-9a-fA-F:]+", value):
        return None
    port = environ.get(f"{found['stem']}PORT") or str(MONGODB_PORT)
    if not port.isdecimal() or not 0 < int(port) < 65536:
        return None
    return Dsn(value, int(port))


def wants_tls(options: Mapping[str, str]) -> bool:
    """Whether a connection string's options ask for TLS."""
    return (options.get("tls") or options.get("ssl") or "false").lower() == "true"


def tls_options(options: Mapping[str, str]) -> dict[str, str]:
    """The options of TLS, as libpq calls them; certificates are verified unless that is turned off."""

    def on(*names: str) -> bool:
        return any(options.get(each, "").lower() == "true" for each in names)

    lax = on("tlsinsecure", "tlsallowinvalidcertificates")
    mode = "require" if lax else "verify-ca" if on("tlsallowinvalidhostnames") else "verify-full"
    return {"sslmode": mode, "sslrootcert": options.get("tlscafile") or options.get("ssl_ca_certs", ""),
            "sslcert": options.get("tlscertificatekeyfile", "")}  # fmt: skip


def source_of(dsn: Dsn) -> str:
    """The database that knows the user."""
    return dsn.options.get("authsource") or dsn.database or "admin"


def _check_mechanism(options: Mapping[str, str]) -> None:
    """Raises UsageError for a login that wiretape does not speak."""
    mechanism = options.get("authmechanism", "").upper()
    if mechanism not in _LOGINS:
        raise UsageError(f"authMechanism={mechanism} is not spoken",
                         "name a user with a password (SCRAM), or a server that asks for none")  # fmt: skip


def _rewritten(match: re.Match[str], _server: Dsn, local: str) -> str:
    """Without its login."""
    pairs = [(name, value) for name, value in parse_qsl(match["query"] or "", keep_blank_values=True)
             if _KEPT.match(name)]  # fmt: skip
    query = urlencode([*pairs, ("directConnection", "true"), ("tls", "false")], quote_via=quote)
    return f"mongodb://{local}{match['path'] or '/'}?{query}"


URLS = Urls(r"mongodb(?:\+srv)?", _read, _rewritten)


def pointed_variables(environ: Mapping[str, str], host: str, port: int, local: str) -> dict[str, str]:
    """Changes to MONGO_HOST, MONGO_PORT and pairs such as DOCS_HOST and DOCS_PORT that name the server."""
    here, _, number = local.rpartition(":")
    changed = pointed_by_name(environ, host, port, local)
    for name, value in environ.items():
        dsn = _by_host(name, value, environ)
        if dsn is not None and dsn.is_at(host, port):
            changed |= {name: here, f"{_HOST.sub(r'\g<stem>', name)}PORT": number}
    return changed
