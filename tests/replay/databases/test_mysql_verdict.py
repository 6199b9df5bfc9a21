"""An app on MariaDB, recorded once and judged in one broken variant after the other, the database gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from mysql_server import MysqlServer
from sql_kit import Shop

from wiretape_replay.traffic.statements import drift, statements_of_run, statements_of_snapshot

pytestmark = pytest.mark.xdist_group("mysql_programs")  # a server of its own: these take longest


@pytest.fixture(scope="module")
def shop(mysql: MysqlServer, tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]) -> Shop:
    made = Shop(tmp_path_factory.mktemp("shop"), mysql.dsn, free_port)
    asyncio.run(made.record())
    return made


async def test_the_unchanged_app_passes_without_its_database(shop: Shop) -> None:
    run = await shop.run("")
    assert run.verdict.findings == ()
    assert run.mock is not None
    assert run.mock.miss == 0
    assert run.mock.exact > 10
    recorded = await statements_of_snapshot(shop.folder / "shop.tape")
    found = {row.statement: row for row in recorded}
    update = found["update shop_stock set qty = qty - ? where sku = ?"]
    assert (update.count, update.failed, update.statuses) == (4, 0, {"00000": 4})
    live = await statements_of_run(shop.folder / "same.run")
    assert [each for each in drift(recorded, live) if each.change not in ("slower", "faster")] == []


@pytest.mark.parametrize(
    ("variant", "pointer", "said", "route"),
    [
        ("missing", "missing db: update shop_stock set qty = qty - ? where sku = ? (", "is not called any more",
         "POST /orders"),
        ("changed", "changed db: update shop_stock", "bind/1 was ", "POST /orders"),
        ("undone", "rolled-back db: update shop_stock", "was committed, is rolled back; so is 1 other write",
         "POST /orders"),
        ("apart", "split db: update shop_stock", "one transaction", "POST /orders"),
        ("n+1", "n+1 db: select sku, qty from shop_stock where sku = ?", "(N+1)", "GET /stock/"),
    ],
)  # fmt: skip
async def test_a_broken_app_has_a_finding_that_names_the_statement(
    shop: Shop, variant: str, pointer: str, said: str, route: str
) -> None:
    run = await shop.run(variant)
    found = [each for each in run.verdict.findings if each.pointer.startswith(pointer)]
    assert found, [each.pointer for each in run.verdict.findings]
    assert said in found[0].message
    assert found[0].route.startswith(route)
