"""The same program against a real MariaDB, through the recorder, and against the mock with the server unreachable."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from database_kit import other_ends
from driver_programs import node, python, reading, same_three_ways, shell
from mysql_server import MysqlServer

pytestmark = pytest.mark.xdist_group("mysql_programs")  # a server of its own: these take longest

NOWHERE = "mysql://shop:wrong@127.0.0.1:9/shop"

DRIVERS = {
    "pymysql": lambda: python("with_pymysql.py"),
    "asyncmy": lambda: python("with_asyncmy.py"),
    "connector": lambda: python("with_mysql_connector.py"),
    "sqlalchemy-pymysql": lambda: python("with_sqlalchemy_mysql.py", "pymysql"),
    "sqlalchemy-asyncmy": lambda: python("with_sqlalchemy_mysql.py", "asyncmy"),
    "django": lambda: python("with_django.py"),
    "mysql2": lambda: node("mysql2", "with_mysql2.cjs"),
    "mariadb": lambda: shell("mariadb", "mariadb-client", "with_mariadb.sh"),
}


def environment(url: str) -> dict[str, str]:
    """What the programs read."""
    place = urlsplit(url)
    return {
        **reading(url), "DB_HOST": place.hostname or "", "DB_PORT": str(place.port), "DB_USER": place.username or "",
        "DB_PASSWORD": unquote(place.password or ""),
    }  # fmt: skip


@pytest.mark.parametrize("driver", DRIVERS)
async def test_a_program_gets_the_same_from_server_recorder_and_mock(
    driver: str, mysql: MysqlServer, tmp_path: Path
) -> None:
    tally = await same_three_ways(DRIVERS[driver](), mysql.dsn, NOWHERE, tmp_path, environment)
    assert tally.exact > 5
    assert await other_ends(tmp_path) == []
