"""How apps name a Postgres server: URLs, `key=value` strings and PG* variables (libpq's chapter "Connection Strings").

Pure text. A password is read here to log in with it and is never part of an error, an endpoint or a recording.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode

from wiretape_capture.errors import UsageError

POSTGRES_PORT = 5432
URL = re.compile(
    r"(?P<scheme>(?:jdbc:)?postgres(?:ql)?(?:\+\w+)?)://(?:(?P<login>[^@/?\s]*)@)?(?P<place>[^/?\s\"']*)"
    r"(?:/(?P<database>[^?\s\"']*))?(?:\?(?P<query>[^\s\"']*))?"
)
_PAIR = re.compile(r"(\w+)\s*=\s*('(?:[^'\\]|\\.)*'|\S*)")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", ""})

OF_TRANSPORT = frozenset({
    "host", "hostaddr", "port", "sslmode", "ssl", "sslrootcert", "sslcert", "sslkey", "sslcrl", "sslnegotiation",
    "sslfactory", "sslpassword", "channel_binding", "channelBinding", "gssencmode", "gssEncMode", "require_auth",
    "target_session_attrs", "targetServerType", "load_balance_hosts",
})  # fmt: skip
"""Parameters that say how the server is reached: between the app and us they do not hold."""


@dataclass(frozen=True)
class Dsn:
    """One server with a login."""

    host: str
    """A directory where the server listens on a Unix socket."""
    port: int
    user: str = ""
    password: str = field(default="", repr=False)
    database: str = ""
    options: Mapping[str, str] = field(default_factory=dict)

    def is_at(self, host: str, port: int) -> bool:
        """Whether this names the server at an address; all names of this machine are one."""
        return self.port == port and _one_name(self.host) == _one_name(host)


def _one_name(host: str) -> str:
    return "localhost" if host.lower() in _LOOPBACK else host.lower()


def parse_url(text: str) -> Dsn | None:
    """The server that a URL names; None for a text that is no such URL. Raises UsageError for a bad one."""
    found = URL.fullmatch(text)
    if found is None:
        return None
    user, _, password = (found["login"] or "").partition(":")
    options = dict(parse_qsl(found["query"] or "", keep_blank_values=True))
    host, port = place_of(found["place"] or "", options, POSTGRES_PORT, "postgres")
    return Dsn(
        host, port, unquote(user) or options.get("user", ""), unquote(password) or options.get("password", ""),
        unquote(found["database"] or "") or options.get("dbname", ""), options,
    )  # fmt: skip


def place_of(place: str, options: Mapping[str, str], default: int, scheme: str) -> tuple[str, int]:
    """Host and port of a URL, from the URL itself or its parameters. Raises UsageError."""
    bracketed = re.fullmatch(r"\[([^\]]*)\](?::(\d*))?|([^:]*)(?::(\d*))?", place)
    if bracketed is None or "," in place:
        raise UsageError(f"a {scheme} URL names several servers or none that can be read",
                         f"name one: {scheme}://HOST:PORT/DATABASE")  # fmt: skip
    host = bracketed[1] or unquote(bracketed[3] or "") or options.get("host", "") or "localhost"
    digits = bracketed[2] or bracketed[4] or options.get("port", "") or str(default)
    if not digits.isdecimal() or not 0 < int(digits) < 65536:
        raise UsageError(f"{digits[:20]!r} in a {scheme} URL is not a port", "use a number from 1 to 65535")
    return host, int(digits)


def parse_pairs(text: str) -> Dsn | None:
    """The server that `host=… port=… dbname=…` names; None for a text that is no such string."""
    options = {name: _unquoted(value) for name, value in _PAIR.findall(text)}
    known = {"host", "hostaddr", "dbname", "user"} & options.keys()
    if len(known) < 2 or _PAIR.sub("", text).strip():
        return None
    port = options.get("port", "") or str(POSTGRES_PORT)
    if not port.isdecimal():
        return None
    host = options.get("hostaddr") or options.get("host") or "localhost"
    return Dsn(
        host, int(port), options.get("user", ""), options.get("password", ""), options.get("dbname", ""), options
    )


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith("'") else value


def parse_variables(environ: Mapping[str, str]) -> Dsn | None:
    """The server that PGHOST and its like name; None where they name none."""
    host = environ.get("PGHOSTADDR") or environ.get("PGHOST") or ""
    port = environ.get("PGPORT") or str(POSTGRES_PORT)
    if not host or "," in host or not port.isdecimal():
        return None
    options = {"sslmode": environ.get("PGSSLMODE", ""), "sslrootcert": environ.get("PGSSLROOTCERT", ""),
               "sslcert": environ.get("PGSSLCERT", ""), "sslkey": environ.get("PGSSLKEY", "")}  # fmt: skip
    return Dsn(host, int(port), environ.get("PGUSER", ""), environ.get("PGPASSWORD", ""), environ.get("PGDATABASE", ""),
               {name: value for name, value in options.items() if value})  # fmt: skip


def named_servers(environ: Mapping[str, str]) -> Iterator[tuple[str, Dsn]]:
    """Every server that an environment names, with the variable that does; PG* counts as `PGHOST`."""
    for name, value in environ.items():
        try:
            dsn = parse_url(value) if "://" in value else parse_pairs(value) if "=" in value else None
        except UsageError:
            continue  # the app's own business
        if dsn is not None:
            yield name, dsn
    if (dsn := parse_variables(environ)) is not None:
        yield "PGHOST", dsn


def passwords(environ: Mapping[str, str], host: str, port: int) -> dict[str, str]:
    """Passwords for a server by user; `""` stands for any user."""
    found = {}
    for name, dsn in named_servers(environ):
        if dsn.password and (name == "PGHOST" or dsn.is_at(host, port)):
            found[dsn.user] = dsn.password
    if environ.get("PGPASSWORD"):
        found.setdefault(environ.get("PGUSER", ""), environ["PGPASSWORD"])
    return found


def password_in_file(lines: str, host: str, port: int, database: str, user: str) -> str:
    """The password that a `.pgpass` file has for a login; empty where it has none."""
    wanted = ("localhost" if host.startswith("/") else host, str(port), database, user)
    for line in lines.splitlines():
        fields = [re.sub(r"\\(.)", r"\1", each) for each in re.findall(r"((?:[^:\\]|\\.)*)(?::|\Z)", line)]
        fits = all(given in ("*", asked) for given, asked in zip(fields, wanted, strict=False))
        if fits and len(fields) >= 5 and not line.startswith("#"):
            return fields[4]
    return ""


def password_file(environ: Mapping[str, str]) -> Path:
    """Where libpq looks for passwords."""
    return Path(environ.get("PGPASSFILE") or Path(environ.get("HOME", "/")) / ".pgpass")


def pointed_url(text: str, host: str, port: int, local: str) -> str:
    """A text with every URL of the server at `host:port` pointed at `local` (`host:port`), its password taken out."""

    def pointed(found: re.Match[str]) -> str:
        try:
            dsn = parse_url(found[0])
        except UsageError:
            return found[0]
        return _rewritten(found, local) if dsn is not None and dsn.is_at(host, port) else found[0]

    return URL.sub(pointed, text)


def _rewritten(found: re.Match[str], local: str) -> str:
    user, colon, _ = (found["login"] or "").partition(":")
    login = f"{user}{':wiretape' if colon else ''}@" if found["login"] else ""
    pairs = [(name, "wiretape" if name == "password" else value)
             for name, value in parse_qsl(found["query"] or "", keep_blank_values=True)
             if name not in OF_TRANSPORT]  # fmt: skip
    plain = plain_option(found["scheme"])
    query = urlencode([*pairs, *([plain] if plain else [])], quote_via=quote)
    return f"{found['scheme']}://{login}{local}/{found['database'] or ''}" + (f"?{query}" if query else "")


def plain_option(scheme: str) -> tuple[str, str] | None:
    """What keeps a driver from asking for TLS on the way to us; None where it does not ask by itself."""
    if scheme.startswith("jdbc:"):
        return "sslmode", "disable"
    driver = scheme.partition("+")[2]
    return {"asyncpg": ("ssl", "disable"), "pg8000": None}.get(driver, ("sslmode", "disable"))


def pointed_pairs(text: str, host: str, port: int, local: str) -> str:
    """A `key=value` string of the server at `host:port` pointed at `local`."""
    dsn = parse_pairs(text)
    if dsn is None or not dsn.is_at(host, port):
        return text
    here, _, number = local.rpartition(":")
    kept = {name: value for name, value in dsn.options.items() if name not in OF_TRANSPORT}
    if "password" in kept:
        kept["password"] = "wiretape"
    pairs = {"host": here, "port": number, "sslmode": "disable", **kept}
    return " ".join(f"{name}={_quoted(value)}" for name, value in pairs.items())


def _quoted(value: str) -> str:
    if value and re.fullmatch(r"[^\s'\\]+", value):
        return value
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def pointed_variables(environ: Mapping[str, str], host: str, port: int, local: str) -> dict[str, str]:
    """Changes to PG* and to pairs such as DB_HOST and DB_PORT that name the server at `host:port`."""
    here, _, number = local.rpartition(":")
    changed: dict[str, str] = {}
    dsn = parse_variables(environ)
    if dsn is not None and dsn.is_at(host, port):
        changed = {"PGHOST": here, "PGPORT": number, "PGSSLMODE": "disable", "PGGSSENCMODE": "disable",
                   "PGCHANNELBINDING": "prefer", "PGREQUIREAUTH": ""}  # fmt: skip
        changed |= {"PGHOSTADDR": here} if environ.get("PGHOSTADDR") else {}
    return changed | pointed_by_name(environ, host, port, local)


def pointed_by_name(environ: Mapping[str, str], host: str, port: int, local: str) -> dict[str, str]:
    """Changes to pairs such as DB_HOST and DB_PORT that name the server at `host:port`."""
    here, _, number = local.rpartition(":")
    changed: dict[str, str] = {}
    for name, value in environ.items():
        partner = name.removesuffix("HOST") + "PORT"
        if name.endswith("_HOST") and environ.get(partner, "") == str(port) and Dsn(value, port).is_at(host, port):
            changed |= {name: here, partner: number}
    return changed


def pointed(text: str, host: str, port: int, local: str) -> str:
    """A text with every name of the server at `host:port` pointed at `local`."""
    found = pointed_url(text, host, port, local)
    return found if found != text else pointed_pairs(text, host, port, local)
