"""The same program against a real MariaDB, through the recorder, and against the mock with the server unreachable."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from database_kit import Command, exchanges, journal, mocking, other_ends, recording, run
from mysql_server import MysqlServer

pytestmark = pytest.mark.xdist_group("mysql_programs")  # a server of its own: these take longest

PROGRAMS = Path(__file__).parent / "programs"
NODE_MODULES = Path(__file__).parents[2] / "outside" / "node_modules"
NOWHERE = "mysql://shop:wrong@127.0.0.1:9/shop"


def python(name: str, *words: str) -> Command:
    return (sys.executable, str(PROGRAMS / name), *words)


def mariadb() -> Command:
    if shutil.which("mariadb") is None:
        pytest.skip("needs mariadb: install Debian's mariadb-client")
    return ("sh", str(PROGRAMS / "with_mariadb.sh"))


def node() -> Command:
    binary = shutil.which("node")
    if binary is None or not (NODE_MODULES / "mysql2").is_dir():
        missing = "needs node and the package mysql2: npm install --no-save --ignore-scripts --prefix tests/outside"
        if os.environ.get("WIRETAPE_TEST_OUTSIDE") == "1":
            pytest.fail(missing)
        pytest.skip(missing)
    return (binary, str(PROGRAMS / "with_mysql2.cjs"))


DRIVERS = {
    "pymysql": lambda: python("with_pymysql.py"),
    "asyncmy": lambda: python("with_asyncmy.py"),
    "connector": lambda: python("with_mysql_connector.py"),
    "sqlalchemy-pymysql": lambda: python("with_sqlalchemy_mysql.py", "pymysql"),
    "sqlalchemy-asyncmy": lambda: python("with_sqlalchemy_mysql.py", "asyncmy"),
    "django": lambda: python("with_django.py"),
    "mysql2": node,
    "mariadb": mariadb,
}


def environment(url: str) -> dict[str, str]:
    """What the programs read."""
    place = urlsplit(url)
    return {
        "DB_URL": url, "DB_HOST": place.hostname or "", "DB_PORT": str(place.port), "DB_USER": place.username or "",
        "DB_PASSWORD": unquote(place.password or ""), "NODE_PATH": str(NODE_MODULES),
    }  # fmt: skip


@pytest.mark.parametrize("driver", DRIVERS)
async def test_a_program_gets_the_same_from_server_recorder_and_mock(
    driver: str, mysql: MysqlServer, tmp_path: Path
) -> None:
    command = DRIVERS[driver]()
    direct = await run(command, environment(mysql.dsn))
    async with recording(tmp_path, mysql.dsn) as job:
        recorded = await run(command, environment(job.environment["WIRETAPE_DB_URL"]))
    assert recorded == direct
    assert job.result is not None
    assert job.result.notes == ()
    async with mocking(tmp_path, NOWHERE) as mock:
        mocked = await run(command, environment(mock.environment["WIRETAPE_DB_URL"]))
    assert mocked == recorded
    assert mock.result is not None
    assert mock.result.tally.miss == 0
    assert mock.result.tally.exact > 5
    answered = {each.sequence for each in journal(tmp_path) if each.sequence}
    assert answered <= {each.sequence for each in await exchanges(tmp_path / "tape.tape")}
    assert await other_ends(tmp_path) == []
