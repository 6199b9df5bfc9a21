"""The workers of a load on a dask cluster: found, checked, given what they need, sent off at one moment, listened to.

The same worker processes as on one machine count and compare; dask carries files, orders and counts.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from wiretape_capture.errors import UsageError, WiretapeError
from wiretape_capture.jobs.parent import failure
from wiretape_replay.load.cluster_clock import ROUNDS, Offset, checked, offset_of
from wiretape_replay.load.cluster_look import Look, looker, refuse_others
from wiretape_replay.load.cluster_shard import LEASE_SECONDS, PIECE, SCENARIO, TAPE, Shard, State
from wiretape_replay.load.comparing import Compared
from wiretape_replay.load.crew import Worker
from wiretape_replay.load.spec import Go, LoadSpec, WorkerSpec
from wiretape_replay.load.tally import Tally
from wiretape_replay.loopback import is_loopback

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 15.0
"""A worker that has not answered for so long is lost."""
ASK_SECONDS = 0.5
HEAD_START_NS = 1_000_000_000
"""How long after the word the schedule begins, so that all workers have heard it."""


GONE = ("Worker holding Actor was lost", "Unable to contact Actor's worker")
"""How dask says that a worker is not there any more."""


class Lost(Exception):
    """A worker of the cluster does not answer any more."""


@dataclass(slots=True)
class ClusterWorker(Worker):
    """One share and the dask worker that plays it."""

    address: str = ""
    actor: Any = None
    known: int = 0
    """The number of the last counts that were taken."""
    offset: Offset = field(default_factory=lambda: Offset(0, 0))
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    why: str = ""
    """Why it is gone."""
    findings: bytes = b""


@dataclass(slots=True)
class ClusterCrew:
    """All workers of one load."""

    told: Callable[[Tally, float], None]
    """Is given what a worker has counted, and until when in seconds after the beginning."""
    url: str
    workers: list[ClusterWorker] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _client: Any = None
    _looks: dict[str, Look] = field(default_factory=dict)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _beats: list[asyncio.Task[None]] = field(default_factory=list)
    _watching: asyncio.Task[None] | None = None

    async def connect(self, spec: LoadSpec) -> None:
        """Find the cluster and check it, before an app is started."""
        if spec.replay.sign:
            raise UsageError("the keys of --sign are on this machine, not on the cluster",
                             "leave --sign or --cluster out")  # fmt: skip
        self._client = await _connected(self.url)
        told = await self._client.run(looker(), on_error="return")
        for name, each in sorted(told.items()):
            if not isinstance(each, dict):
                raise WiretapeError(f"worker {name} of the cluster cannot be asked what it has ({type(each).__name__})",
                                    "see its log; it needs the same Python as this machine")  # fmt: skip
            self._looks[name] = Look.read(each)
        if not self._looks:
            raise WiretapeError(f"the cluster {self.url} has no workers", "start some with: dask worker")
        refuse_others(self._looks, Look.read(looker()()), loopback=is_loopback(_host(spec.replay.target)))

    async def start(self, spec: LoadSpec, scenario: Path, target: str) -> None:
        """Hand out the shares and wait until all workers are ready; one that cannot begin is the load's error."""
        refuse_others(self._looks, Look.read(looker()()), loopback=is_loopback(_host(target)))
        names = sorted(self._looks)
        count = spec.workers or len(names)
        self.workers = [ClusterWorker(number, address=names[number % len(names)]) for number in range(count)]
        lean = spec.replay.model_copy(update={"app": None, "lock": None, "against": None, "baseline": None,
                                              "learned": ()})  # fmt: skip
        self._watching = asyncio.create_task(self._watch())
        load = spec.model_copy(update={"replay": lean})
        shares = [WorkerSpec(load=load, scenario=scenario, findings=scenario.with_name("findings"), target=target,
                             shard=worker.number, of=count) for worker in self.workers]  # fmt: skip
        files = {TAPE: spec.replay.tape, SCENARIO: scenario}
        await asyncio.gather(*(self._prepare(worker, share, files)
                               for worker, share in zip(self.workers, shares, strict=True)))  # fmt: skip
        self.notes.append(checked([(worker.address, worker.offset) for worker in self.workers]))

    async def go(self) -> Go:
        """Give the word."""
        wall = time.time_ns() + HEAD_START_NS
        go = Go(start_ns=time.monotonic_ns() + HEAD_START_NS, wall_ns=wall)
        await asyncio.gather(*(self._order(worker, "go", wall + worker.offset.ns, wall) for worker in self.workers))
        for beat in self._beats:
            beat.cancel()
        self._tasks = [asyncio.create_task(self._follow(worker)) for worker in self.workers]
        return go

    def stop(self) -> None:
        """Ask all of them to finish early."""
        self._tasks += [asyncio.create_task(self._order(worker, "stop")) for worker in self.workers]

    async def ended(self) -> None:
        """Return when every worker has ended, well or not."""
        while pending := [task for task in self._tasks if not task.done()]:
            await asyncio.wait(pending)

    async def close(self) -> None:
        """End whatever still runs."""
        for task in (*self._tasks, *self._beats, *([self._watching] if self._watching else [])):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if self._client is None:
            return
        await asyncio.gather(*(self._order(worker, "close") for worker in self.workers if worker.actor is not None))
        with suppress(OSError, TimeoutError):
            await self._client.close(timeout=CONNECT_SECONDS)

    def compared(self) -> Compared:
        """What the workers that came to their end have compared."""
        whole = Compared()
        for worker in self.workers:
            if worker.findings:
                whole.join(Compared.loads(worker.findings))
        return whole

    @property
    def playing(self) -> bool:
        """Whether a worker still sends."""
        return any(worker.result is None and not worker.lost and not worker.comparing for worker in self.workers)

    async def _prepare(self, worker: ClusterWorker, share: WorkerSpec, files: dict[str, Path]) -> None:
        await self._hand_out(worker, share, files)
        await self._ready(worker)

    async def _hand_out(self, worker: ClusterWorker, share: WorkerSpec, files: dict[str, Path]) -> None:
        key = f"wiretape-load-{uuid.uuid4().hex}"
        future = self._client.submit(Shard, actor=True, workers=[worker.address], allow_other_workers=False, key=key)
        try:
            worker.actor = await self._answer(worker, future)
            self._beats.append(asyncio.create_task(self._beat(worker)))
            for name, path in files.items():
                with path.open("rb") as file:
                    while piece := file.read(PIECE):
                        await self._asked(worker, "receive", name, piece)
            await self._asked(worker, "start", share.model_dump_json())
            rounds = []
            for _ in range(ROUNDS):
                before = time.time_ns()
                theirs = await self._asked(worker, "clock")
                rounds.append((before, theirs, time.time_ns()))
            worker.offset = offset_of(rounds)
        except Lost as why:
            raise _not_ready(worker, why) from None

    async def _ready(self, worker: ClusterWorker) -> None:
        while True:
            try:
                state: State = await self._asked(worker, "state", 0)
            except Lost as why:
                raise _not_ready(worker, why) from None
            if state.failed is not None:
                raise failure(state.failed)
            if state.ready:
                return
            await asyncio.sleep(ASK_SECONDS / 5)

    async def _follow(self, worker: ClusterWorker) -> None:
        """Take what a worker counts until it has ended, then what it compared."""
        try:
            over = False
            while not over:
                await asyncio.sleep(ASK_SECONDS)
                over = await self._heard(worker)
            found = b""
            while piece := await self._asked(worker, "findings", len(found)):
                found += piece
            worker.findings = found
        except Lost as why:
            worker.lost = f"{worker.address} {why}"

    async def _heard(self, worker: ClusterWorker) -> bool:
        state: State = await self._asked(worker, "state", worker.known)
        for one in state.told:
            tally = Tally.decoded(one.counts)
            worker.count(tally)
            self.told(tally, one.at)
            worker.known = one.number
        worker.comparing = state.comparing
        worker.result = state.result
        if state.over and state.result is None:
            problem = state.failed.problem if state.failed else "its process ended without a word"
            raise Lost(f"could not go on: {problem}")
        return state.over

    async def _order(self, worker: ClusterWorker, name: str, *values: int) -> None:
        """Tell a worker; one that is gone is seen to by whoever follows it."""
        with suppress(Lost):
            await self._asked(worker, name, *values)

    async def _beat(self, worker: ClusterWorker) -> None:
        """Show a worker that waits for the others that somebody is there."""
        while True:
            await asyncio.sleep(LEASE_SECONDS / 4)
            await self._order(worker, "state", 0)

    async def _asked(self, worker: ClusterWorker, name: str, *values: object) -> Any:
        """What a method of the share gives there; raises `Lost` when it never will."""

        async def ask() -> Any:
            return await getattr(worker.actor, name)(*values)

        return await self._answer(worker, ask())

    async def _answer(self, worker: ClusterWorker, answer: Awaitable[Any]) -> Any:
        asking, gone = asyncio.ensure_future(answer), asyncio.ensure_future(worker.gone.wait())
        try:
            await asyncio.wait({asking, gone}, timeout=ANSWER_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                raise Lost(worker.why if worker.gone.is_set() else f"did not answer for {ANSWER_SECONDS:g} s")
            if asking.cancelled():
                raise Lost("left the cluster")
            if (error := asking.exception()) is not None:
                raise Lost(_reason(error))
            return asking.result()
        finally:
            for task in (asking, gone):
                task.cancel()

    async def _watch(self) -> None:
        """Notice workers that leave sooner than their silence would tell."""
        while True:
            why = "left the cluster"
            try:
                there = set(await asyncio.wait_for(self._client.ncores(), ANSWER_SECONDS))
            except (OSError, TimeoutError):
                there, why = set(), "cannot be reached: its scheduler does not answer"
            for worker in self.workers:
                if worker.address not in there and not worker.gone.is_set():
                    worker.why = why
                    worker.gone.set()
            await asyncio.sleep(ASK_SECONDS)


def _not_ready(worker: ClusterWorker, why: Lost) -> WiretapeError:
    return WiretapeError(f"worker {worker.address} of the cluster {why} before it was ready", "see its log")


def _reason(error: BaseException) -> str:
    text = str(error).strip()
    if any(words in text for words in GONE):
        return "left the cluster, or its scheduler is gone"
    return f"failed: {type(error).__name__}" + (f": {text.splitlines()[0]}" if text else "")


def _host(target: str | None) -> str:
    return urlsplit(target or "http://127.0.0.1").hostname or ""


async def _connected(url: str) -> Any:
    try:
        from distributed import Client
    except ImportError:
        raise UsageError("a cluster needs dask.distributed, which is not installed",
                         "install it with: pip install 'wiretape[dask]'") from None  # fmt: skip
    try:
        open_client: Any = Client
        return await open_client(url.replace("dask://", "tcp://"), asynchronous=True, timeout=CONNECT_SECONDS,
                                 name="wiretape-load")  # fmt: skip
    except (OSError, TimeoutError, ValueError) as error:
        raise WiretapeError(f"no dask scheduler answers at {url} within {CONNECT_SECONDS:g} s",
                            "start one with `dask scheduler`, or correct --cluster") from error  # fmt: skip
