"""One share of a load on a worker of a dask cluster: the same process as on one machine, kept and asked through dask.

An actor: its methods answer at once. When nobody asks for a while, because the client is gone, it ends its load.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from wiretape_capture.jobs.events import Counted, Event, Failed, Finished, Notice, Ready
from wiretape_capture.jobs.parent import Job
from wiretape_replay.load.crew import MODULE
from wiretape_replay.load.spec import Go, WorkerResult, WorkerSpec

LEASE_SECONDS = 20.0
PIECE = 4 << 20
"""Bytes of a file that travel at once."""
TAPE, SCENARIO, FINDINGS = "snapshot.tape", "scenario", "findings"


@dataclass(frozen=True, slots=True)
class Told:
    """Counts, numbered so that none is taken twice or missed."""

    number: int
    at: float
    """Until when they were counted, in seconds after the beginning."""
    counts: str


@dataclass(frozen=True, slots=True)
class State:
    """How a share is getting on."""

    told: tuple[Told, ...]
    ready: bool
    comparing: bool
    result: WorkerResult | None
    failed: Failed | None
    over: bool


@dataclass
class Shard:
    """The share, as the client sees it."""

    _folder: Path = field(default_factory=lambda: _scratch())
    _told: list[Told] = field(default_factory=list)
    _state: State = State((), False, False, None, None, False)
    _asked: float = field(default_factory=time.monotonic)
    _loop: asyncio.AbstractEventLoop | None = None
    _job: Job | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _closed: threading.Event = field(default_factory=threading.Event)

    def receive(self, name: str, piece: bytes) -> None:
        """The next piece of a file."""
        self._asked = time.monotonic()
        with (self._folder / name).open("ab") as file:
            file.write(piece)

    def clock(self) -> int:
        """The wall clock here, in nanoseconds."""
        return time.time_ns()

    def start(self, text: str) -> None:
        """Begin to prepare; `state` says when it is ready."""
        spec = WorkerSpec.model_validate_json(text)
        replay = spec.load.replay.model_copy(update={"tape": self._folder / TAPE})
        here = spec.model_copy(update={
            "load": spec.load.model_copy(update={"replay": replay}),
            "scenario": self._folder / SCENARIO, "findings": self._folder / FINDINGS,
        })  # fmt: skip
        threading.Thread(target=lambda: asyncio.run(self._live(here)), name="wiretape-load", daemon=True).start()

    def go(self, here_ns: int, wall_ns: int) -> None:
        """Begin when the clock here shows `here_ns`, which is `wall_ns` on the client's."""
        self._call(Go(start_ns=time.monotonic_ns() + here_ns - time.time_ns(), wall_ns=wall_ns))

    def stop(self) -> None:
        """Finish early."""
        self._call(None)

    def state(self, known: int) -> State:
        """Everything since the counts of that number, which need not be kept any longer."""
        self._asked = time.monotonic()
        with self._lock:
            self._told = [one for one in self._told if one.number > known]
            now = self._state
            return State(tuple(self._told), now.ready, now.comparing, now.result, now.failed, now.over)

    def findings(self, start: int) -> bytes:
        """A piece of what was compared; empty at its end, and where nothing was."""
        self._asked = time.monotonic()
        path = self._folder / FINDINGS
        if not path.exists():
            return b""
        with path.open("rb") as file:
            file.seek(start)
            return file.read(PIECE)

    def close(self) -> None:
        """End whatever still runs."""
        self._closed.set()

    def _call(self, go: Go | None) -> None:
        loop, job = self._loop, self._job
        if loop is None or job is None:
            return
        with suppress(RuntimeError):  # it has ended by itself
            loop.call_soon_threadsafe(job.request_stop if go is None else lambda: job.tell(go))

    async def _live(self, spec: WorkerSpec) -> None:
        self._loop = asyncio.get_running_loop()
        job = self._job = await Job.start(MODULE, spec)
        following = asyncio.create_task(self._follow(job))
        try:
            await asyncio.to_thread(self._kept)
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            await job.close()
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    def _kept(self) -> None:
        """Return when the client has closed it, or has asked for nothing for so long that it must be gone."""
        while time.monotonic() - self._asked < LEASE_SECONDS:
            if self._closed.wait(0.5):
                return

    async def _follow(self, job: Job) -> None:
        number = 0
        async for event in job.events():
            with self._lock:
                if isinstance(event, Counted):
                    number += 1
                    self._told.append(Told(number, event.at, event.counts))
                self._state = _after(self._state, event)
        with self._lock:
            self._state = replace(self._state, over=True)


def _scratch() -> Path:
    """A folder in the dask worker's own, which dask clears away even when the worker was killed."""
    from distributed import get_worker  # optional, and only there on workers of a cluster

    return Path(tempfile.mkdtemp(prefix="wiretape-load-", dir=get_worker().local_directory))


def _after(state: State, event: Event) -> State:
    return State(
        (), state.ready or isinstance(event, Ready), state.comparing or isinstance(event, Notice),
        WorkerResult.model_validate(event.result) if isinstance(event, Finished) else state.result,
        event if isinstance(event, Failed) else state.failed, state.over,
    )  # fmt: skip
