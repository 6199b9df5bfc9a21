"""Databases found in variables take the names under which a snapshot knows them."""

from __future__ import annotations

from pathlib import Path

import pytest

from wiretape_capture.errors import UsageError
from wiretape_capture.launch.mapping import found_databases, parse_maps
from wiretape_capture.launch.recorded_names import named_as_recorded
from wiretape_capture.snapshot.databases import RecordedDatabase, recorded_databases

URL = "postgres://u@db.host/shop"


def known(*names: str, scheme: str = "postgres", opened: str = "") -> list[RecordedDatabase]:
    return [RecordedDatabase(scheme, each, frozenset([opened] if opened else [])) for each in names]


def named(environ: dict[str, str], recorded: list[RecordedDatabase], *given: str) -> dict[str, str]:
    """Names by variable."""
    maps = parse_maps(given)
    return {each.found_in: each.name for each in named_as_recorded(found_databases(environ, maps), maps, recorded)}


@pytest.mark.parametrize(
    ("recorded", "name"),
    [
        (known("db"), "db"),
        (known("database", "db"), "database"),
        (known("db.host:5432", "db"), "database"),  # a map's name and its address are one
        (known("other.host:5432"), "other.host:5432"),
        (known("cache", scheme="redis"), "database"),
        ([], "database"),
        (known("a", opened="shop") + known("b", opened="other"), "a"),
    ],
)
def test_a_database_is_called_as_it_was_recorded(recorded: list[RecordedDatabase], name: str) -> None:
    assert named({"DATABASE_URL": URL}, recorded) == {"DATABASE_URL": name}


def test_each_kind_of_database_has_names_of_its_own() -> None:
    environ = {"DATABASE_URL": URL, "REDIS_URL": "redis://r.host/0", "MYSQL_HOST": "m.host"}
    recorded = known("db") + known("cache", scheme="redis")
    assert named(environ, recorded) == {"DATABASE_URL": "db", "REDIS_URL": "cache", "MYSQL_HOST": "mysql"}


def test_what_is_given_keeps_its_name_and_takes_it_from_the_others() -> None:
    two = {"DATABASE_URL": URL, "OTHER_URL": "postgres://other.host/x"}
    assert named(two, known("a", "b"), f"a={URL}") == {"OTHER_URL": "b"}
    assert named(two, known("db"), f"db={URL}") == {"OTHER_URL": "other"}
    assert named({"DATABASE_URL": URL}, known("db"), "db=redis://r.host/0") == {"DATABASE_URL": "database"}


def test_a_variable_that_was_never_used_is_no_matter() -> None:
    two = {"DATABASE_URL": URL, "OTHER_URL": "postgres://other.host/x"}
    assert named(two, known("database")) == {"DATABASE_URL": "database", "OTHER_URL": "other"}


def test_no_two_maps_are_called_alike() -> None:
    environ = {"DATABASE_URL": URL, "CACHE_URL": "redis://r.host/0"}
    assert named(environ, known("cache")) == {"DATABASE_URL": "cache", "CACHE_URL": "cache-2"}


@pytest.mark.parametrize(
    ("environ", "recorded", "said"),
    [
        ({"DATABASE_URL": URL}, known("a", "b"), "services a and b, DATABASE_URL is neither; "),
        ({"DATABASE_URL": URL}, known("a", "b", "c"), "services a, b and c, DATABASE_URL is none of them; "),
        ({"A_URL": URL, "B_URL": "postgres://b.host/b"}, known("c"), "service c, A_URL and B_URL may each be it; "),
        ({"A_URL": URL, "B_URL": "postgres://b.host/b"}, known("c", "d"), "c and d, A_URL and B_URL are called other"),
    ],
)
def test_where_several_could_be_meant_the_user_is_asked(
    environ: dict[str, str], recorded: list[RecordedDatabase], said: str
) -> None:
    with pytest.raises(UsageError) as caught:
        named(environ, recorded)
    assert str(caught.value).startswith("the snapshot knows the postgres service")
    assert said in str(caught.value)
    assert "give --map NAME=postgres://HOST:PORT/DATABASE" in str(caught.value)


def test_a_tape_that_cannot_be_read_knows_none(tmp_path: Path) -> None:
    (tmp_path / "junk.tape").write_bytes(b"junk")
    assert recorded_databases(tmp_path / "junk.tape") == recorded_databases(tmp_path / "none.tape") == ()
