"""URLs of databases in texts: found, read and pointed at our listener by one rule for all four protocols."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape_capture.databases import mongodb, mysql, postgres, redis
from wiretape_capture.errors import UsageError
from wiretape_capture.launch.mapping import found_databases, left_alone, parse_map, redirect
from wiretape_capture.launch.naming import NAMINGS

SCHEMES = ["postgres", "mysql", "redis", "mongodb"]
PORTS = {scheme: naming.port for scheme, naming in NAMINGS.items()}

LONGER = [
    '{"db": {"url": "URL", "pool": 5}}',
    r"{\"url\": \"URL\"}",
    "Url=URL;Pool=5;Mail=ops@example.com",
    "--verbose --db=URL --level 3",
    "[URL]",
    "hosts: {main: URL}",
    "use URL.",
    "a=b,URL,c=d",
    "<URL>",
]
"""Texts that hold a URL; a mail address behind it must not be taken for a part of it."""


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("text", LONGER)
def test_a_url_inside_of_a_longer_text_is_mapped_and_the_text_around_it_stays(scheme: str, text: str) -> None:
    value = text.replace("URL", f"{scheme}://u:p%40w@db.host/7")
    (found,) = found_databases({"SETTINGS": value}, ())
    assert (found.name, found.scheme, found.host, found.port, found.found_in) == (
        "settings", scheme, "db.host", PORTS[scheme], "SETTINGS",
    )  # fmt: skip
    assert found.url == f"{scheme}://u:p%40w@db.host/7"
    changed = redirect({"SETTINGS": value}, {"settings": f"{scheme}://127.0.0.1:9"}, [found])["SETTINGS"]
    before, _, after = text.partition("URL")
    assert changed.startswith(before + f"{scheme}://")
    assert changed.endswith(after)
    assert "p%40w" not in changed
    assert "127.0.0.1:9/7" in changed


@pytest.mark.parametrize("scheme", SCHEMES)
def test_each_url_of_a_list_is_one(scheme: str) -> None:
    value = f"{scheme}://a.host,{scheme}://u:p@b.host:7001/0,{scheme}://c.host"
    assert [each.host for each in found_databases({"ALL": value}, ())] == ["a.host", "b.host", "c.host"]


@pytest.mark.parametrize("text", [
    "urls begin with SCHEME:// or so", "SCHEME://USER:${PASSWORD}@${HOST}/db x", "SCHEME://{user}@{host}/x y",
    "see SCHEME://<host>/x", "SCHEME://%s:%s@%s/%s x", "SCHEME://a.host,b.host/x of two", "SCHEME://u:p,w@h/x raw",
    "SCHEME://u:12/w@h/x raw", "a SCHEME://u:12(w)@h raw",
])  # fmt: skip
@pytest.mark.parametrize("scheme", SCHEMES)
def test_what_only_looks_like_a_url_is_left_alone(scheme: str, text: str) -> None:
    value = text.replace("SCHEME", scheme)
    assert found_databases({"HELP": value}, ()) == ()
    assert found_databases({"TEMPLATE": f"{scheme}://{{user}}@{{host}}/x", "OTHER": f"{scheme}://$HOST/x"}, ()) == ()
    for host in ("u", "localhost", "a.host", "h"):
        service = parse_map(f"db={scheme}://{host}")
        assert redirect({"HELP": value}, {"db": f"{scheme}://127.0.0.1:9"}, [service]) == {}


@given(st.text(alphabet="ab:/@?#,;=.\"'{}[]()<>\\ %$12-+\n", max_size=40))
def test_no_text_breaks_anything(text: str) -> None:
    for scheme in SCHEMES:
        environ = {"A": f"{scheme}://{text}", "B": f'x="{scheme}://{text}"'}
        maps = found_databases(environ, ())
        list(left_alone(environ))
        changed = redirect(environ, {each.name: f"{scheme}://127.0.0.1:9" for each in maps}, maps)
        assert all("127.0.0.1:9" in value for value in changed.values())
        assert {each.found_in for each in maps} <= changed.keys()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_password_in_a_text_that_is_rewritten_is_known_to_the_recorder(scheme: str) -> None:
    protocol = {"postgres": postgres, "mysql": mysql, "redis": redis, "mongodb": mongodb}[scheme]
    environ = {"SETTINGS": f'{{"db": "{scheme}://ada:s%3Dx@db.host/7"}}'}
    known = protocol.entrance(parse_map(f"db={scheme}://db.host/7"), environ)
    assert "s=x" in (known.get("password"), *known.get("passwords", {}).values(), *known.get("guesses", {}).values())


@pytest.mark.parametrize("scheme", ["postgres", "mysql", "redis"])
def test_a_password_that_stands_beside_its_server_is_better_than_one_in_a_text(scheme: str) -> None:
    protocol = {"postgres": postgres, "mysql": mysql, "redis": redis}[scheme]
    environ = {"HELP": f"such as {scheme}://ada:example@db.host/7", "DB_HOST": "db.host", "DB_PORT": str(PORTS[scheme]),
               "DB_USER": "ada", "DB_PASSWORD": "real"}  # fmt: skip
    (found,) = found_databases(environ, ())
    assert protocol.entrance(found, environ)["passwords"]["ada"] == "real"


def test_an_example_in_a_text_does_not_say_how_a_server_is_reached() -> None:
    environ = {"HELP": "such as rediss://cache/0", "REDIS_HOST": "cache"}
    (found,) = found_databases(environ, ())
    assert not redis.Entrance.of(found, environ).secure
    environ = {"HELP": "such as mongodb://docs/x?tls=true", "MONGO_URL": "mongodb://docs/x"}
    (found,) = found_databases(environ, ())
    assert not mongodb.Entrance.of(found, environ).secure


def test_other_programs_sockets_are_not_taken_for_redis() -> None:
    environ = {"DOCKER_HOST": "unix:///var/run/docker.sock", "CELERY_BROKER_URL": "unix:///run/q.sock",
               "SOCKET": "unix:///run/valkey/v.sock"}  # fmt: skip
    assert [each.host for each in found_databases(environ, ())] == ["/run/q.sock", "/run/valkey/v.sock"]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("rest", ["u:se/cret@h/7", "u:12/secret@h/7", "u:se?cret@h/7", "u:12?secret@h/7", "h/7@abc"])
def test_raw_characters_in_a_maps_url_are_refused_with_what_to_write(scheme: str, rest: str) -> None:
    with pytest.raises(UsageError) as failure:
        parse_map(f"db={scheme}://{rest}")
    assert "/ as %2F" in failure.value.hint
    assert "secret" not in str(failure.value)
    assert "cret" not in failure.value.problem


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(("login", "password"), [("u:p@w@", "p@w"), ("u:p:w@", "p:w"), ("u:p#w@", "p#w")])
def test_raw_characters_that_can_be_read_in_one_way_only_are_read(scheme: str, login: str, password: str) -> None:
    service = parse_map(f"db={scheme}://{login}db.host/7@9001")
    assert (service.host, service.listen) == ("db.host", 9001)
    found = NAMINGS[scheme].urls.parse(service.url)
    assert found is not None
    assert (found.user, found.password) == ("u", password)


@pytest.mark.parametrize("url", ["redis://h/notanumber", "rediss://h:7000/1x", "redis://h?db=x"])
def test_a_database_that_redis_cannot_have_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="is not a database, which Redis numbers; write redis://HOST:PORT/0"):
        parse_map(f"cache={url}")
