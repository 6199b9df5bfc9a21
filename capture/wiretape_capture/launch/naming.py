"""How apps name the databases that are understood, by protocol: one line for each. Pure text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from wiretape_capture.launch import dsn, mongodb_url, mysql_dsn, redis_url
from wiretape_capture.launch.dsn import Dsn


@dataclass(frozen=True)
class Naming:
    """How one kind of server is named."""

    port: int
    parse_url: Callable[[str], Dsn | None]
    """The server that a URL names; None for a text that is no such URL. Raises UsageError for a bad one."""
    named_servers: Callable[[Mapping[str, str]], Iterator[tuple[str, Dsn]]]
    """Every server that an environment names, with the variable that does."""
    pointed: Callable[[str, str, int, str], str]
    """A text with every name of the server at a host and port pointed at our listener (`host:port`)."""
    pointed_variables: Callable[[Mapping[str, str], str, int, str], dict[str, str]]
    """Changes to variables that name the server at a host and port part by part."""
    named: Mapping[str, str]
    """What a server is called that certain variables name part by part."""


NAMINGS: Mapping[str, Naming] = {
    "postgres": Naming(dsn.POSTGRES_PORT, dsn.parse_url, dsn.named_servers, dsn.pointed, dsn.pointed_variables,
                       {"PGHOST": "postgres"}),
    "mysql": Naming(mysql_dsn.MYSQL_PORT, mysql_dsn.parse_url, mysql_dsn.named_servers, mysql_dsn.pointed,
                    mysql_dsn.pointed_variables, {"MYSQL_HOST": "mysql", "MARIADB_HOST": "mariadb"}),
    "redis": Naming(redis_url.REDIS_PORT, redis_url.parse_url, redis_url.named_servers, redis_url.pointed,
                    redis_url.pointed_variables, {}),
    "mongodb": Naming(mongodb_url.MONGODB_PORT, mongodb_url.parse_url, mongodb_url.named_servers, mongodb_url.pointed,
                      mongodb_url.pointed_variables, {}),
}  # fmt: skip
SCHEMES = {
    "postgres": "postgres", "postgresql": "postgres", "mysql": "mysql", "mariadb": "mysql",
    "redis": "redis", "rediss": "redis", "valkey": "redis", "valkeys": "redis", "unix": "redis",
    "mongodb": "mongodb",
}  # fmt: skip
"""Schemes of URLs with the name of their protocol."""
