"""One worker of a load: `python -m wiretape_replay.load.worker`. Plays its share, tells its counts, compares."""

from __future__ import annotations

import asyncio
import resource
import sys
from typing import Literal

from wiretape_capture.jobs.child import hear_lines, run_job
from wiretape_capture.jobs.events import Emit, Notice, Ready
from wiretape_capture.snapshot.tape_reader import TapeReader
from wiretape_replay.load.comparing import compare_all
from wiretape_replay.load.samples import Samples
from wiretape_replay.load.scenario import Scenario
from wiretape_replay.load.share import Share
from wiretape_replay.load.spec import Go, WorkerResult, WorkerSpec


async def work(spec: WorkerSpec, emit: Emit, stop: asyncio.Event) -> WorkerResult:
    """Play one share of a load."""
    scenario = await asyncio.to_thread(Scenario.read, spec.scenario)
    share = await Share.prepared(scenario, spec)
    go = await _told_to_go(emit, stop)
    if go is None:
        return WorkerResult(memory_bytes=_memory())
    await share.play(go, emit, stop)
    await _compare(share.samples, scenario, spec, go, emit)
    notes = ("not every sampled answer was kept: a worker holds so many bytes at most",) if share.samples.full else ()
    return WorkerResult(memory_bytes=_memory(), cpu_s=share.cpu_s, stopped=share.stopped, notes=notes)


async def _compare(samples: Samples, scenario: Scenario, spec: WorkerSpec, go: Go, emit: Emit) -> None:
    if spec.load.compare != "full":
        return
    emit(Notice(message="comparing"))
    async with await TapeReader.open(spec.load.replay.tape) as tape:
        compared = await compare_all(samples, scenario, tape, go.wall_ns)
    await asyncio.to_thread(compared.write, spec.findings)


async def _told_to_go(emit: Emit, stop: asyncio.Event) -> Go | None:
    told: asyncio.Future[Go] = asyncio.get_running_loop().create_future()

    def hear(line: bytes) -> None:
        if not told.done():
            told.set_result(Go.model_validate_json(line))

    deaf = hear_lines(hear)
    stopped = asyncio.ensure_future(stop.wait())
    emit(Ready())
    waited: set[asyncio.Future[Go] | asyncio.Future[Literal[True]]] = {told, stopped}
    await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    deaf()
    return told.result() if told.done() else None


def _memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    sys.exit(run_job("load worker", WorkerSpec, work))
