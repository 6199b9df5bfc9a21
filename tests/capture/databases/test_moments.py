"""What a fast app asked of its databases lies within the request for which it asked, to the nanosecond.

Whose call it was is told by that: an app on Flask, real servers, requests of a millisecond, and a busy machine.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from database_kit import Job, begun, exchanges
from postgres_server import Server
from redis_server import RedisServer

from wiretape_capture.launch.mapping import parse_map
from wiretape_capture.launch.spec import AppSpec
from wiretape_capture.proxy.spec import RecordResult, RecordSpec
from wiretape_capture.record import record
from wiretape_capture.snapshot.exchange import Direction, Exchange

pytestmark = pytest.mark.xdist_group("postgres")  # one server for all

SHOP = Path(__file__).parents[2] / "support" / "flask_shop.py"
REQUESTS = 320
CALLS = {"one": 1, "two": 2, "three": 3}


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """Processes beside that want the processor; they end by themselves, too."""
    until = "import time; until = time.monotonic() + 60\nwhile time.monotonic() < until: pass"
    beside = [subprocess.Popen([sys.executable, "-c", until]) for _ in range(processes)]
    try:
        yield
    finally:
        for each in beside:
            each.kill()
            each.wait()


def ask(url: str) -> None:
    """Requests on connections that stay and on new ones, several at once."""
    kinds = list(CALLS)

    def some(first: int) -> None:
        with httpx.Client(base_url=url, trust_env=False, timeout=30) as client:
            for n in range(first, REQUESTS, 4):
                headers = {"connection": "close"} if n % 3 == 0 else {}
                client.get(f"/{kinds[n % 3]}/{100_000 + n}", headers=headers).raise_for_status()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(some, range(4)))


def window(exchange: Exchange) -> tuple[int, int]:
    return exchange.started_ns, exchange.started_ns + exchange.duration_us * 1000


@pytest.mark.parametrize("engine", ["tee", "mitmproxy"])
@pytest.mark.parametrize("beside", [0, 3])
async def test_every_call_begins_and_ends_within_its_request(
    beside: int, engine: str, postgres: Server, redis_server: RedisServer, tmp_path: Path,
    free_port: Callable[[], int],
) -> None:  # fmt: skip
    environment = {"DATABASE_URL": postgres.dsn, "REDIS_URL": redis_server.url}
    app = AppSpec(command=(sys.executable, str(SHOP), str(free_port())), ready="/health", env=environment,
                  log=tmp_path / "app.log")  # fmt: skip
    port = int(app.command[-1])
    app = app.model_copy(update={"port": port})
    spec = RecordSpec(
        tape=tmp_path / "tape.tape", name="tape", ca_dir=tmp_path / "ca", app=app, app_port=port, engine=engine,
        maps=(parse_map(f"db={postgres.dsn}"), parse_map(f"cache={redis_server.url}")),
    )  # fmt: skip
    job: Job[RecordResult] = Job()
    task = asyncio.create_task(record(spec, job.emit, job.stop))
    await begun(job, task)
    with busy(beside):
        await asyncio.to_thread(ask, job.ready.result().endpoints["inbound"])
    job.stop.set()
    await task
    tape = await exchanges(spec.tape)
    requests = {each.location.rpartition("/")[2]: each for each in tape if each.direction is Direction.INBOUND}
    calls = [
        (each, found[0])
        for each in tape
        if each.protocol.is_database and (found := re.findall(rb"\b100[0-3]\d\d\b", each.request.body.data or b""))
    ]
    numbered = {number: each for number, each in requests.items() if number.isdigit()}
    assert len(numbered) == REQUESTS
    assert len(calls) == sum(CALLS[each.location.split("/")[1]] for each in numbered.values())
    outside = []
    for call, number in calls:
        (begins, ends), (began, ended) = window(numbered[number.decode()]), window(call)
        if not begins <= began <= ended <= ends:
            outside.append((number, call.command, began - begins, ends - ended))
    assert outside == []
