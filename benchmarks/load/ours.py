"""wiretape's own load job on recordings made for the purpose, on the clients' core."""

from __future__ import annotations

import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from benchmarks.load.origin import TEA, cores
from benchmarks.load.rivals import CONNECTIONS, Sent
from wiretape_capture.jobs.events import Finished
from wiretape_capture.jobs.parent import Job
from wiretape_capture.snapshot.exchange import Body, Direction, Exchange, Request, Response
from wiretape_capture.snapshot.tape_writer import TapeWriter
from wiretape_replay.engine.spec import ReplaySpec
from wiretape_replay.load.spec import LoadSpec
from wiretape_replay.verdict.model import Run

START_NS = 1_790_000_000 * 10**9
ORDER = "9f2c8a7be1d34f60a1b2c3d4e5f60718"
PATIENT_MS = 60_000.0
"""The benchmark reports the lag itself."""


def reading(count: int) -> list[Exchange]:
    """One session that reads a page so many times."""
    return [_exchange(number, "GET", "/tea", b"", 200, TEA) for number in range(1, count + 1)]


def ordering(count: int) -> list[Exchange]:
    """One session that makes an order and reads it by the id it was given, `count` requests in all."""
    made = b'{"id":"%b","state":"new"}' % ORDER.encode()
    first = _exchange(1, "POST", "/orders", b'{"sku":"tea"}', 201, made)
    return [first, *(_exchange(number, "GET", f"/orders/{ORDER}", b"", 200, made) for number in range(2, count + 1))]


async def closed(name: str, exchanges: Sequence[Exchange], url: str, seconds: float, folder: Path) -> Sent:
    """As fast as answers come, over as many connections as the others have."""
    run = await load(name, exchanges, url, folder, arrivals="closed", rate=float(CONNECTIONS), seconds=seconds)
    assert run.load is not None
    if run.counts.failed:
        raise RuntimeError(f"{run.counts.failed} of {run.counts.total} requests failed: {run.notes}")
    return Sent(run.counts.total / run.duration_ms * 1000, run.load.worker_cpu_s / run.counts.total * 1e6)


async def load(name: str, exchanges: Sequence[Exchange], url: str, folder: Path, **more: Any) -> Run:
    """One load with one worker."""
    tape, run = await taped(name, exchanges, folder), folder / f"{name}.run"
    run.unlink(missing_ok=True)
    replay = ReplaySpec(tape=tape, run=run, target=url)
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cores()[1]})  # the job inherits it
    try:
        job = await Job.start("wiretape_replay.load", LoadSpec(replay=replay, workers=1, max_lag_ms=PATIENT_MS, **more))
    finally:
        os.sched_setaffinity(0, before)
    result = None
    async for event in job.events():
        result = event
    await job.close()
    if not isinstance(result, Finished):
        raise RuntimeError(f"the load job failed: {result}")
    return Run.model_validate(result.result)


async def taped(name: str, exchanges: Sequence[Exchange], folder: Path) -> Path:
    """A tape with these exchanges, in the place of an older one."""
    tape = folder / f"{name}.tape"
    tape.unlink(missing_ok=True)
    writer = await TapeWriter.create(tape, name=name, created_ns=START_NS)
    for one in exchanges:
        writer.put(one)
    await writer.close()
    return tape


def _exchange(number: int, method: str, target: str, sent: bytes, status: int, answer: bytes) -> Exchange:
    headers: tuple[tuple[str, str], ...] = (("Host", "bench"),)
    if sent:
        headers += (("Content-Type", "application/json"), ("Content-Length", str(len(sent))))
    return Exchange(
        sequence=number, direction=Direction.INBOUND, service="bench:80", command=method, location=target,
        status=str(status), started_ns=START_NS + number * 1_000_000, duration_us=500, session="one", connection="c1",
        request=Request(method=method, target=target, headers=headers, body=_body(sent)),
        response=Response(status=status, headers=(("Content-Type", "application/json"),), body=_body(answer)),
    )  # fmt: skip


def _body(data: bytes) -> Body:
    return Body(size=len(data), sha256=sha256(data).hexdigest(), data=data)
