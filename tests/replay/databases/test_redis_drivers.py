"""The same program against a real server, through the recorder, and against the mock with the server unreachable."""

from __future__ import annotations

from pathlib import Path

import pytest
from database_kit import mocking, recording, run
from driver_programs import node, python, same_three_ways, shell
from redis_server import RedisServer

pytestmark = pytest.mark.xdist_group("redis")  # one server for all

NOWHERE = "redis://:wrong@127.0.0.1:9/0"

DRIVERS = {
    "redis-py-2": lambda: python("with_redis.py", "2"),
    "redis-py-3": lambda: python("with_redis.py", "3"),
    "asyncio-2": lambda: python("with_redis_asyncio.py", "2"),
    "asyncio-3": lambda: python("with_redis_asyncio.py", "3"),
    "ioredis": lambda: node("ioredis", "with_ioredis.cjs"),
    "node-redis-2": lambda: node("redis", "with_node_redis.cjs", "2"),
    "node-redis-3": lambda: node("redis", "with_node_redis.cjs", "3"),
    "redis-cli": lambda: shell("redis-cli", "redis-tools", "with_redis_cli.sh"),
}


@pytest.mark.parametrize("driver", DRIVERS)
async def test_a_program_gets_the_same_from_server_recorder_and_mock(
    driver: str, redis_server: RedisServer, tmp_path: Path
) -> None:
    tally = await same_three_ways(DRIVERS[driver](), redis_server.url, NOWHERE, tmp_path)
    assert tally.exact > 5


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
