"""How apps name a Postgres server: URLs, `key=value` strings and PG* variables (libpq's chapter "Connection Strings").

Pure text. A password is read here to log in with it and is never part of an error, an endpoint or a recording.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode

from wiretape_capture.launch.database_url import (
    Dsn,
    Named,
    Urls,
    login_here,
    login_of,
    logins_by_name,
    place_of,
    pointed_by_name,
)

POSTGRES_PORT = 5432
_PAIR = re.compile(r"(\w+)\s*=\s*('(?:[^'\\]|\\.)*'|\S*)")
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
"""What libpq takes for `sslmode`. In an app's own variable another driver may know more, such as `no-verify`."""
OF_TRANSPORT = frozenset({
    "host", "hostaddr", "port", "sslmode", "ssl", "sslrootcert", "sslcert", "sslkey", "sslcrl", "sslnegotiation",
    "sslfactory", "sslpassword", "channel_binding", "channelBinding", "gssencmode", "gssEncMode", "require_auth",
    "target_session_attrs", "targetServerType", "load_balance_hosts",
})  # fmt: skip
"""Parameters that say how the server is reached: between the app and us they do not hold."""


def _read(match: re.Match[str]) -> Dsn:
    user, password = login_of(match)
    options = dict(parse_qsl(match["query"] or "", keep_blank_values=True))
    host, port = place_of(match["place"], options, POSTGRES_PORT, "postgres")
    return Dsn(
        host, port, user or options.get("user", ""), password or options.get("password", ""),
        unquote((match["path"] or "")[1:]) or options.get("dbname", ""), options,
    )  # fmt: skip


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


def by_parts(environ: Mapping[str, str]) -> Iterator[Named]:
    """Servers that `key=value` strings and PG* name; PG* counts as `PGHOST`."""
    for name, value in environ.items():
        if "=" in value and "://" not in value and (dsn := parse_pairs(value)) is not None:
            yield Named(name, dsn)
    if (dsn := parse_variables(environ)) is not None:
        yield Named("PGHOST", dsn)


def logins(environ: Mapping[str, str], host: str, port: int) -> Iterator[tuple[str, str]]:
    """Users and passwords beside the names of a server; `""` stands for any user."""
    if environ.get("PGPASSWORD"):
        yield environ.get("PGUSER", ""), environ["PGPASSWORD"]
    yield from logins_by_name(environ, host, port)


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


def _rewritten(match: re.Match[str], _server: Dsn, local: str) -> str:
    pairs = [(name, "wiretape" if name == "password" else value)
             for name, value in parse_qsl(match["query"] or "", keep_blank_values=True)
             if name not in OF_TRANSPORT]  # fmt: skip
    plain = plain_option(match["scheme"])
    query = urlencode([*pairs, *([plain] if plain else [])], quote_via=quote)
    return f"{match['scheme']}://{login_here(match)}{local}{match['path'] or '/'}" + (f"?{query}" if query else "")


URLS = Urls(r"(?:jdbc:)?postgres(?:ql)?(?:\+\w+)?", _read, _rewritten)


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


def pointed(text: str, host: str, port: int, local: str) -> str:
    """A text with every name of the server at `host:port` pointed at `local`."""
    found = URLS.pointed(text, host, port, local)
    return found if found != text else pointed_pairs(text, host, port, local)
