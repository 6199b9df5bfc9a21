"""What --map accepts, what it refuses and why, and what it does to variables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape_capture.errors import UsageError
from wiretape_capture.launch.mapping import found_databases, parse_map, parse_maps, redirect, variable
from wiretape_capture.launch.postgres_dsn import password_in_file
from wiretape_capture.launch.spec import ServiceMap


def service(name: str, scheme: str, host: str, port: int, listen: int = 0, url: str = "") -> ServiceMap:
    return ServiceMap(name=name, scheme=scheme, host=host, port=port, listen=listen, url=url)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("payments=https://api.host:443@9001", service("payments", "https", "api.host", 443, 9001)),
        ("payments=https://api.host", service("payments", "https", "api.host", 443)),
        ("http://api.host/", service("api.host:80", "http", "api.host", 80)),
        ("localhost:3000", service("localhost:3000", "http", "localhost", 3000)),
        ("api.host:443@9001", service("api.host:443", "https", "api.host", 443, 9001)),
        ("db.host:5432", service("db.host:5432", "postgres", "db.host", 5432)),
        ("db.host:3306", service("db.host:3306", "mysql", "db.host", 3306)),
        ("db=postgres://u:p@db.host/x@15432",
         service("db", "postgres", "db.host", 5432, 15432, "postgres://u:p@db.host/x")),
        ("db=postgresql+asyncpg:///x?host=/run/pg&port=7",
         service("db", "postgres", "/run/pg", 7, url="postgresql+asyncpg:///x?host=/run/pg&port=7")),
        ("cache=redis://[::1]:6380", service("cache", "redis", "::1", 6380, url="redis://[::1]:6380")),
        ("queue=amqp://[::1]:5673", service("queue", "tcp", "::1", 5673)),
        ("tcp://db:7000", service("db:7000", "tcp", "db", 7000)),
        ("a-b_1=http://h:1", service("a-b_1", "http", "h", 1)),
    ],
)  # fmt: skip
def test_a_map_is_read(text: str, expected: ServiceMap) -> None:
    assert parse_map(text) == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "names no host"),
        ("payments", "names no port"),
        ("payments=", "names no host"),
        ("=http://h:1", "'' in --map '=http://h:1' is not a name"),
        ("1st=http://h:1", "'1st' in --map '1st=http://h:1' is not a name"),
        ("x=gopher://h:1", "unknown scheme 'gopher'"),
        ("x=http://h:70000", "no valid host and port"),
        ("x=http://h:1@70000", "70000 in --map"),
        ("x=http://h:1@0", "0 in --map"),
        ("x=http://h:1/v1", "has a path"),
        ("x=tcp://h", "names no port"),
        ("x=http://[::1", "no valid host and port"),
    ],
)
def test_what_is_no_map_says_why(text: str, problem: str) -> None:
    with pytest.raises(UsageError) as failure:
        parse_map(text)
    assert problem in failure.value.problem
    assert failure.value.hint


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("db=postgres//u:secret@h/shop", "map 'db': the scheme's colon is missing; write postgres://HOST:PORT"),
        ("api=https//h:1", "map 'api': the scheme's colon is missing; write https://HOST:PORT"),
        ("redis:/h", "a map: a slash is missing; write redis://HOST:PORT"),
        ("db=postgres://", "map 'db': the postgres URL names no host; write postgres://USER@HOST:PORT/DATABASE"),
        ("db=postgres://h:99999/x", "map 'db': '99999' in a postgres URL is not a port; use a number from 1 to 65535"),
        ("c=redis://h/x", "map 'c': 'x' in a redis URL is not a database, which Redis numbers; "
         "write redis://HOST:PORT/0, or leave it out"),
        ("db=postgres://h/x?sslmode=bogus", "map 'db': 'bogus' is no sslmode; "
         "use one of disable, allow, prefer, require, verify-ca, verify-full"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_url_is_told_with_the_maps_name(text: str, said: str) -> None:
    with pytest.raises(UsageError) as failure:
        parse_map(text)
    assert str(failure.value) == said


@pytest.mark.parametrize("mode", ["", "disable", "verify-full"])
def test_what_libpq_takes_for_sslmode_is_taken(mode: str) -> None:
    assert parse_map(f"db=postgres://h/x?sslmode={mode}").host == "h"


def test_an_app_may_have_an_sslmode_of_its_drivers_own() -> None:
    (found,) = found_databases({"DATABASE_URL": "postgres://h/x?sslmode=no-verify"}, ())
    assert found.name == "database"


@given(st.text(max_size=40))
def test_any_text_is_a_map_or_a_usage_error(text: str) -> None:
    try:
        assert parse_map(text).host
    except UsageError as error:
        assert error.problem


def test_names_and_ports_are_given_once() -> None:
    with pytest.raises(UsageError, match="two maps are named 'a'"):
        parse_maps(["a=http://h:1", "a=http://h:2"])
    with pytest.raises(UsageError, match="two maps listen on port 9"):
        parse_maps(["a=http://h:1@9", "b=http://h:2@9"])


def test_a_variable_is_named_after_the_map() -> None:
    assert [variable(name) for name in ("payments", "my-api", "api.host:443")] == [
        "WIRETAPE_PAYMENTS_URL", "WIRETAPE_MY_API_URL", "WIRETAPE_API_HOST_443_URL",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "value", "pointed"),
    [
        ("s=https://api.host", "https://api.host/v1?x=1", "http://127.0.0.1:9/v1?x=1"),
        ("s=https://api.host", "https://api.host:443", "http://127.0.0.1:9"),
        ("s=https://api.host", "HTTPS://API.HOST/", "http://127.0.0.1:9/"),
        ("s=https://api.host", "a=https://api.host,b=https://b.host", "a=http://127.0.0.1:9,b=https://b.host"),
        ("s=https://api.host", "https://api.host:8443/", None),
        ("s=https://api.host", "https://api.host.other/", None),
        ("s=https://api.host", "http://api.host/", None),
        ("s=http://localhost:3000", "http://localhost:3000/x", "http://127.0.0.1:9/x"),
        ("s=http://localhost:3000", "http://localhost:30001/x", None),
        ("s=http://localhost:3000", "localhost:3000", "127.0.0.1:9"),
        ("s=http://[::1]:3000", "http://[::1]:3000/x", "http://127.0.0.1:9/x"),
        ("s=postgres://db:5432", "postgres://u:p@db:5432/x", "postgres://u:wiretape@127.0.0.1:9/x?sslmode=disable"),
        (
            "s=postgres://db",
            "x=postgresql+asyncpg://db/x?ssl=require&a=1 y",
            "x=postgresql+asyncpg://127.0.0.1:9/x?a=1&ssl=disable y",
        ),
        (
            "s=postgres://db",
            "jdbc:postgresql://db:5432/x?user=u&password=p",
            "jdbc:postgresql://127.0.0.1:9/x?user=u&password=wiretape&sslmode=disable",
        ),
        ("s=postgres://localhost", "postgres://127.0.0.1/x", "postgres://127.0.0.1:9/x?sslmode=disable"),
        (
            "s=postgres://db",
            "host=db dbname=x password='a b' sslmode=require",
            "host=127.0.0.1 port=9 sslmode=disable dbname=x password=wiretape",
        ),
        ("s=postgres://db", "host=other dbname=x", None),
        ("s=postgres://db:5432", "postgres://u:p@my-db:5432/x", None),
    ],
)
def test_only_the_mapped_service_is_redirected(text: str, value: str, pointed: str | None) -> None:
    changed = redirect({"V": value}, {"s": "http://127.0.0.1:9"}, [parse_map(text)])
    assert changed == ({} if pointed is None else {"V": pointed})


def test_databases_are_found_in_an_apps_variables() -> None:
    environ = {
        "DATABASE_URL": "postgres://u:p@db.host/x", "REPORTING_DB_DSN": "host=other port=5433 dbname=y",
        "AGAIN_URL": "postgresql+psycopg://db.host:5432/z", "PGHOST": "/run/postgresql", "TEXT": "see postgres://a,b/c",
        "HOME_URL": "http://db.host:5432",
    }  # fmt: skip
    found = found_databases(environ, ())
    assert [(each.name, each.host, each.port) for each in found] == [
        ("database", "db.host", 5432), ("reporting_db", "other", 5433), ("postgres", "/run/postgresql", 5432),
    ]  # fmt: skip
    assert found_databases(environ, [parse_map("db=postgres://db.host")])[0].name == "reporting_db"


def test_variables_of_a_database_are_pointed_at_its_listener() -> None:
    environ = {"PGHOST": "db.host", "PGUSER": "u", "PGPASSWORD": "p", "SHOP_HOST": "db.host", "SHOP_PORT": "5432",
               "OTHER_HOST": "db.host", "OTHER_PORT": "1"}  # fmt: skip
    changed = redirect(environ, {"db": "postgres://127.0.0.1:9"}, [parse_map("db=postgres://db.host")])
    assert changed == {
        "PGHOST": "127.0.0.1", "PGPORT": "9", "PGSSLMODE": "disable", "PGGSSENCMODE": "disable",
        "PGCHANNELBINDING": "prefer", "PGREQUIREAUTH": "", "SHOP_HOST": "127.0.0.1", "SHOP_PORT": "9",
    }  # fmt: skip


def test_the_password_of_a_map_is_in_no_error_and_no_text_of_it() -> None:
    service = parse_map("db=postgres://u:secret@db.host/x")
    assert "secret" not in repr(service)
    for wrong in ("db=postgres://u:secret@a,b/x", "db=postgres://u:secret@h:99999/x"):
        with pytest.raises(UsageError) as failure:
            parse_map(wrong)
        assert "secret" not in str(failure.value)


def test_passwords_come_from_files_too() -> None:
    lines = "# comment\ndb.host:5432:x:u:one\n*:*:*:v:t\\:wo\n"
    assert password_in_file(lines, "db.host", 5432, "x", "u") == "one"
    assert password_in_file(lines, "db.host", 5433, "y", "v") == "t:wo"
    assert password_in_file(lines, "db.host", 5433, "y", "u") == ""
