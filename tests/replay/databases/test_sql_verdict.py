"""An app on a real database, recorded once and judged in one broken variant after the other, the database gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from database_kit import exchanges
from postgres_server import Server
from sql_kit import Shop

pytestmark = pytest.mark.xdist_group("postgres_verdict")  # a server of its own: these take longest


@pytest.fixture(scope="module")
def shop(postgres: Server, tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]) -> Shop:
    made = Shop(tmp_path_factory.mktemp("shop"), postgres.dsn, free_port)
    asyncio.run(made.record())
    return made


async def test_the_unchanged_app_passes_without_its_database(shop: Shop) -> None:
    run = await shop.run("")
    assert run.verdict.findings == ()
    assert run.mock is not None
    assert run.mock.miss == 0
    assert run.mock.exact > 10


@pytest.mark.parametrize(
    ("variant", "pointer", "said"),
    [
        ("missing", "missing db: update shop_stock set qty = qty - ? where sku = ? (", "is not called any more"),
        ("extra", "duplicated db: update shop_stock", "with the same content"),
        ("changed", "changed db: update shop_stock", "bind/1 was "),
        ("reordered", "reordered db: update shop_stock", "is called before"),
        ("apart", "split db: update shop_stock", "one transaction"),
        ("n+1", "n+1 db: select sku, qty from shop_stock where sku = ?", "(N+1)"),
    ],
)
async def test_a_broken_app_has_a_finding_that_names_the_statement(
    shop: Shop, variant: str, pointer: str, said: str
) -> None:
    run = await shop.run(variant)
    found = [each for each in run.verdict.findings if each.pointer.startswith(pointer)]
    assert found, [each.pointer for each in run.verdict.findings]
    assert said in found[0].message
    expected = "POST /orders" if variant != "n+1" else "GET /stock/"
    assert found[0].route.startswith(expected)


async def test_statements_of_the_recording_belong_to_their_requests(shop: Shop) -> None:
    tape = await exchanges(shop.folder / "shop.tape")
    begun_ns = {each.sequence: each.started_ns for each in tape}
    assert [begun_ns[number] for number in sorted(begun_ns)] == sorted(begun_ns.values())
