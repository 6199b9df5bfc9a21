"""An app on a real Postgres whose customers raced for the same rows when recorded, replayed in other orders."""

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
from postgres_server import Server

from wiretape_capture.jobs.events import Finished
from wiretape_capture.jobs.parent import Job
from wiretape_capture.launch.mapping import parse_map
from wiretape_capture.launch.spec import AppSpec
from wiretape_capture.proxy.spec import RecordResult, RecordSpec
from wiretape_capture.record import record
from wiretape_replay.engine.spec import BaselineSpec, ReplaySpec
from wiretape_replay.mock.spec import MockSpec
from wiretape_replay.verdict.model import Run

pytestmark = pytest.mark.xdist_group("races")  # a server of its own

PROGRAM = Path(__file__).parents[2] / "support" / "contended_shop.py"
NOWHERE = "postgres://shop:wrong@127.0.0.1:9/shop"


@dataclass(frozen=True)
class Shop:
    """The app with what was recorded of it."""

    folder: Path
    url: str
    free_port: Callable[[], int]

    def app(self, url: str, first: str) -> AppSpec:
        port = self.free_port()
        return AppSpec(command=(sys.executable, str(PROGRAM), str(port)), port=port, ready="/health",
                       env={"DATABASE_URL": url, "FIRST": first}, log=self.folder / "app.log")  # fmt: skip

    async def record(self) -> None:
        app = self.app(self.url, "ann")
        spec = RecordSpec(tape=self.folder / "shop.tape", name="shop", ca_dir=self.folder / "ca", app=app,
                          app_port=app.port, maps=(parse_map(f"db={self.url}"),))  # fmt: skip
        job: InLoop[RecordResult] = InLoop()
        task = asyncio.create_task(record(spec, job.emit, job.stop))
        await begun(job, task)
        await customers(job.ready.result().endpoints["inbound"], f"http://127.0.0.1:{app.port}")
        job.stop.set()
        await task

    async def run(self, first: str, *, learn: str = "", **more: object) -> Run:
        maps = (parse_map(f"db={NOWHERE}"),)
        mock = MockSpec(tape=self.folder / "shop.tape", ca_dir=self.folder / "ca", maps=maps)
        run = self.folder / f"{first} {self.free_port()}.run"
        against = BaselineSpec(app=self.app(NOWHERE, learn), mock=mock) if learn else None
        spec = ReplaySpec(tape=mock.tape, run=run, app=self.app(NOWHERE, first), mock=mock, against=against,
                          latency_seconds=0)  # fmt: skip
        job = await Job.start("wiretape_replay.engine", spec.model_copy(update=more), log=self.folder / "replay.log")
        last = [event async for event in job.events()][-1]
        assert isinstance(last, Finished), last
        return Run.model_validate(last.result)


async def customers(url: str, direct: str) -> None:
    """Ann and Bob are there together for the last of item 1, and one after the other for item 3."""
    both = [httpx.AsyncClient(base_url=url, headers={"X-Session-Id": who}, trust_env=False, timeout=60)
            for who in ("ann", "bob")]  # fmt: skip
    async with both[0] as ann, both[1] as bob, httpx.AsyncClient(base_url=direct, trust_env=False) as beside:
        first = asyncio.create_task(ann.post("/orders?meet", json={"item": 1}))
        (await beside.get("/inside/ann/orders", timeout=60)).raise_for_status()
        second = asyncio.create_task(bob.post("/orders?meet", json={"item": 1}))
        assert [(await each).json()["sold"] for each in (first, second)] == [1, 0]
        for client in (ann, bob):
            (await client.get("/items/3")).raise_for_status()


@pytest.fixture(scope="module")
def shop(postgres: Server, tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]) -> Shop:
    made = Shop(tmp_path_factory.mktemp("shop"), postgres.dsn, free_port)
    asyncio.run(made.record())
    return made


async def test_a_finding_in_requests_that_raced_says_so_and_what_helps(shop: Shop) -> None:
    run = await shop.run("bob")
    (sold,) = [one for one in run.verdict.findings if one.pointer == "/sold"]
    assert run.verdict.verdict == "fail"  # nobody can be certain
    assert "raced when it was recorded" in sold.evidence
    assert "(POST /orders), which writes k_item 1" in sold.evidence
    (note,) = [note for note in run.notes if "racy" in note]
    assert "1 finding may come from that; try --concurrency 1" in note[:200]


async def test_one_by_one_the_recorded_order_decides_and_nothing_is_said(shop: Shop) -> None:
    run = await shop.run("", concurrency=1)
    assert run.verdict.findings == ()
    assert not [note for note in run.notes if "racy" in note]


async def test_noise_that_is_learned_of_a_race_is_warned_of(shop: Shop) -> None:
    run = await shop.run("ann", learn="bob")
    assert ("POST /orders", "/sold") in {(rule.route, rule.pointer) for rule in run.noise}
    (note,) = [note for note in run.notes if "may hide data" in note]
    assert "/sold of POST /orders" in note
