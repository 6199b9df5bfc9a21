"""The same program against a server, through the recorder, and against the mock with the server unreachable."""

from __future__ import annotations

from pathlib import Path

import pytest
from database_kit import other_ends
from driver_programs import node, python, same_three_ways
from mongodb_server import MongoServer

pytestmark = pytest.mark.xdist_group("mongodb")  # one server for all

DRIVERS = {
    "pymongo": lambda: python("with_pymongo.py"),
    "pymongo-async": lambda: python("with_pymongo_async.py"),
    "mongoengine": lambda: python("with_mongoengine.py"),
    "node": lambda: node("mongodb", "with_node_mongodb.cjs"),
}


@pytest.mark.parametrize("driver", DRIVERS)
async def test_a_program_gets_the_same_from_server_recorder_and_mock(
    driver: str, mongodb: MongoServer, tmp_path: Path
) -> None:
    nowhere = "mongodb://shop:wrong@127.0.0.1:9/shop"
    tally = await same_three_ways(DRIVERS[driver](), mongodb.url, nowhere, tmp_path)
    assert tally.exact + tally.normalized > 5
    assert await other_ends(tmp_path) == []
