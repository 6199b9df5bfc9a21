"""How apps name a MySQL or MariaDB server: URLs of many drivers, and MYSQL_* variables.

Pure text. A password is read here to log in with it and is never part of an error, an endpoint or a recording.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl, quote, unquote, urlencode

from wiretape_capture.errors import UsageError
from wiretape_capture.launch.dsn import Dsn, place_of, pointed_by_name

MYSQL_PORT = 3306
URL = re.compile(
    r"(?P<scheme>(?:jdbc:)?(?:mysql|mariadb)(?:\+\w+)?)://(?:(?P<login>[^@/?\s]*)@)?(?P<place>[^/?\s\"']*)"
    r"(?:/(?P<database>[^?\s\"']*))?(?:\?(?P<query>[^\s\"']*))?"
)
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


def parse_url(text: str) -> Dsn | None:
    """The server that a URL names; None for a text that is no such URL. Raises UsageError for a bad one."""
    found = URL.fullmatch(text)
    if found is None:
        return None
    user, _, password = (found["login"] or "").partition(":")
    given = dict(parse_qsl(found["query"] or "", keep_blank_values=True))
    socket = next((given[name] for name in _SOCKETS if given.get(name, "").startswith("/")), "")
    host, port = (socket, 0) if socket else place_of(found["place"] or "", {}, MYSQL_PORT, "mysql")
    return Dsn(
        host, port, unquote(user) or given.get("user", ""), unquote(password) or given.get("password", ""),
        unquote(found["database"] or ""), tls_options(given),
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


def parse_variables(environ: Mapping[str, str]) -> Iterator[tuple[str, Dsn]]:
    """The servers that MYSQL_HOST and its like name."""
    for prefix in _PREFIXES:
        host = environ.get(f"{prefix}_HOST", "")
        port = environ.get(f"{prefix}_PORT") or environ.get(f"{prefix}_TCP_PORT") or str(MYSQL_PORT)
        if host and "," not in host and port.isdecimal():
            user, password = _login(environ, prefix)
            database = environ.get(f"{prefix}_DATABASE") or environ.get(f"{prefix}_DB") or ""
            yield f"{prefix}_HOST", Dsn(host, int(port), user, password, database, {})


def _login(environ: Mapping[str, str], prefix: str) -> tuple[str, str]:
    user = next((environ[name] for end in ("USER", "USERNAME") if environ.get(name := f"{prefix}_{end}")), "")
    ends = ("PASSWORD", "PWD", "PASS")
    return user, next((environ[name] for end in ends if environ.get(name := f"{prefix}_{end}")), "")


def named_servers(environ: Mapping[str, str]) -> Iterator[tuple[str, Dsn]]:
    """Every server that an environment names, with the variable that does."""
    for name, value in environ.items():
        try:
            dsn = parse_url(value) if "://" in value else None
        except UsageError:
            continue  # the app's own business
        if dsn is not None:
            yield name, dsn
    yield from parse_variables(environ)


def passwords(environ: Mapping[str, str], host: str, port: int) -> dict[str, str]:
    """Passwords for a server by user; `""` stands for any user."""
    found = {dsn.user: dsn.password for _, dsn in named_servers(environ) if dsn.password and dsn.is_at(host, port)}
    for name, value in environ.items():
        if name.endswith("_HOST") and Dsn(value, port).is_at(host, port):
            user, password = _login(environ, name.removesuffix("_HOST"))
            if password:
                found.setdefault(user, password)
    if environ.get("MYSQL_PWD"):
        found.setdefault("", environ["MYSQL_PWD"])
    return found


def pointed(text: str, host: str, port: int, local: str) -> str:
    """A text with every URL of the server at `host:port` pointed at `local` (`host:port`), its password taken out."""

    def replaced(found: re.Match[str]) -> str:
        try:
            dsn = parse_url(found[0])
        except UsageError:
            return found[0]
        return _rewritten(found, local) if dsn is not None and dsn.is_at(host, port) else found[0]

    return URL.sub(replaced, text)


def _rewritten(found: re.Match[str], local: str) -> str:
    user, colon, _ = (found["login"] or "").partition(":")
    login = f"{user}{':wiretape' if colon else ''}@" if found["login"] else ""
    pairs = [(name, "wiretape" if name == "password" else value)
             for name, value in parse_qsl(found["query"] or "", keep_blank_values=True)
             if _plain(name) not in OF_TRANSPORT]  # fmt: skip
    if found["scheme"].startswith("jdbc:"):
        # These drivers ask for TLS by themselves; the words are their own.
        pairs.append(("sslMode", "DISABLED" if "mysql" in found["scheme"] else "disable"))
    query = urlencode(pairs, quote_via=quote)
    return f"{found['scheme']}://{login}{local}/{found['database'] or ''}" + (f"?{query}" if query else "")


def pointed_variables(environ: Mapping[str, str], host: str, port: int, local: str) -> dict[str, str]:
    """Changes to MYSQL_* and to pairs such as DB_HOST and DB_PORT that name the server at `host:port`."""
    here, _, number = local.rpartition(":")
    changed = pointed_by_name(environ, host, port, local)
    for name, dsn in parse_variables(environ):
        if dsn.is_at(host, port):
            prefix = name.removesuffix("_HOST")
            changed |= {name: here, f"{prefix}_PORT": number}
            changed |= {f"{prefix}_TCP_PORT": number} if prefix == "MYSQL" else {}
    return changed
