"""How apps name a Redis server, and what becomes of it."""

from __future__ import annotations

import pytest

from wiretape_capture.launch import redis_url
from wiretape_capture.launch.database_url import Dsn
from wiretape_capture.launch.mapping import found_databases, parse_map, redirect


@pytest.mark.parametrize(("url", "dsn"), [
    ("redis://cache", Dsn("cache", 6379)),
    ("redis://:s%3Dx@cache:7000/2", Dsn("cache", 7000, "", "s=x", "2")),
    ("redis://ada:pw@[::1]:7000", Dsn("::1", 7000, "ada", "pw", "")),
    ("rediss://cache/1", Dsn("cache", 6379, "", "", "1", {"tls": "true"})),
    ("redis://cache?db=3&password=pw", Dsn("cache", 6379, "", "pw", "3", {"db": "3", "password": "pw"})),
    ("unix:///run/redis.sock?db=1", Dsn("/run/redis.sock", 0, "", "", "1", {"db": "1"})),
    ("redis+socket:///run/redis.sock", Dsn("/run/redis.sock", 0)),
    ("valkey://cache:1", Dsn("cache", 1)),
])  # fmt: skip
def test_a_url_names_a_server(url: str, dsn: Dsn) -> None:
    assert redis_url.URLS.parse(url) == dsn


def test_other_texts_name_none() -> None:
    assert redis_url.URLS.parse("postgres://x") is None
    assert redis_url.URLS.parse("redis+sentinel://a:1,b:2/mymaster") is None


POINTED = {
    "REDIS_URL": ("redis://:pw@localhost:6379/0", "redis://:wiretape@127.0.0.1:9000/0"),
    "CELERY_BROKER_URL": ("redis://localhost/1", "redis://127.0.0.1:9000/1"),
    "CACHES": ('{"LOCATION": ["rediss://u:pw@127.0.0.1:6379/2?ssl_cert_reqs=none&x=1"]}',
               '{"LOCATION": ["redis://u:wiretape@127.0.0.1:9000/2?x=1"]}'),
    "REDIS_HOST": ("localhost", "127.0.0.1"),
    "SESSION_REDIS_HOST": ("localhost", "127.0.0.1"),
    "CACHE_HOST": ("localhost", "127.0.0.1"),
}  # fmt: skip


def test_variables_are_pointed_at_the_listener_without_passwords() -> None:
    base = {name: before for name, (before, _) in POINTED.items()} | {
        "CACHE_PORT": "6379", "REDIS_TLS": "true", "OTHER_URL": "redis://elsewhere:6379", "NAME": "redis",
    }  # fmt: skip
    service = parse_map("cache=redis://localhost:6379")
    changed = redirect(base, {"cache": "redis://127.0.0.1:9000"}, [service])
    assert changed == {name: after for name, (_, after) in POINTED.items()} | {
        "CACHE_PORT": "9000", "REDIS_PORT": "9000", "SESSION_REDIS_PORT": "9000", "REDIS_TLS": "false",
    }  # fmt: skip


def test_a_socket_is_pointed_at_the_listener() -> None:
    service = parse_map("cache=unix:///run/redis.sock")
    assert (service.scheme, service.host, service.port) == ("redis", "/run/redis.sock", 0)
    base = {"A": "unix://:pw@/run/redis.sock?db=2", "B": "redis+socket:///run/redis.sock?virtual_host=1"}
    assert redirect(base, {"cache": "redis://127.0.0.1:9000"}, [service]) == {
        "A": "redis://:wiretape@127.0.0.1:9000/2", "B": "redis://127.0.0.1:9000/1",
    }  # fmt: skip


def test_servers_in_the_variables_are_found() -> None:
    environ = {"REDIS_URL": "redis://a:1/0", "CELERY_BROKER_URL": "redis://a:1/1", "CACHE_URL": "rediss://b/0",
               "REDIS_HOST": "c", "DATABASE_URL": "postgres://d/x", "PATH": "/bin"}  # fmt: skip
    found = found_databases(environ, ())
    assert [(each.name, each.scheme, each.host, each.port) for each in found] == [
        ("database", "postgres", "d", 5432), ("redis", "redis", "a", 1), ("cache", "redis", "b", 6379),
        ("redis-2", "redis", "c", 6379),
    ]  # fmt: skip


def test_a_bare_port_of_redis_is_redis() -> None:
    assert parse_map("cache=localhost:6379").scheme == "redis"
    assert "pw" not in repr(parse_map("cache=redis://:pw@localhost"))
