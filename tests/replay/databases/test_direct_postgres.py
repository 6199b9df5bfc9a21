"""Busy conversations with a mocked Postgres leave the loop, and come back for everything that is not settled."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import asyncpg
import psycopg
import pytest
from database_kit import journal, mocking, open_lines, recording
from postgres_server import Server

from wiretape_replay.mock.databases.direct import BUSY

pytestmark = pytest.mark.xdist_group("postgres")  # one server for all

SELECT = "select name from thing where id = %s"


THINGS = "create temporary table thing as select n as id, 'thing ' || n as name from generate_series(1, 3) n"


def once(url: str) -> None:
    """What is recorded: two reads, a transaction with a write, and somebody who listens."""
    with psycopg.connect(url, autocommit=True) as listener, psycopg.connect(url, autocommit=True) as connection:
        listener.execute("listen news")
        connection.execute(THINGS)
        assert [read(connection, number) for number in (1, 2)] == ["thing 1", "thing 2"]
        with connection.transaction():
            connection.execute("update thing set name = 'none' where id = 3")
            assert read(connection, 3) == "none"
        connection.execute("notify news, 'it is here'")
        assert heard(listener) == ["it is here"]


def heard(listener: psycopg.Connection[Any]) -> list[str]:
    return [told.payload for told in listener.notifies(timeout=10, stop_after=1)]


def read(connection: psycopg.Connection[Any], number: int) -> str:
    (row,) = connection.execute(SELECT, (number,)).fetchall()
    return str(row[0])


def often(url: str) -> int:
    """The same with many reads in between; how many lines were open at most."""
    most = 0
    with psycopg.connect(url, autocommit=True) as listener, psycopg.connect(url, autocommit=True) as connection:
        listener.execute("listen news")
        connection.execute(THINGS)
        for _ in range(4 * BUSY):
            assert read(connection, 1) == "thing 1"
            most = max(most, open_lines())
        assert read(connection, 2) == "thing 2"
        with connection.transaction():
            connection.execute("update thing set name = 'none' where id = 3")
            assert read(connection, 3) == "none"
        with pytest.raises(psycopg.Error, match="nothing recorded answers"):
            read(connection, 4)
        for _ in range(4 * BUSY):
            assert read(connection, 1) == "thing 1"
            most = max(most, open_lines())
        connection.execute("notify news, 'it is here'")
        assert heard(listener) == ["it is here"]
        for _ in range(4 * BUSY):
            assert read(listener, 2) == "thing 2"  # who listens may be told something: no line is for them
    return most


async def test_a_busy_conversation_leaves_the_loop_and_comes_back(postgres: Server, tmp_path: Path) -> None:
    async with recording(tmp_path, postgres.dsn) as recorder:
        await asyncio.to_thread(once, recorder.environment["WIRETAPE_DB_URL"])
    async with mocking(tmp_path, "postgres://127.0.0.1:9/x") as job:
        assert await asyncio.to_thread(often, job.environment["WIRETAPE_DB_URL"]) == 1
    assert job.result is not None
    assert job.result.tally.miss == 1
    answers = journal(tmp_path)
    assert len(answers) == job.result.tally.total + job.result.tally.simulated
    reads = [each for each in answers if each.location.startswith("select name") and each.tier != "miss"]
    assert len(reads) == 12 * BUSY + 2
    assert {each.tier for each in reads} == {"exact"}


async def test_a_busy_pool_has_a_line_although_it_resets_its_connection_each_time(
    postgres: Server, tmp_path: Path
) -> None:
    async def ask(url: str, times: int) -> int:
        most = 0
        async with asyncpg.create_pool(url.partition("?")[0], ssl=False, min_size=1, max_size=1) as pool:
            for _ in range(times):
                assert await pool.fetchval("select count(*) from pg_class where relname = $1", "none") == 0
                most = max(most, open_lines())
        return most

    async with recording(tmp_path, postgres.dsn) as recorder:
        await ask(recorder.environment["WIRETAPE_DB_URL"], 2)
    async with mocking(tmp_path, "postgres://127.0.0.1:9/x") as job:
        assert await ask(job.environment["WIRETAPE_DB_URL"], 2 * BUSY) == 1
    assert job.result is not None
    tiers = Counter(each.tier for each in journal(tmp_path))
    assert tiers == {"exact": 2 * BUSY, "simulated": 2 * BUSY * 4}
    assert (job.result.tally.exact, job.result.tally.simulated) == (2 * BUSY, 2 * BUSY * 4)
