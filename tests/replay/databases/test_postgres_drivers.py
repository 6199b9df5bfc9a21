"""The same program against a real server, through the recorder, and against the mock with the server unreachable."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from database_kit import Command, other_ends
from driver_programs import PROGRAMS, node, python, same_three_ways, shell
from postgres_server import Server

pytestmark = pytest.mark.xdist_group("postgres")  # one server for all


def java() -> Command:
    binary, driver = shutil.which("java"), Path("/usr/share/java/postgresql.jar")
    if binary is None or not driver.exists():
        pytest.skip("needs java and pgjdbc: install Debian's default-jdk-headless and libpostgresql-jdbc-java")
    return (binary, "-cp", str(driver), str(PROGRAMS / "WithJdbc.java"))


DRIVERS = {
    "psycopg": lambda: python("with_psycopg.py"),
    "asyncpg": lambda: python("with_asyncpg.py"),
    "psycopg2": lambda: python("with_psycopg2.py"),
    "pg8000": lambda: python("with_pg8000.py"),
    "sqlalchemy-psycopg": lambda: python("with_sqlalchemy.py", "psycopg"),
    "sqlalchemy-asyncpg": lambda: python("with_sqlalchemy.py", "asyncpg"),
    "django": lambda: python("with_django.py"),
    "psql": lambda: shell("psql", "postgresql-client", "with_psql.sh"),
    "node": lambda: node("pg", "with_node.cjs"),
    "pgjdbc": java,
}


@pytest.mark.parametrize("driver", DRIVERS)
async def test_a_program_gets_the_same_from_server_recorder_and_mock(
    driver: str, postgres: Server, tmp_path: Path
) -> None:
    nowhere = "postgres://shop:wrong@127.0.0.1:9/shop"
    tally = await same_three_ways(DRIVERS[driver](), postgres.dsn, nowhere, tmp_path)
    assert tally.exact > 5
    assert await other_ends(tmp_path) == []
