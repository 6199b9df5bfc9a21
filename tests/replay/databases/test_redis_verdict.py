"""An app on a real database, recorded once and judged in one broken variant after the other, the database gone."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from database_kit import Job as InLoop
from database_kit import begun
from redis_server import RedisServer

from wiretape_capture.jobs.events import Finished
from wiretape_capture.jobs.parent import Job
from wiretape_capture.launch.mapping import parse_map
from wiretape_capture.launch.spec import AppSpec
from wiretape_capture.proxy.spec import RecordResult, RecordSpec
from wiretape_capture.record import record
from wiretape_replay.engine.spec import ReplaySpec
from wiretape_replay.mock.spec import MockSpec
from wiretape_replay.traffic.statements import drift, statements_of_run, statements_of_snapshot
from wiretape_replay.verdict.model import Run

pytestmark = pytest.mark.xdist_group("redis")  # one server for all

SHOP = Path(__file__).parents[2] / "support" / "redis_shop.py"
MAP = "cache=redis://127.0.0.1:9/0"


@dataclass(frozen=True)
class Shop:
    folder: Path
    free_port: Callable[[], int]

    def app(self, url: str, variant: str) -> AppSpec:
        port = self.free_port()
        return AppSpec(command=(sys.executable, str(SHOP), str(port)), port=port, ready="/health",
                       env={"REDIS_URL": url, "VARIANT": variant}, log=self.folder / "app.log")  # fmt: skip

    async def run(self, variant: str) -> Run:
        app = self.app("redis://:wrong@127.0.0.1:9/0", variant)
        mock = MockSpec(tape=self.folder / "shop.tape", ca_dir=self.folder / "ca", maps=(parse_map(MAP),))
        spec = ReplaySpec(tape=mock.tape, run=self.folder / f"{variant or 'same'}.run", app=app, mock=mock)
        job = await Job.start("wiretape_replay.engine", spec, log=self.folder / "replay.log")
        last = [event async for event in job.events()][-1]
        assert isinstance(last, Finished), last
        return Run.model_validate(last.result)


def ask(url: str) -> None:
    with httpx.Client(base_url=url, trust_env=False) as client:
        for sku, qty in (("ink", 1), ("pen", 2), ("pad", 3), ("cap", 4)):
            assert client.post("/orders", json={"sku": sku, "qty": qty}).status_code == 200
        for sku in ("ink", "pen", "pad", "cap"):
            client.get(f"/price/{sku}").raise_for_status()
        client.get("/prices/ink,pen,pad,cap").raise_for_status()
        client.get("/prices/ink,pen,pad").raise_for_status()


@pytest.fixture(scope="module")
def shop(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]) -> Shop:
    made = Shop(tmp_path_factory.mktemp("shop"), free_port)

    async def recorded() -> None:
        app = made.app(redis_server.url, "")
        spec = RecordSpec(tape=made.folder / "shop.tape", name="shop", ca_dir=made.folder / "ca", app=app,
                          app_port=app.port, maps=(parse_map(f"cache={redis_server.url}"),))  # fmt: skip
        job: InLoop[RecordResult] = InLoop()
        task = asyncio.create_task(record(spec, job.emit, job.stop))
        await begun(job, task)
        await asyncio.to_thread(ask, job.ready.result().endpoints["inbound"])
        await asyncio.sleep(0.3)
        job.stop.set()
        await task

    asyncio.run(recorded())
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
        ("missing", "missing cache: DECRBY stock:", "is not called any more"),
        ("extra", "duplicated cache: RPUSH orders ? (", "with the same content"),
        ("changed", "changed cache: DECRBY stock:", "arg/2 was "),
        ("key", "unexpected cache: DECRBY reserve:", "key/1 was stock:"),
        ("reordered", "reordered cache: DECRBY stock:", "is called before"),
        ("n+1", "n+1 cache: GET price:*", "(N+1)"),
    ],
)
async def test_a_broken_app_has_a_finding_that_names_the_command(
    shop: Shop, variant: str, pointer: str, said: str
) -> None:
    run = await shop.run(variant)
    found = [each for each in run.verdict.findings if each.pointer.startswith(pointer)]
    assert found, [(each.pointer, each.message) for each in run.verdict.findings]
    assert said in found[0].message
    expected = "POST /orders" if variant != "n+1" else "GET /prices/"
    assert found[0].route.startswith(expected)


async def test_commands_are_ranked_by_their_templates(shop: Shop) -> None:
    rows = {row.statement: row for row in await statements_of_snapshot(shop.folder / "shop.tape", "redis")}
    assert rows["RPUSH orders ?"].count == 4
    assert rows["MGET price:ink price:pen price:pad price:cap"].count == 1
    assert rows["MGET price:ink price:pen price:pad price:cap"].statuses == {"OK": 1}
    assert await statements_of_snapshot(shop.folder / "shop.tape") == []
    await shop.run("missing")
    live = await statements_of_run(shop.folder / "missing.run", "redis")
    changes = {change.statement: change.change for change in drift(rows.values(), live)}
    assert {name for name, change in changes.items() if change == "gone"} == {
        f"DECRBY stock:{sku} ?" for sku in ("ink", "pen", "pad", "cap")
    }
