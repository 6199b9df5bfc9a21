"""An app on a real Redis, recorded once and judged in one broken variant after the other, the server gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from redis_server import RedisServer
from sql_kit import ORDERS, Shop

from wiretape_replay.traffic.statements import drift, statements_of_run, statements_of_snapshot
from wiretape_replay.verdict.model import Run

pytestmark = pytest.mark.xdist_group("redis_verdict")  # a server of its own: these take longest

PROGRAM = Path(__file__).parents[2] / "support" / "redis_shop.py"
BASKET = {**ORDERS, "bag": 5}
"""What is ordered; of each something else goes wrong in the broken shop."""


@pytest.fixture(scope="module")
def shop(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]) -> Shop:
    made = Shop(tmp_path_factory.mktemp("shop"), redis_server.url, free_port, PROGRAM, BASKET)
    asyncio.run(made.record())
    return made


async def test_the_unchanged_app_passes_without_its_database(shop: Shop) -> None:
    run = await shop.run("")
    assert run.verdict.findings == ()
    assert run.mock is not None
    assert run.mock.miss == 0
    assert run.mock.exact > 10


@pytest.fixture(scope="module")
def broken(shop: Shop) -> Run:
    return asyncio.run(shop.run("broken"))


@pytest.mark.parametrize(
    ("pointer", "said", "route"),
    [
        ("missing db: DECRBY stock:ink ? (", "is not called any more", "POST /orders"),
        ("duplicated db: RPUSH orders ? (", "with the same content", "POST /orders"),
        ("changed db: DECRBY stock:pad ? (", "arg/2 was 3, is 4", "POST /orders"),
        ("reordered db: DECRBY stock:cap ? (", "is called before", "POST /orders"),
        ("unexpected db: DECRBY reserve:bag ? (", "key/1 was stock:", "POST /orders"),
        ("n+1 db: GET price:*", "(N+1)", "GET /stock/"),
    ],
)
def test_a_broken_app_has_findings_that_name_the_command(broken: Run, pointer: str, said: str, route: str) -> None:
    found = [each for each in broken.verdict.findings if each.pointer.startswith(pointer)]
    assert found, [(each.pointer, each.message) for each in broken.verdict.findings]
    assert said in found[0].message
    assert found[0].route.startswith(route)


async def test_commands_are_ranked_by_their_templates(shop: Shop, broken: Run) -> None:
    assert broken.mock is not None
    rows = {row.statement: row for row in await statements_of_snapshot(shop.folder / "shop.tape", "redis")}
    assert rows["RPUSH orders ?"].count == len(BASKET)
    assert rows["DECRBY stock:ink ?"].statuses == {"OK": 1}
    assert await statements_of_snapshot(shop.folder / "shop.tape") == []
    live = await statements_of_run(shop.folder / "broken.run", "redis")
    changes = {change.statement: change.change for change in drift(rows.values(), live)}
    assert changes["DECRBY stock:ink ?"] == "gone"
    assert changes["DECRBY reserve:bag ?"] == "new"
    assert changes["RPUSH orders ?"] == "fewer"  # one too many, and two that a miss before them prevented
