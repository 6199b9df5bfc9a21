"""The same program against a real server, through the recorder, and against the mock with the server unreachable."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from database_kit import Command, exchanges, journal, mocking, recording, run
from redis_server import RedisServer

pytestmark = pytest.mark.xdist_group("redis")  # one server for all

PROGRAMS = Path(__file__).parent / "programs"
NODE_MODULES = Path(__file__).parents[2] / "outside" / "node_modules"
NOWHERE = "redis://:wrong@127.0.0.1:9/0"


def python(name: str, *words: str) -> Command:
    return (sys.executable, str(PROGRAMS / name), *words)


def cli() -> Command:
    if shutil.which("redis-cli") is None:
        pytest.skip("needs redis-cli: install Debian's redis-tools")
    return ("sh", str(PROGRAMS / "with_redis_cli.sh"))


def node(package: str, name: str, *words: str) -> Command:
    binary = shutil.which("node")
    if binary is None or not (NODE_MODULES / package).is_dir():
        missing = f"needs node and the package {package}: npm install --no-save --ignore-scripts --prefix tests/outside"
        if os.environ.get("WIRETAPE_TEST_OUTSIDE") == "1":
            pytest.fail(missing)
        pytest.skip(missing)
    return (binary, str(PROGRAMS / name), *words)


DRIVERS = {
    "redis-py-2": lambda: python("with_redis.py", "2"),
    "redis-py-3": lambda: python("with_redis.py", "3"),
    "asyncio-2": lambda: python("with_redis_asyncio.py", "2"),
    "asyncio-3": lambda: python("with_redis_asyncio.py", "3"),
    "ioredis": lambda: node("ioredis", "with_ioredis.cjs"),
    "node-redis-2": lambda: node("redis", "with_node_redis.cjs", "2"),
    "node-redis-3": lambda: node("redis", "with_node_redis.cjs", "3"),
    "redis-cli": cli,
}


@pytest.mark.parametrize("driver", DRIVERS)
async def test_a_program_gets_the_same_from_server_recorder_and_mock(
    driver: str, redis_server: RedisServer, tmp_path: Path
) -> None:
    command = DRIVERS[driver]()
    variables = {"NODE_PATH": str(NODE_MODULES)}
    direct = await run(command, {"DB_URL": redis_server.url, **variables})
    async with recording(tmp_path, redis_server.url) as job:
        recorded = await run(command, {"DB_URL": job.environment["WIRETAPE_DB_URL"], **variables})
    assert recorded == direct
    assert job.result is not None
    assert job.result.notes == ()
    async with mocking(tmp_path, NOWHERE) as mock:
        mocked = await run(command, {"DB_URL": mock.environment["WIRETAPE_DB_URL"], **variables})
    assert mocked == recorded
    assert mock.result is not None
    assert mock.result.tally.miss == 0
    assert mock.result.tally.exact > 5
    answered = {each.sequence for each in journal(tmp_path) if each.sequence}
    assert answered <= {each.sequence for each in await exchanges(tmp_path / "tape.tape")}


@pytest.mark.parametrize(("recorded_with", "mocked_with"), [("2", "3"), ("3", "2")])
async def test_a_recording_answers_in_the_other_version_of_resp(
    recorded_with: str, mocked_with: str, redis_server: RedisServer, tmp_path: Path
) -> None:
    direct = await run(python("with_redis.py", mocked_with), {"DB_URL": redis_server.url})
    async with recording(tmp_path, redis_server.url) as job:
        await run(python("with_redis.py", recorded_with), {"DB_URL": job.environment["WIRETAPE_DB_URL"]})
    async with mocking(tmp_path, NOWHERE) as mock:
        mocked = await run(python("with_redis.py", mocked_with), {"DB_URL": mock.environment["WIRETAPE_DB_URL"]})
    assert mocked == direct
    assert mock.result is not None
    assert mock.result.tally.miss == 0
