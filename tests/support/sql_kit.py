"""A small shop on a database, recorded once and judged in one broken variant after the other, the database gone."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from database_kit import Job as InLoop
from database_kit import begun

from wiretape_capture.jobs.events import Finished
from wiretape_capture.jobs.parent import Job
from wiretape_capture.launch.mapping import parse_map
from wiretape_capture.launch.spec import AppSpec, ServiceMap
from wiretape_capture.proxy.spec import RecordResult, RecordSpec
from wiretape_capture.record import record
from wiretape_replay.engine.spec import ReplaySpec
from wiretape_replay.mock.spec import MockSpec
from wiretape_replay.verdict.model import Run

SHOP = Path(__file__).with_name("sql_shop.py")
NO_CACHE = "redis://127.0.0.1:9/0"
ORDERS = {"ink": 1, "pen": 2, "pad": 3, "cap": 4}
"""What is ordered, and how much of it."""


@dataclass(frozen=True)
class Shop:
    """The shop on the database of a URL."""

    folder: Path
    url: str
    free_port: Callable[[], int]
    script: Path = SHOP
    orders: Mapping[str, int] = field(default_factory=lambda: ORDERS)
    cache: str = ""
    """URL of a Redis beside the database; empty for a shop without one."""
    asks: Callable[[str], None] | None = None
    """Asks the shop while it is recorded; None for orders, prices and stock."""

    @property
    def nowhere(self) -> str:
        """A URL of the same database that leads nowhere."""
        scheme = urlsplit(self.url).scheme
        return f"{scheme}://shop:wrong@127.0.0.1:9/{'0' if scheme == 'redis' else 'shop'}"

    def _maps(self, url: str, cache: str) -> tuple[ServiceMap, ...]:
        beside = (parse_map(f"cache={cache}"),) if self.cache else ()
        return (parse_map(f"db={url}"), *beside)

    def app(self, url: str, cache: str, variant: str) -> AppSpec:
        """The app, broken in a way."""
        port = self.free_port()
        env = {"DATABASE_URL": url, "REDIS_URL": cache, "VARIANT": variant}
        return AppSpec(command=(sys.executable, str(self.script), str(port)), port=port, ready="/health", env=env,
                       log=self.folder / "app.log")  # fmt: skip

    async def run(self, variant: str) -> Run:
        """Replay against the app, broken in a way, with its database mocked."""
        app = self.app(self.nowhere, NO_CACHE, variant)
        maps = self._maps(self.nowhere, NO_CACHE)
        mock = MockSpec(tape=self.folder / "shop.tape", ca_dir=self.folder / "ca", maps=maps)
        file = self.folder / f"{variant or 'same'}.run"
        file.unlink(missing_ok=True)
        spec = ReplaySpec(tape=mock.tape, run=file, app=app, mock=mock)
        job = await Job.start("wiretape_replay.engine", spec, log=self.folder / "replay.log")
        last = [event async for event in job.events()][-1]
        assert isinstance(last, Finished), last
        return Run.model_validate(last.result)

    async def record(self) -> None:
        """Record the shop while it is asked."""
        app = self.app(self.url, self.cache, "")
        spec = RecordSpec(tape=self.folder / "shop.tape", name="shop", ca_dir=self.folder / "ca", app=app,
                          app_port=app.port, maps=self._maps(self.url, self.cache))  # fmt: skip
        job: InLoop[RecordResult] = InLoop()
        task = asyncio.create_task(record(spec, job.emit, job.stop))
        await begun(job, task)
        inbound = job.ready.result().endpoints["inbound"]
        await asyncio.to_thread(self.asks or (lambda url: ask(url, self.orders)), inbound)
        await asyncio.sleep(0.3)
        job.stop.set()
        await task


def ask(url: str, orders: Mapping[str, int]) -> None:
    """Orders, prices one by one, and stock of several at once."""
    with httpx.Client(base_url=url, trust_env=False) as client:
        for sku, qty in orders.items():
            assert client.post("/orders", json={"sku": sku, "qty": qty}).status_code == 200
        for sku in ("ink", "pen", "pad", "cap"):
            client.get(f"/price/{sku}").raise_for_status()
        client.get("/stock/ink,pen,pad,cap").raise_for_status()
        client.get("/stock/ink,pen,pad").raise_for_status()
