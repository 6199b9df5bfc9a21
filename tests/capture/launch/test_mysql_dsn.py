"""How apps name a MySQL server, and what becomes of that on the way to our listener."""

from __future__ import annotations

from typing import Any

import pytest

from wiretape_capture.databases.mysql import Entrance
from wiretape_capture.errors import UsageError
from wiretape_capture.launch import mysql_dsn
from wiretape_capture.launch.mapping import found_databases, parse_map, redirect
from wiretape_capture.launch.spec import ServiceMap


@pytest.mark.parametrize(
    ("url", "host", "port", "user", "password", "database", "options"),
    [
        ("mysql://u:p%40@db/x", "db", 3306, "u", "p@", "x", {}),
        ("mysql+pymysql://u@db:3307/x?charset=utf8mb4", "db", 3307, "u", "", "x", {}),
        ("mysql+asyncmy://db/x?ssl_ca=/a.pem", "db", 3306, "", "", "x",
         {"sslrootcert": "/a.pem", "sslmode": "verify-ca"}),
        ("mariadb+mariadbconnector://u:p@[::1]:3306/x", "::1", 3306, "u", "p", "x", {}),
        ("jdbc:mysql://db:3306/x?user=u&password=p&useSSL=false", "db", 3306, "u", "p", "x", {"sslmode": "disable"}),
        ("jdbc:mysql://db/x?sslMode=VERIFY_IDENTITY", "db", 3306, "", "", "x", {"sslmode": "verify-full"}),
        ("mysql://db/x?ssl-mode=REQUIRED", "db", 3306, "", "", "x", {"sslmode": "require"}),
        ("mysql://db/x?ssl_ca=/a.pem&ssl_verify_identity=true&ssl_cert=/c&ssl_key=/k", "db", 3306, "", "", "x",
         {"sslrootcert": "/a.pem", "sslmode": "verify-full", "sslcert": "/c", "sslkey": "/k"}),
        ("mysql://u@localhost/x?unix_socket=/run/m.sock", "/run/m.sock", 0, "u", "", "x", {}),
    ],
)  # fmt: skip
def test_a_url_is_read(
    url: str, host: str, port: int, user: str, password: str, database: str, options: dict[str, str]
) -> None:
    found = mysql_dsn.URLS.parse(url)
    assert found is not None
    assert (found.host, found.port, found.user, found.password, found.database, found.options) == (
        host, port, user, password, database, options,
    )  # fmt: skip


@pytest.mark.parametrize("url", ["mysql://u:secret@a,b/x", "mysql://u:secret@h:99999/x"])
def test_a_url_that_cannot_be_read_is_told_without_its_password(url: str) -> None:
    with pytest.raises(UsageError) as told:
        parse_map(f"db={url}")
    assert "secret" not in str(told.value)


def test_servers_are_found_in_variables() -> None:
    environ = {
        "DATABASE_URL": "mysql+pymysql://u:p@db.host/x", "AGAIN_URL": "mysql://db.host:3306/z", "MYSQL_HOST": "my",
        "MYSQL_TCP_PORT": "3310", "MARIADB_HOST": "maria", "CACHE": "redis", "TEXT": "see mysql://a,b/c",
    }  # fmt: skip
    assert [(each.name, each.scheme, each.host, each.port) for each in found_databases(environ, [])] == [
        ("database", "mysql", "db.host", 3306), ("mysql", "mysql", "my", 3310), ("mariadb", "mysql", "maria", 3306),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value", "pointed"),
    [
        ("A", "mysql://u:p@db/x", "mysql://u:wiretape@127.0.0.1:9/x"),
        ("A", "mysql+pymysql://u:p@db:3306/x?charset=utf8mb4&ssl_ca=/a.pem&ssl_disabled=false",
         "mysql+pymysql://u:wiretape@127.0.0.1:9/x?charset=utf8mb4"),
        ("A", "url=jdbc:mysql://db:3306/x?user=u&password=p&sslMode=REQUIRED y",
         "url=jdbc:mysql://127.0.0.1:9/x?user=u&password=wiretape&sslMode=DISABLED y"),
        ("A", "jdbc:mariadb://db/x?useSsl=true", "jdbc:mariadb://127.0.0.1:9/x?sslMode=disable"),
        ("A", "db:3306", "127.0.0.1:9"),
        ("A", "mysql://other/x", None),
        ("A", "mysql://my-db:3306/x", None),
    ],
)  # fmt: skip
def test_texts_are_pointed_at_the_listener(name: str, value: str, pointed: str | None) -> None:
    changed = redirect({name: value}, {"s": "mysql://127.0.0.1:9"}, [parse_map("s=mysql://db")])
    assert changed == ({name: pointed} if pointed else {})


def test_parts_are_pointed_at_the_listener() -> None:
    environ = {"MYSQL_HOST": "db", "MYSQL_PWD": "s", "APP_DB_HOST": "db", "APP_DB_PORT": "3306", "X_HOST": "db"}
    changed = redirect(environ, {"s": "mysql://127.0.0.1:9"}, [parse_map("s=mariadb://db")])
    assert changed == {"MYSQL_HOST": "127.0.0.1", "MYSQL_PORT": "9", "MYSQL_TCP_PORT": "9",
                       "APP_DB_HOST": "127.0.0.1", "APP_DB_PORT": "9"}  # fmt: skip


def test_passwords_are_found_for_their_server_only() -> None:
    environ: dict[str, Any] = {
        "A": "mysql://u:one@db/x", "B": "mysql://v:two@other/x", "DB_HOST": "db", "DB_PORT": "3306", "DB_USERNAME": "w",
        "DB_PASSWORD": "three",
    }  # fmt: skip
    assert Entrance.of(parse_map("s=mysql://db"), environ).passwords == {"u": "one", "w": "three"}
    assert Entrance.of(parse_map("s=mysql://db"), {"MYSQL_PWD": "any"}).passwords == {"": "any"}


def test_a_bare_address_with_its_port_is_mysql() -> None:
    assert parse_map("db.host:3306") == ServiceMap(name="db.host:3306", scheme="mysql", host="db.host", port=3306)
