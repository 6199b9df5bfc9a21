"""The same program against a real server, through the recorder, and against the mock with the server unreachable."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from database_kit import Command, exchanges, journal, mocking, other_ends, recording, run
from postgres_server import Server

pytestmark = pytest.mark.xdist_group("postgres")  # one server for all

PROGRAMS = Path(__file__).parent / "programs"
NODE_MODULES = Path(__file__).parents[2] / "outside" / "node_modules"


def python(name: str, *words: str) -> Command:
    return (sys.executable, str(PROGRAMS / name), *words)


def psql() -> Command:
    if shutil.which("psql") is None:
        pytest.skip("needs psql: install Debian's postgresql-client")
    return ("sh", str(PROGRAMS / "with_psql.sh"))


def node() -> Command:
    binary = shutil.which("node")
    if binary is None or not (NODE_MODULES / "pg").is_dir():
        missing = "needs node and the package pg: npm install --no-save --ignore-scripts --prefix tests/outside"
        if os.environ.get("WIRETAPE_TEST_OUTSIDE") == "1":
            pytest.fail(missing)
        pytest.skip(missing)
    return (binary, str(PROGRAMS / "with_node.cjs"))


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
    "psql": psql,
    "node": node,
    "pgjdbc": java,
}


@pytest.mark.parametrize("driver", DRIVERS)
async def test_a_program_gets_the_same_from_server_recorder_and_mock(
    driver: str, postgres: Server, tmp_path: Path
) -> None:
    command = DRIVERS[driver]()
    variables = {"NODE_PATH": str(NODE_MODULES)}
    direct = await run(command, {"DB_URL": postgres.dsn, **variables})
    async with recording(tmp_path, postgres.dsn) as job:
        recorded = await run(command, {"DB_URL": job.environment["WIRETAPE_DB_URL"], **variables})
    assert recorded == direct
    assert job.result is not None
    assert job.result.notes == ()
    nowhere = "postgres://shop:wrong@127.0.0.1:9/shop"
    async with mocking(tmp_path, nowhere) as mock:
        mocked = await run(command, {"DB_URL": mock.environment["WIRETAPE_DB_URL"], **variables})
    assert mocked == recorded
    assert mock.result is not None
    assert mock.result.tally.miss == 0
    assert mock.result.tally.exact > 5
    answered = {each.sequence for each in journal(tmp_path) if each.sequence}
    assert answered <= {each.sequence for each in await exchanges(tmp_path / "tape.tape")}
    assert await other_ends(tmp_path) == []
