"""How apps name a MySQL or MariaDB server: URLs of many drivers, and MYSQL_* variables.

Pure text. A password is read here to log in with it and is never part of an error, an endpoint or a recording.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl, quote, unquote, urlencode

from wiretape_capture.launch.database_url import (
    Dsn,
    Named,
    Urls,
    known_login,
    login_here,
    login_of,
    logins_by_name,
    place_of,
    pointed_by_name,
)

MYSQL_PORT = 3306
_SOCKETS = ("unix_socket", "socket", "socketPath", "localSocket")
_MODES = {
    "disabled": "disable", "disable": "disable", "false": "disable", "0": "disable", "preferred": "prefer",
    "prefer": "prefer", "required": "require", "require": "require", "trust": "require", "true": "require",
    "1": "require", "verify_ca": "verify-ca", "verify-ca": "verify-ca", "verify_identity": "verify-full",
    "verify-identity": "verify-full", "verify-full": "verify-full", "accept_invalid_certs": "require",
    "strict": "verify-full",
}  # fmt: skip
"""What drivers call the ways to use TLS, in lower case, in libpq's words."""
_PREFIXES = ("MYSQL", "MARIADB")

OF_TRANSPORT = frozenset({
    "host", "port", "sslmode", "ssl", "tls", "usessl", "requiressl", "verifyservercertificate", "sslaccept",
    "trustservercertificate", "sslca", "sslcert", "sslkey", "sslcapath", "sslcipher", "sslidentity", "sslpassword",
    "sslverifycert", "sslverifyidentity", "ssldisabled", "servercertificate", "tlsversion",
    "enabledtlsprotocols", "enabledsslprotocolsuites", "trustcertificatekeystoreurl", "compress", "usecompression",
    "compression", "serverrsapublickeyfile", "unixsocket", "socket", "socketpath", "localsocket",
})  # fmt: skip
"""Parameters that say how the server is reached, in lower case without `-` and `_`: between the app and us they do not
hold."""


def _plain(name: str) -> str:
    return re.sub(r"[-_]", "", name).lower()


def _read(match: re.Match[str]) -> Dsn:
    user, password = login_of(match)
    given = dict(parse_qsl(match["query"] or "", keep_blank_values=True))
    socket = next((given[name] for name in _SOCKETS if given.get(name, "").startswith("/")), "")
    host, port = (socket, 0) if socket else place_of(match["place"], {}, MYSQL_PORT, "mysql")
    return Dsn(
        host, port, user or given.get("user", ""), password or given.get("password", ""),
        unquote((match["path"] or "")[1:]), tls_options(given),
    )  # fmt: skip


def tls_options(given: Mapping[str, str]) -> dict[str, str]:
    """libpq's `sslmode`, `sslrootcert`, `sslcert` and `sslkey` for what a driver's parameters ask for."""
    plain = {_plain(name): value for name, value in given.items()}
    options = {}
    mode = next((plain[name] for name in ("sslmode", "sslaccept", "tls", "ssl", "usessl") if name in plain), "")
    mode = _MODES.get(mode.lower(), "")
    if plain.get("ssldisabled", "").lower() in ("true", "1"):
        mode = "disable"
    roots = plain.get("sslca") or plain.get("servercertificate") or ""
    if roots:
        options["sslrootcert"] = roots
        strict = plain.get("sslverifyidentity", plain.get("sslcheckhostname", "")).lower() in ("true", "1")
        mode = mode if mode not in ("", "prefer", "require") else "verify-full" if strict else "verify-ca"
    options |= {name: plain[name] for name in ("sslcert", "sslkey") if plain.get(name)}
    return options | ({"sslmode": mode} if mode else {})


def by_parts(environ: Mapping[str, str]) -> Iterator[Named]:
    """The servers that MYSQL_HOST and its like name."""
    for prefix in _PREFIXES:
        host = environ.get(f"{prefix}_HOST", "")
        port = environ.get(f"{prefix}_PORT") or environ.get(f"{prefix}_TCP_PORT") or str(MYSQL_PORT)
        if host and "," not in host and port.isdecimal():
            user, password = known_login(environ, prefix)
            database = environ.get(f"{prefix}_DATABASE") or environ.get(f"{prefix}_DB") or ""
            yield Named(f"{prefix}_HOST", Dsn(host, int(port), user, password, database, {}))


def logins(environ: Mapping[str, str], host: str, port: int) -> Iterator[tuple[str, str]]:
    """Users and passwords beside the names of a server; `""` stands for any user."""
    yield from logins_by_name(environ, host, port)
    if environ.get("MYSQL_PWD"):
        yield "", environ["MYSQL_PWD"]


def _rewritten(match: re.Match[str], _server: Dsn, local: str) -> str:
    pairs = [(name, "wiretape" if name == "password" else value)
             for name, value in parse_qsl(match["query"] or "", keep_blank_values=True)
             if _plain(name) not in OF_TRANSPORT]  # fmt: skip
    if match["scheme"].startswith("jdbc:"):
        # These drivers ask for TLS by themselves; the words are their own.
        pairs.append(("sslMode", "DISABLED" if "mysql" in match["scheme"] else "disable"))
    query = urlencode(pairs, quote_via=quote)
    return f"{match['scheme']}://{login_here(match)}{local}{match['path'] or '/'}" + (f"?{query}" if query else "")


URLS = Urls(r"(?:jdbc:)?(?:mysql|mariadb)(?:\+\w+)?", _read, _rewritten)


def pointed_variables(environ: Mapping[str, str], host: str, port: int, local: str) -> dict[str, str]:
    """Changes to MYSQL_* and to pairs such as DB_HOST and DB_PORT that name the server at `host:port`."""
    here, _, number = local.rpartition(":")
    changed = pointed_by_name(environ, host, port, local)
    for each in by_parts(environ):
        if each.server.is_at(host, port):
            prefix = each.variable.removesuffix("_HOST")
            changed |= {each.variable: here, f"{prefix}_PORT": number}
            changed |= {f"{prefix}_TCP_PORT": number} if prefix == "MYSQL" else {}
    return changed
