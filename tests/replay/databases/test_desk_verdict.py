"""An app on a real Postgres and a real Redis, recorded once: reads of another route, values made afresh, and caches."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from database_kit import Job as InLoop
from database_kit import begun
from postgres_server import Server
from redis_server import RedisServer

from wiretape_capture.jobs.events import Finished
from wiretape_capture.jobs.parent import Job
from wiretape_capture.launch.mapping import parse_map
from wiretape_capture.launch.spec import AppSpec
from wiretape_capture.proxy.spec import RecordResult, RecordSpec
from wiretape_capture.record import record
from wiretape_replay.engine.spec import ReplaySpec
from wiretape_replay.mock.spec import MockSpec
from wiretape_replay.verdict.evals import parse
from wiretape_replay.verdict.judge import judge
from wiretape_replay.verdict.metrics import measure
from wiretape_replay.verdict.model import Run

pytestmark = pytest.mark.xdist_group("desk_verdict")  # servers of its own

PROGRAM = Path(__file__).parents[2] / "support" / "desk_app.py"
NOWHERE = {"db": "postgres://desk:wrong@127.0.0.1:9/desk", "cache": "redis://127.0.0.1:9/0"}
ITEM = "db: select name, price from desk_item where id = ?"
OUTBOX = "db: insert into desk_outbox(id, order_id) values (?, ?)"
ORDER = "db: insert into desk_order(id, item) values (?, ?)"


@dataclass(frozen=True)
class Desk:
    """The app with what was recorded of it."""

    folder: Path
    urls: dict[str, str]
    free_port: Callable[[], int]

    def app(self, urls: dict[str, str], variant: str) -> AppSpec:
        port = self.free_port()
        env = {"DATABASE_URL": urls["db"], "REDIS_URL": urls["cache"], "VARIANT": variant}
        return AppSpec(command=(sys.executable, str(PROGRAM), str(port)), port=port, ready="/health", env=env,
                       log=self.folder / "app.log")  # fmt: skip

    async def record(self, *, together: bool) -> None:
        app = self.app(self.urls, "")
        maps = tuple(parse_map(f"{name}={url}") for name, url in self.urls.items())
        spec = RecordSpec(tape=self.folder / "desk.tape", name="desk", ca_dir=self.folder / "ca", app=app,
                          app_port=app.port, maps=maps)  # fmt: skip
        job: InLoop[RecordResult] = InLoop()
        task = asyncio.create_task(record(spec, job.emit, job.stop))
        await begun(job, task)
        url = job.ready.result().endpoints["inbound"]
        at_once = asyncio.Semaphore(3 if together else 1)
        await asyncio.gather(*(customer(url, number, at_once) for number in (1, 2, 3)))
        await asyncio.sleep(0.3)
        job.stop.set()
        await task

    async def run(self, variant: str, **more: object) -> Run:
        maps = tuple(parse_map(f"{name}={url}") for name, url in NOWHERE.items())
        mock = MockSpec(tape=self.folder / "desk.tape", ca_dir=self.folder / "ca", maps=maps)
        run = self.folder / f"{variant or 'same'} {self.free_port()}.run"
        spec = ReplaySpec(tape=mock.tape, run=run, app=self.app(NOWHERE, variant), mock=mock)
        job = await Job.start("wiretape_replay.engine", spec.model_copy(update=more), log=self.folder / "replay.log")
        last = [event async for event in job.events()][-1]
        assert isinstance(last, Finished), last
        return Run.model_validate(last.result)


async def customer(url: str, number: int, at_once: asyncio.Semaphore) -> None:
    """Looks at items, takes one, and looks at the order twice."""
    headers = {"X-Session-Id": f"customer-{number}"}
    async with at_once, httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, timeout=60) as client:
        for path in ("/items", f"/items/{number}", "/items/4", f"/rates/{number}", "/labels/1", f"/labels/{number}"):
            (await client.get(path)).raise_for_status()
        for _ in range(2):
            made = (await client.post("/orders", json={"item": number})).raise_for_status().json()["id"]
            for path in (f"/orders/{made}", f"/rates/{number}", "/labels/1"):
                (await client.get(path)).raise_for_status()
        for path in ("/items/1", "/items/2", "/items/3", "/items"):
            (await client.get(path)).raise_for_status()


type MakeDesk = Callable[[bool], Desk]


@pytest.fixture(scope="module")
def make_desk(postgres: Server, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory,
              free_port: Callable[[], int]) -> MakeDesk:  # fmt: skip
    def make(together: bool) -> Desk:
        made = Desk(tmp_path_factory.mktemp("desk"), {"db": postgres.dsn, "cache": redis_server.url}, free_port)
        asyncio.run(made.record(together=together))
        return made

    return make


@pytest.fixture(scope="module")
def desk(make_desk: MakeDesk) -> Desk:
    """Recorded with three customers at once."""
    return make_desk(True)


@pytest.fixture(scope="module")
def desk_in_turn(make_desk: MakeDesk) -> Desk:
    """Recorded with one customer after the other: no two of them found a cache empty and read the same."""
    return make_desk(False)


def told(run: Run) -> dict[str, str]:
    """Severity and count by route and pointer, without fingerprints."""
    return {re.sub(r" \([0-9a-f]{8}\)", "", f"{one.route}: {one.pointer}"): f"{one.severity} {one.count}/{one.of}"
            for one in run.verdict.findings}  # fmt: skip


@pytest.mark.parametrize("concurrency", [1, 8, 8])
async def test_unchanged_code_makes_no_finding(desk: Desk, concurrency: int) -> None:
    run = await desk.run("", concurrency=concurrency)
    assert told(run) == {}
    assert run.verdict.verdict == "pass", run.verdict


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize(
    ("variant", "place", "concurrency"), [("n+1", ITEM, 1), ("n+1", ITEM, 8), ("n+1 cache", "cache: GET item:{n}", 8)]
)
async def test_reads_that_another_route_made_are_n_plus_one(
    desk: Desk, desk_in_turn: Desk, variant: str, place: str, concurrency: int, together: bool
) -> None:
    run = await (desk if together else desk_in_turn).run(variant, concurrency=concurrency)
    assert told(run) == {f"GET /items: n+1 {place}": "warning 6/6"}, run.verdict.findings
    (finding,) = run.verdict.findings
    assert re.search(r"\([0-9a-f]{8}\) is called (4|8|9|\d\d) times in .*, which made no such call", finding.message)
    assert run.verdict.verdict == "pass"
    assert finding.message in run.verdict.reason
    assert measure(run).values["GET /items"]["outbound.n+1"] == 1
    assert judge(run, [parse("outbound.n+1 > 0")]).verdict == "fail"


@pytest.mark.parametrize("concurrency", [1, 8, 8])
@pytest.mark.parametrize("together", [False, True])
async def test_what_an_n_plus_one_loop_fills_is_told_at_its_route(
    desk: Desk, desk_in_turn: Desk, together: bool, concurrency: int
) -> None:
    run = await (desk if together else desk_in_turn).run("n+1 filling", concurrency=concurrency)
    found = told(run)
    assert {route.partition(": ")[0] for route in found} == {"GET /items"}, run.verdict.findings
    assert found["GET /items: n+1 cache: GET label:{n}"] == "warning 6/6"
    assert found["GET /items: duplicated cache: SETEX label:{n} ?"].startswith("error ")


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("together", [False, True])
async def test_one_read_that_another_route_made_is_told(
    desk: Desk, desk_in_turn: Desk, together: bool, concurrency: int
) -> None:
    run = await (desk if together else desk_in_turn).run("one read", concurrency=concurrency)
    assert told(run) == {f"GET /items: repeated {ITEM}": "info 6/6"}
    assert run.verdict.findings[0].message.endswith(", which made no such call when it was recorded")


@pytest.mark.parametrize(
    ("variant", "place", "said"),
    [
        ("two ids", OUTBOX, "bind/2 was the same as bind/1 of db: insert into desk_order"),
        ("two ids cache", "cache: SETEX order:{uuid} ?", "key/1 was the same as bind/1 of db: insert into desk_order"),
        ("other answer", ORDER, "bind/1 was the same as /id of the answer"),
        ("one id", OUTBOX, "bind/"),
    ],
)
async def test_a_value_made_afresh_is_one_in_all_its_places(desk: Desk, variant: str, place: str, said: str) -> None:
    run = await desk.run(variant, concurrency=1)  # a wrong value among orders under way together may pass for another's
    assert told(run)[f"POST /orders: changed {place}"] == "error 6/6", run.verdict.findings
    found = next(one for one in run.verdict.findings if "changed" in one.pointer)
    assert said in found.message
    assert run.verdict.verdict == "fail"
    if variant != "one id":  # what is twice in the recording is a miss, so that the app fails, too
        assert run.verdict.reason.endswith(found.message)
    if variant.startswith("two ids"):
        assert len(run.verdict.findings) == 1
