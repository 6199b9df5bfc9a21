"""A shop on a real Postgres and a real Redis, recorded once and judged with one fault after the other, both gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from postgres_server import Server
from redis_server import RedisServer
from sql_kit import Shop

from wiretape_replay.verdict.model import Run, Severity

pytestmark = pytest.mark.xdist_group("transactions_verdict")  # servers of its own: these take longest

SHOP = Path(__file__).parents[2] / "support" / "cached_shop.py"
UPDATE, AUDIT = "db: update c_item set stock = ? where id = ?", "db: insert into c_audit(item, what) values (?, ?)"
ORDER = "db: insert into c_order(item, qty) values (?, ?) returning id"
QUEUE = "cache: MULTI RPUSH queue ?; INCRBY sold:{n} ?"


def asks(url: str) -> None:
    """Items out of the cache and beside it, new stock, orders, a quote, and several items at once."""
    with httpx.Client(base_url=url, trust_env=False) as client:
        for number in (1, 2, 3, 1):
            client.get(f"/items/{number}").raise_for_status()
        for number, stock in ((1, 99), (2, 98)):
            client.post("/stock", json={"item": number, "qty": stock}).raise_for_status()
            assert client.get(f"/items/{number}").json()["stock"] == stock
        for number in (3, 4, 5):
            client.post("/orders", json={"item": number, "qty": number}).raise_for_status()
        client.post("/quotes", json={"item": 3, "qty": 2}).raise_for_status()
        for words in ("4,5,6", "4", "5", "6"):
            client.get(f"/items/{words}").raise_for_status()


@pytest.fixture(scope="module")
def shop(
    postgres: Server, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]
) -> Shop:
    folder = tmp_path_factory.mktemp("shop")
    made = Shop(folder, postgres.dsn, free_port, SHOP, cache=redis_server.url, asks=asks)
    asyncio.run(made.record())
    return made


def told(run: Run) -> list[tuple[str, str]]:
    """Severity and pointer of each finding, without fingerprints."""
    return [(each.severity.value, each.pointer.partition(" (")[0]) for each in run.verdict.findings]


async def test_unchanged_code_passes(shop: Shop) -> None:
    run = await shop.run("")
    assert run.verdict.findings == ()
    assert run.mock is not None
    assert (run.mock.miss, run.mock.simulated > 10) == (0, True)


@pytest.mark.parametrize(
    ("variant", "findings", "said"),
    [
        ("lost", [f"rolled-back {UPDATE}", f"rolled-back {ORDER}"], "was committed, is rolled back"),
        ("rollback", [f"rolled-back {UPDATE}", f"rolled-back {ORDER}"], "was committed, is rolled back"),
        ("open", [f"uncommitted {UPDATE}", f"uncommitted {ORDER}"], "was committed, is never committed"),
        ("kept", [f"committed {AUDIT}"], "was rolled back, is committed"),
        ("discard", [f"rolled-back {QUEUE}"], "was executed, is discarded"),
    ],
)
async def test_a_write_that_comes_to_another_end_fails_its_exchange(
    shop: Shop, variant: str, findings: list[str], said: str
) -> None:
    run = await shop.run(variant)
    assert told(run) == [("error", f"{finding}".partition(" (")[0]) for finding in findings]
    assert all(said in each.message for each in run.verdict.findings)
    assert run.verdict.verdict == "fail"
    assert run.mock is not None
    assert run.mock.miss == 0  # the code asks what it asked


async def test_all_writes_of_a_lost_transaction_are_named_in_one_finding(shop: Shop) -> None:
    run = await shop.run("lost")
    (found,) = [each for each in run.verdict.findings if each.route == "POST /stock"]
    assert found.message.startswith(f"POST /stock: {UPDATE} (")
    assert f"; so is 1 other write of its transaction: {AUDIT} (" in found.message
    assert (found.count, found.expected) == (2, "committed")


async def test_a_transaction_that_is_torn_apart_is_a_warning(shop: Shop) -> None:
    run = await shop.run("split")
    assert told(run) == [("warning", f"split {UPDATE}")]
    assert "were committed in one transaction, are committed in 2" in run.verdict.findings[0].message
    assert run.verdict.verdict == "pass"


@pytest.mark.parametrize(
    ("variant", "route", "cause", "said", "consequence"),
    [
        ("where", "GET /items/{id}", "changed db: select id, name, stock from c_item where id = ?",
         "is called with other content: bind/1 was 1, is 2", "changed cache: SETEX item:{n} ?"),
        ("nodel", "POST /stock", "missing cache: DEL item:{n}", "is not called any more", "/stock"),
        ("nosetex", "GET /items/{id}", "missing cache: SETEX item:{n} ?", "is not called any more", ""),
    ],
)  # fmt: skip
async def test_what_went_wrong_first_leads(
    shop: Shop, variant: str, route: str, cause: str, said: str, consequence: str
) -> None:
    run = await shop.run(variant)
    first, *others = run.verdict.findings
    assert (first.route, first.pointer.partition(" (")[0], first.severity) == (route, cause, Severity.ERROR)
    assert said in first.message
    assert first.message in run.verdict.reason
    followers = {each.pointer.partition(" (")[0] for each in others if each.follows == first.id}
    assert not consequence or consequence in followers
    assert all(each.message.endswith(f"(may follow from {each.follows})") for each in others if each.follows)


async def test_a_read_for_each_item_is_told_in_words_that_make_sense(shop: Shop) -> None:
    run = await shop.run("n+1")
    (found,) = run.verdict.findings
    assert "is called 3 times in one request, which made no such call when it was recorded" in found.message


async def test_a_transaction_of_redis_without_its_multi_is_told_as_that(shop: Shop) -> None:
    run = await shop.run("nomulti")
    found = run.verdict.findings[0]
    assert (found.severity, found.pointer.partition(" (")[0]) == (Severity.ERROR, f"split {QUEUE}")
    assert "is sent without MULTI" in found.message
    assert not any("unexpected" in each.pointer for each in run.verdict.findings)
    assert "is sent without MULTI" in run.verdict.reason
