"""Fixtures every wing's tests share."""

from __future__ import annotations

import compileall
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from longest_first import seconds_of
from mongodb_server import MISSING as NO_MONGODB
from mongodb_server import MongoServer
from mongodb_server import installed as has_mongodb
from mongodb_server import running as running_mongodb
from mysql_server import MISSING as MISSING_MYSQL
from mysql_server import MysqlServer, program
from mysql_server import running as running_mysql
from postgres_server import MISSING, Server, binaries, running
from redis_server import MISSING as NO_REDIS
from redis_server import RedisServer, binary
from redis_server import running as running_redis

from wiretape_capture.launch.free_port import free_port as a_free_port

# What a busy machine takes to draw an example says nothing about the code.
settings.register_profile("wiretape", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("wiretape")


ROOT = Path(__file__).parents[1]
COMPILED = ("capture", "replay", "server", "benchmarks", "tests/support")
"""What thousands of processes import; no test edits it."""


def pytest_configure(config: pytest.Config) -> None:
    """Compile once what every process would compile for itself where PYTHONDONTWRITEBYTECODE is set, as in containers.

    The variable stays for the apps that tests edit: a file that is changed twice in a second would not be seen.
    """
    sys.dont_write_bytecode = False  # one worker rewrites the assertions of a file, the others read them
    if not hasattr(config, "workerinput"):
        for folder in COMPILED:
            compileall.compile_dir(ROOT / folder, quiet=1)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Several workers begin with what takes longest; a run without workers keeps the order of the files."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: -seconds_of(item.nodeid))


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """A function that gives a loopback port nobody listened on a moment ago."""
    return a_free_port


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A private Postgres server with SCRAM and TLS. Tests that use it belong to the group `postgres`."""
    folder = binaries()
    if folder is None:
        pytest.skip(MISSING)
    with running(folder) as server:
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A private Redis server with a password, TLS and a socket. Tests that use it belong to the group `redis`."""
    server = binary()
    if server is None:
        pytest.skip(NO_REDIS)
    with running_redis(server) as made:
        yield made


@pytest.fixture(scope="session")
def mysql() -> Iterator[MysqlServer]:
    """A private MariaDB server with TLS. Tests that use it belong to the group `mysql` or
    `mysql_programs`."""
    if program("mariadbd") is None:
        pytest.skip(MISSING_MYSQL)
    with running_mysql() as server:
        yield server


@pytest.fixture(scope="session")
def mongodb() -> Iterator[MongoServer]:
    """A private server that speaks MongoDB's protocol, with a password and TLS. Its tests are the group `mongodb`."""
    if not has_mongodb():
        pytest.skip(NO_MONGODB)
    with running_mongodb() as server:
        yield server
