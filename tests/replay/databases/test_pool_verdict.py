"""What a pool sends of itself when a connection comes back to it is neither judged nor a write."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from postgres_server import Server
from sql_kit import Shop

pytestmark = pytest.mark.xdist_group("postgres_verdict")

POOL_SHOP = Path(__file__).parents[2] / "support" / "pool_shop.py"


def orders_and_items(url: str) -> None:
    """Each item before and after it is ordered, and all orders so far."""
    with httpx.Client(base_url=url, trust_env=False) as client:
        for item in (1, 2, 3, 2):
            client.get(f"/items/{item}").raise_for_status()
            client.get(f"/items/{item}").raise_for_status()
            client.post(f"/orders/{item}").raise_for_status()
            client.get(f"/items/{item}").raise_for_status()
            client.get("/orders").raise_for_status()


@pytest.fixture(scope="module")
def shop(postgres: Server, tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]) -> Shop:
    made = Shop(tmp_path_factory.mktemp("pool"), postgres.dsn, free_port, POOL_SHOP, asks=orders_and_items)
    asyncio.run(made.record())
    return made


@pytest.mark.parametrize("variant", ["", "acquire", "housekeeping"])
async def test_how_often_a_pool_resets_its_connections_is_no_finding(shop: Shop, variant: str) -> None:
    run = await shop.run(variant)
    assert run.verdict.findings == ()
    assert run.mock is not None
    assert run.mock.miss == 0
    assert run.mock.simulated > 40  # BEGIN, COMMIT and the parts of each reset


async def test_reads_for_each_item_through_the_pool_are_the_only_finding(shop: Shop) -> None:
    found = (await shop.run("n+1")).verdict.findings
    assert [each.pointer.partition(" (")[0] for each in found] == [
        "n+1 db: select id, price from pool_item where id = ?"
    ]
    assert found[0].route == "POST /orders/{id}"
    assert "called 4 times in one request" in found[0].message


async def test_a_lock_of_the_app_is_judged(shop: Shop) -> None:
    found = (await shop.run("locked")).verdict.findings
    assert [each.pointer.partition(" (")[0] for each in found] == ["missing db: select pg_advisory_unlock(?)"]
