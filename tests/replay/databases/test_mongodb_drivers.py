"""The same program against a server, through the recorder, and against the mock with the server unreachable."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from database_kit import Command, exchanges, journal, mocking, other_ends, recording, run
from mongodb_server import MongoServer

pytestmark = pytest.mark.xdist_group("mongodb")  # one server for all

PROGRAMS = Path(__file__).parent / "programs"
NODE_MODULES = Path(__file__).parents[2] / "outside" / "node_modules"


def python(name: str) -> Command:
    return (sys.executable, str(PROGRAMS / name))


def node() -> Command:
    binary = shutil.which("node")
    if binary is None or not (NODE_MODULES / "mongodb").is_dir():
        missing = "needs node and the package mongodb: npm install --no-save --ignore-scripts --prefix tests/outside"
        if os.environ.get("WIRETAPE_TEST_OUTSIDE") == "1":
            pytest.fail(missing)
        pytest.skip(missing)
    return (binary, str(PROGRAMS / "with_node_mongodb.cjs"))


DRIVERS = {
    "pymongo": lambda: python("with_pymongo.py"),
    "pymongo-async": lambda: python("with_pymongo_async.py"),
    "mongoengine": lambda: python("with_mongoengine.py"),
    "node": node,
}


@pytest.mark.parametrize("driver", DRIVERS)
async def test_a_program_gets_the_same_from_server_recorder_and_mock(
    driver: str, mongodb: MongoServer, tmp_path: Path
) -> None:
    command = DRIVERS[driver]()
    variables = {"NODE_PATH": str(NODE_MODULES)}
    direct = await run(command, {"DB_URL": mongodb.url, **variables})
    async with recording(tmp_path, mongodb.url) as job:
        recorded = await run(command, {"DB_URL": job.environment["WIRETAPE_DB_URL"], **variables})
    assert recorded == direct
    assert job.result is not None
    assert job.result.notes == ()
    nowhere = "mongodb://shop:wrong@127.0.0.1:9/shop"
    async with mocking(tmp_path, nowhere) as mock:
        mocked = await run(command, {"DB_URL": mock.environment["WIRETAPE_DB_URL"], **variables})
    assert mocked == recorded
    assert mock.result is not None
    assert mock.result.tally.miss == 0
    assert mock.result.tally.exact + mock.result.tally.normalized > 5
    answered = {each.sequence for each in journal(tmp_path) if each.sequence}
    assert answered <= {each.sequence for each in await exchanges(tmp_path / "tape.tape")}
    assert await other_ends(tmp_path) == []
