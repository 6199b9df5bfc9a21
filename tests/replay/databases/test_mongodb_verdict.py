"""An app on MongoDB, recorded once and judged in one broken variant after the other, the database gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from mongodb_server import MongoServer
from sql_kit import Shop

from wiretape_replay.traffic.statements import drift, statements_of_run, statements_of_snapshot

pytestmark = pytest.mark.xdist_group("mongodb_verdict")  # a server of its own: these take longest

SCRIPT = Path(__file__).parents[2] / "support" / "mongo_shop.py"


@pytest.fixture(scope="module")
def shop(mongodb: MongoServer, tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]) -> Shop:
    made = Shop(tmp_path_factory.mktemp("shop"), mongodb.url, free_port, SCRIPT)
    asyncio.run(made.record())
    return made


async def test_the_unchanged_app_passes_without_its_database(shop: Shop) -> None:
    run = await shop.run("")
    assert run.verdict.findings == ()
    assert run.mock is not None
    assert run.mock.miss == 0
    assert run.mock.exact > 10
    assert run.mock.normalized >= 8  # orders are inserted and read by ids that were made anew
    recorded = await statements_of_snapshot(shop.folder / "shop.tape", "mongodb")
    found = {row.statement: row for row in recorded}
    update = found[UPDATE.removeprefix("db: ").removesuffix(" (")]
    assert (update.count, update.failed, update.statuses) == (4, 0, {"ok": 4})
    live = await statements_of_run(shop.folder / "same.run", "mongodb")
    assert [each for each in drift(recorded, live) if each.change not in ("slower", "faster")] == []


UPDATE = "db: update shop.shop_stock updates=[{q: {_id: ?}, u: {$inc: {qty: ?}}}] ("


@pytest.mark.parametrize(
    ("variant", "pointer", "said", "route"),
    [
        ("missing", f"missing {UPDATE}", "is not called any more", "POST /orders"),
        ("extra", f"duplicated {UPDATE}", "with the same content", "POST /orders"),
        ("changed", f"changed {UPDATE}", "bind/updates/0/u/$inc/qty was -", "POST /orders"),
        ("reordered", f"reordered {UPDATE}", "is called before", "POST /orders"),
        ("aborted", f"rolled-back {UPDATE}", "was committed, is rolled back; so is 1 other write", "POST /orders"),
        ("forgotten", f"rolled-back {UPDATE}", "was committed, is rolled back", "POST /orders"),
        ("apart", f"split {UPDATE}", "one transaction", "POST /orders"),
        ("n+1", "n+1 db: find shop.shop_stock filter={_id: ?} limit=? (", "(N+1)", "GET /stock/"),
    ],
)
async def test_a_broken_app_has_a_finding_that_names_the_command_and_the_path(
    shop: Shop, variant: str, pointer: str, said: str, route: str
) -> None:
    run = await shop.run(variant)
    found = [each for each in run.verdict.findings if each.pointer.startswith(pointer)]
    assert found, [(each.pointer, each.message) for each in run.verdict.findings]
    assert said in found[0].message
    assert found[0].route.startswith(route)
