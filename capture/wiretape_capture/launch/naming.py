"""How apps name the databases that are understood, by protocol: one line for each. Pure text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec

from wiretape_capture.launch import mongodb_url, mysql_dsn, postgres_dsn, redis_url
from wiretape_capture.launch.database_url import Dsn, Named, Urls
from wiretape_capture.launch.spec import ServiceMap


@dataclass(frozen=True)
class Naming:
    """How one kind of server is named."""

    port: int
    urls: Urls
    by_parts: Callable[[Mapping[str, str]], Iterator[Named]]
    """Servers that variables name part by part, or in another way than by a URL."""
    pointed: Callable[[str, str, int, str], str]
    """A text with every name of the server at a host and port pointed at our listener (`host:port`)."""
    pointed_variables: Callable[[Mapping[str, str], str, int, str], dict[str, str]]
    """Changes to variables that name the server at a host and port part by part."""
    named: Mapping[str, str]
    """What a server is called that certain variables name part by part."""
    evident: Callable[[Named], bool] = lambda _named: True
    """Whether a name found in the variables surely means this kind of server."""
    package: str = ""
    """What must be installed to read its traffic."""
    missing: str = ""
    """What to do where it is not."""

    @property
    def installed(self) -> bool:
        """Whether its traffic can be read."""
        return not self.package or find_spec(self.package) is not None

    def named_servers(self, environ: Mapping[str, str]) -> Iterator[Named]:
        """Every server that an environment names; those in longer texts, which may be examples, come last."""
        by_urls = list(self.urls.named(environ))
        yield from (each for each in by_urls if not each.within)
        yield from self.by_parts(environ)
        yield from (each for each in by_urls if each.within)


NAMINGS: Mapping[str, Naming] = {
    "postgres": Naming(postgres_dsn.POSTGRES_PORT, postgres_dsn.URLS, postgres_dsn.by_parts, postgres_dsn.pointed,
                       postgres_dsn.pointed_variables, {"PGHOST": "postgres"}),
    "mysql": Naming(mysql_dsn.MYSQL_PORT, mysql_dsn.URLS, mysql_dsn.by_parts, mysql_dsn.URLS.pointed,
                    mysql_dsn.pointed_variables, {"MYSQL_HOST": "mysql", "MARIADB_HOST": "mariadb"}),
    "redis": Naming(redis_url.REDIS_PORT, redis_url.URLS, redis_url.by_parts, redis_url.URLS.pointed,
                    redis_url.pointed_variables, {}, redis_url.evident),
    "mongodb": Naming(mongodb_url.MONGODB_PORT, mongodb_url.URLS, mongodb_url.by_parts, mongodb_url.URLS.pointed,
                      mongodb_url.pointed_variables, {}, package="bson",
                      missing="pymongo is not installed; install it with: pip install 'wiretape[mongodb]'"),
}  # fmt: skip
SCHEMES = {
    "postgres": "postgres", "postgresql": "postgres", "mysql": "mysql", "mariadb": "mysql",
    "redis": "redis", "rediss": "redis", "valkey": "redis", "valkeys": "redis", "unix": "redis",
    "mongodb": "mongodb",
}  # fmt: skip
"""Schemes of URLs with the name of their protocol."""


@dataclass(frozen=True)
class Known:
    """What a map and the app's variables say of one database."""

    sure: tuple[Dsn, ...]
    """What names it: the map's URL first."""
    guessed: tuple[Dsn, ...]
    """What longer texts say of it, which may be examples."""
    telling: tuple[Dsn, ...]
    """What says how it is reached: examples only where no variable names it otherwise."""
    by_url: bool
    """Whether it is a URL that does."""


def known_servers(service: ServiceMap, environ: Mapping[str, str]) -> Known:
    """What is known of a mapped database. Raises UsageError for a map's URL that cannot be read."""
    naming = NAMINGS[service.scheme]
    own = naming.urls.parse(service.url) if service.url and not service.found_in else None
    named = [each for each in naming.named_servers(environ) if each.server.is_at(service.host, service.port)]
    clear = tuple(each.server for each in named if not each.within)
    guessed = tuple(each.server for each in named if each.within)
    sure = (*([own] if own is not None else []), *clear)
    by_url = own is not None or any(each.url for each in named)
    return Known(sure, guessed, sure if clear else (*sure, *guessed), by_url)


def by_user(servers: Iterable[Dsn], logins: Iterable[tuple[str, str]] = ()) -> dict[str, str]:
    """Passwords by user, the first of each; `""` stands for any user."""
    found: dict[str, str] = {}
    for user, password in (*((each.user, each.password) for each in servers), *logins):
        if password:
            found.setdefault(user, password)
    return found
