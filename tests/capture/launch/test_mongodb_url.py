"""How apps name a MongoDB server, and what becomes of it."""

from __future__ import annotations

import pytest

from wiretape_capture.errors import UsageError
from wiretape_capture.launch import mongodb_url
from wiretape_capture.launch.database_url import Dsn
from wiretape_capture.launch.mapping import found_databases, left_alone, local_url, parse_map, redirect


@pytest.mark.parametrize(("url", "dsn"), [
    ("mongodb://docs", Dsn("docs", 27017)),
    ("mongodb://ada:s%3Dx@docs:7000/shop?authSource=admin",
     Dsn("docs", 7000, "ada", "s=x", "shop", {"authsource": "admin"})),
    ("mongodb://[::1]:7000/?TLS=true", Dsn("::1", 7000, "", "", "", {"tls": "true"})),
])  # fmt: skip
def test_a_url_names_a_server(url: str, dsn: Dsn) -> None:
    assert mongodb_url.URLS.parse(url) == dsn


@pytest.mark.parametrize(("url", "said"), [
    ("mongodb+srv://u:p@cluster.example.net/shop", "write one of them: mongodb://"),
    ("mongodb://a:1,b:2/shop?replicaSet=rs", "names several servers"),
    ("mongodb://a:99999/", "is not a port"),
    ("mongodb://%2Ftmp%2Fmongodb-27017.sock/", "names a Unix socket"),
])  # fmt: skip
def test_a_url_that_cannot_be_pointed_here_is_an_error_that_says_what_to_write(url: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_map(f"db={url}")
    assert found_databases({"MONGODB_URI": url}, ()) == ()
    (told,) = left_alone({"MONGODB_URI": url, "OTHER": "mongodb://a"})
    assert told.startswith("what goes to the database that MONGODB_URI names is not recorded: ")


POINTED = {
    "MONGODB_URI": (
        "mongodb://u:pw@localhost:27017/shop?authSource=admin&retryWrites=true&w=majority&replicaSet=rs&compressors=zstd",
        "mongodb://127.0.0.1:9000/shop?retryWrites=true&w=majority&directConnection=true&tls=false",
    ),
    "MONGO_URL": ("mongodb://localhost", "mongodb://127.0.0.1:9000/?directConnection=true&tls=false"),
    "SPRING_JSON": (
        '{"uri": "mongodb://127.0.0.1/a?tls=true&tlsCAFile=/x"}',
        '{"uri": "mongodb://127.0.0.1:9000/a?directConnection=true&tls=false"}',
    ),
    "MONGO_HOST": ("localhost", "127.0.0.1"),
}


def test_an_apps_variables_are_pointed_at_the_listener() -> None:
    environ = {name: before for name, (before, _) in POINTED.items()} | {"OTHER": "mongodb://elsewhere/a"}
    changed = redirect(environ, {"db": "mongodb://127.0.0.1:9000"}, (parse_map("db=mongodb://localhost"),))
    assert changed == {name: after for name, (_, after) in POINTED.items()} | {"MONGO_PORT": "9000"}


def test_servers_are_found_in_an_apps_variables() -> None:
    environ = {"MONGODB_URI": "mongodb://u:pw@docs/shop", "MONGO_HOST": "audit", "MONGO_PORT": "7000"}
    found = found_databases(environ, ())
    assert [(each.name, each.scheme, each.host, each.port) for each in found] == [
        ("mongodb", "mongodb", "docs", 27017), ("mongo", "mongodb", "audit", 7000),
    ]  # fmt: skip


def test_what_the_app_is_told_has_neither_login_nor_tls() -> None:
    service = parse_map("db=mongodb://u:pw@docs/shop?authSource=admin&tls=true&tlsCAFile=/x&appName=shop")
    assert local_url(service, "mongodb://127.0.0.1:9") == (
        "mongodb://127.0.0.1:9/shop?appName=shop&directConnection=true&tls=false"
    )


@pytest.mark.parametrize(("query", "options"), [
    ("tls=true", {"sslmode": "verify-full", "sslrootcert": "", "sslcert": ""}),
    ("ssl=true&tlsCAFile=/ca", {"sslmode": "verify-full", "sslrootcert": "/ca", "sslcert": ""}),
    ("tls=true&tlsAllowInvalidHostnames=true", {"sslmode": "verify-ca", "sslrootcert": "", "sslcert": ""}),
    ("tls=true&tlsInsecure=true&tlsCertificateKeyFile=/k", {"sslmode": "require", "sslrootcert": "", "sslcert": "/k"}),
])  # fmt: skip
def test_options_of_tls(query: str, options: dict[str, str]) -> None:
    dsn = mongodb_url.URLS.parse(f"mongodb://docs/?{query}")
    assert dsn is not None
    assert mongodb_url.wants_tls(dsn.options)
    assert mongodb_url.tls_options(dsn.options) == options


def test_a_login_that_is_not_spoken_is_an_error_in_a_map_and_left_alone_in_a_variable() -> None:
    url = "mongodb://u:p@docs/?authMechanism=PLAIN"
    with pytest.raises(UsageError, match="authMechanism=PLAIN is not spoken"):
        parse_map(f"db={url}")
    assert found_databases({"MONGODB_URI": url}, ()) == ()
    assert len(list(left_alone({"MONGODB_URI": url}))) == 1
