"""The workers of a load: started, sent off at one moment, listened to. What a worker told before it died counts."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from wiretape_capture.errors import WiretapeError
from wiretape_capture.jobs.events import Counted, Failed, Finished, Notice, Ready
from wiretape_capture.jobs.parent import Job, failure
from wiretape_replay.load.comparing import Compared
from wiretape_replay.load.spec import Go, LoadSpec, WorkerResult, WorkerSpec
from wiretape_replay.load.tally import Tally

MODULE = "wiretape_replay.load.worker"
HEAD_START_NS = 200_000_000
"""How long after the word the schedule begins, so that all workers have heard it."""


@dataclass(slots=True)
class Worker:
    """One worker as the load sees it, wherever it is."""

    number: int
    result: WorkerResult | None = None
    lost: str = ""
    """Why it is gone."""
    comparing: bool = False
    started: int = 0
    """Sessions that it told of."""
    settled: int = 0
    """Those of which is known what became of them: played, cut short or dropped."""

    def count(self, tally: Tally) -> None:
        """Add what it told."""
        self.started += tally.started
        self.settled += tally.ended + tally.cut + tally.dropped


@dataclass(slots=True)
class ProcessWorker(Worker):
    """A worker that is a process of this machine."""

    job: Job = field(kw_only=True)
    findings: Path = field(kw_only=True)
    ready: asyncio.Future[None] = field(kw_only=True)


@dataclass(slots=True)
class Crew:
    """All workers of one load."""

    told: Callable[[Tally, float], None]
    """Is given what a worker has counted, and until when in seconds after the beginning."""
    workers: list[ProcessWorker] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _following: list[asyncio.Task[None]] = field(default_factory=list)

    async def connect(self, _spec: LoadSpec) -> None:
        """Nothing to be found: the workers are started here."""

    async def start(self, spec: LoadSpec, scenario: Path, target: str) -> None:
        """Start the workers and wait until all of them are ready; one that cannot begin is the load's error."""
        count = worker_count(spec)
        for shard in range(count):
            findings = scenario.with_name(f"findings-{shard}")
            worker_spec = WorkerSpec(load=spec, scenario=scenario, findings=findings, target=target, shard=shard,
                                     of=count)  # fmt: skip
            ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            job = await Job.start(MODULE, worker_spec)
            worker = ProcessWorker(shard, job=job, findings=findings, ready=ready)
            self.workers.append(worker)
            self._following.append(asyncio.create_task(self._follow(worker)))
        for worker in self.workers:
            await worker.ready

    async def go(self) -> Go:
        """Give the word."""
        now, wall = time.monotonic_ns(), time.time_ns()
        go = Go(start_ns=now + HEAD_START_NS, wall_ns=wall + HEAD_START_NS)
        for worker in self.workers:
            worker.job.tell(go)
        return go

    def stop(self) -> None:
        """Ask all of them to finish early."""
        for worker in self.workers:
            worker.job.request_stop()

    async def ended(self) -> None:
        """Return when every worker has ended, well or not."""
        await asyncio.gather(*self._following)

    async def close(self) -> None:
        """End whatever still runs."""
        for task in self._following:
            task.cancel()
        await asyncio.gather(*self._following, return_exceptions=True)
        for worker in self.workers:
            await worker.job.close()

    def compared(self) -> Compared:
        """What the workers that came to their end have compared."""
        whole = Compared()
        for worker in self.workers:
            if worker.findings.exists():
                whole.join(Compared.read(worker.findings))
        return whole

    @property
    def playing(self) -> bool:
        """Whether a worker still sends."""
        return any(worker.result is None and not worker.lost and not worker.comparing for worker in self.workers)

    async def _follow(self, worker: ProcessWorker) -> None:
        async for event in worker.job.events():
            if isinstance(event, Ready):
                worker.ready.set_result(None)
            elif isinstance(event, Counted):
                tally = Tally.decoded(event.counts)
                worker.count(tally)
                self.told(tally, event.at)
            elif isinstance(event, Notice):
                worker.comparing = True
            elif isinstance(event, Finished):
                worker.result = WorkerResult.model_validate(event.result)
            elif isinstance(event, Failed):
                worker.lost = event.problem
                if not worker.ready.done():
                    worker.ready.set_exception(failure(event))
        if not worker.ready.done():
            worker.ready.set_exception(WiretapeError("a load worker ended before it was ready", "the log says why"))


def worker_count(spec: LoadSpec) -> int:
    """Worker processes: one core is left to everything else."""
    if spec.workers is not None:
        return spec.workers
    cores = len(os.sched_getaffinity(0))
    return max(cores - 1, 1)
