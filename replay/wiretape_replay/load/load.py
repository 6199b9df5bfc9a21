"""One load from start to end: choose, prepare, start workers, listen, compare, judge, write."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

from wiretape_capture.errors import UsageError
from wiretape_capture.jobs.events import Emit, Notice
from wiretape_capture.protocols.http import SAFE
from wiretape_capture.snapshot.exchange import Exchange
from wiretape_capture.snapshot.tape_reader import TapeReader
from wiretape_replay.compare.noise import NoiseModel
from wiretape_replay.compare.observations import Observations
from wiretape_replay.engine.basis import basis_of, integrity_of
from wiretape_replay.engine.plan import Plan, make_plan
from wiretape_replay.engine.progress import Stage, telling
from wiretape_replay.engine.recording import in_full, load_inbound
from wiretape_replay.engine.replay import earlier_run, refuse_existing
from wiretape_replay.engine.summary import reproducing
from wiretape_replay.engine.target import staged
from wiretape_replay.load.cluster import ClusterCrew
from wiretape_replay.load.comparing import Compared
from wiretape_replay.load.crew import Crew
from wiretape_replay.load.forecast import forecast
from wiretape_replay.load.outcome import Outcomes, findings_of, results_of, routes_of, settled
from wiretape_replay.load.progress import Course
from wiretape_replay.load.scenario import Scenario, scenario_of
from wiretape_replay.load.spec import LoadSpec
from wiretape_replay.load.summary import error_notes, lagging, load_summary, sessions_lost
from wiretape_replay.load.tally import Series, Tally
from wiretape_replay.loopback import is_loopback
from wiretape_replay.run_file import write_run
from wiretape_replay.signing.signer import Signer
from wiretape_replay.verdict.basis import Basis, Integrity
from wiretape_replay.verdict.evals import Condition
from wiretape_replay.verdict.explain import explained
from wiretape_replay.verdict.judge import conditions, judge
from wiretape_replay.verdict.model import Run, Verdict


async def load(spec: LoadSpec, emit: Emit, stop: asyncio.Event) -> Run:
    """Put a snapshot's sessions on a target and write the run file; a load that was stopped is written too."""
    replay = spec.replay
    signer = Signer(replay.sign, os.environ, replay.sign_dir) if replay.sign else None
    asked = conditions(replay.fail_if, mocked=False, has_baseline=replay.baseline is not None)
    baseline = await earlier_run(replay)
    await asyncio.to_thread(refuse_existing, replay)
    async with AsyncExitStack() as stack:
        tape = await stack.enter_async_context(await TapeReader.open(replay.tape))
        stage = Stage("reading the snapshot")
        await stack.enter_async_context(telling(stage, emit))
        inbound = await load_inbound(tape)
        plan = await asyncio.to_thread(make_plan, inbound, replay, signer)
        run = _Load(spec, tape, plan, stage)
        run.basis = await asyncio.to_thread(basis_of, replay, asked, await tape.info(), plan, load=True)
        run.integrity = await integrity_of(replay, run.basis)
        await run.play(emit, stop)
        return await run.conclude(asked, baseline)


@dataclass(slots=True)
class _Load:
    """The state of one load."""

    spec: LoadSpec
    tape: TapeReader
    plan: Plan
    stage: Stage
    started_ns: int = field(default_factory=time.time_ns)
    target: str = ""
    duration_ms: float = 0.0
    stopped_s: float | None = None
    """When somebody stopped it."""
    notes: list[str] = field(default_factory=list)
    course: Course = field(default_factory=Course)
    crew: Crew | ClusterCrew = field(init=False)
    scenario: Scenario | None = None
    compared: Compared = field(default_factory=Compared)
    basis: Basis | None = None
    integrity: Integrity | None = None
    _start_ns: int = 0
    _last_ns: int = 0

    def __post_init__(self) -> None:
        cluster = self.spec.cluster
        self.crew = ClusterCrew(self._hear, cluster) if cluster else Crew(self._hear)

    async def play(self, emit: Emit, stop: asyncio.Event) -> None:
        """Prepare everything, and send."""
        self.target = self.spec.replay.target or ""
        self.notes += self.plan.selection.notes
        sendable = await self._sendable()
        if not sendable:
            return
        if self.target:
            refuse_far_writes(self.target, sendable, self.spec.allow_writes)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.crew.close)
            self.stage.doing = "asking the cluster" if self.spec.cluster else self.stage.doing
            await self.crew.connect(self.spec)
            target = await stack.enter_async_context(staged(self.spec.replay, emit))
            self.target = target.url
            self.stage.doing = "preparing requests"
            self.scenario = await asyncio.to_thread(self._scenario, sendable)
            for told in forecast(self.scenario, self.spec):
                self.notes.append(told)
                emit(Notice(message=told))
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wiretape-load-")))
            path = folder / "scenario"
            await asyncio.to_thread(self.scenario.write, path)
            await self.crew.start(self.spec, path, self.target)
            await self._send(stop)
            self.compared = await asyncio.to_thread(self.crew.compared)

    async def _send(self, stop: asyncio.Event) -> None:
        go = await self.crew.go()
        self._start_ns = self._last_ns = go.start_ns
        self.started_ns = go.wall_ns
        self.stage.done = lambda: self.course.total.answered + self.course.total.failed
        async with self._live(), _asked_to_stop(stop, self._stop):
            await self.crew.ended()
        if not stop.is_set():
            self._miss_ended()
        self.duration_ms = max(self._last_ns - go.start_ns, 1_000_000) / 1e6

    def _stop(self) -> None:
        if self.crew.playing:
            self.stopped_s = self._seconds()
        self.crew.stop()

    def _miss_ended(self) -> None:
        """A worker that somebody else told to end has left its schedule undone, though it took its leave."""
        for worker in self.crew.workers:
            if worker.result is not None and worker.result.stopped and not worker.lost:
                worker.lost = "its process was told to end before its schedule did"

    @asynccontextmanager
    async def _live(self) -> AsyncIterator[None]:
        telling_live = asyncio.create_task(self._tell())
        try:
            yield
        finally:
            telling_live.cancel()
            with suppress(asyncio.CancelledError):
                await telling_live

    async def _tell(self) -> None:
        while True:
            self.stage.doing = self.course.live(self._seconds()) if self.crew.playing else "comparing"
            await asyncio.sleep(0.5)

    def _hear(self, tally: Tally, at: float) -> None:
        if tally.answered or tally.failed:
            self._last_ns = max(self._last_ns, self._start_ns + int(at * 1e9))
        self.course.add(tally, at)

    def _seconds(self) -> float:
        return (time.monotonic_ns() - self._start_ns) / 1e9

    async def _sendable(self) -> list[Exchange]:
        """What was chosen, with its bodies; one that is too large for memory is left out and named."""
        whole = [await in_full(self.tape, one) for one in self.plan.selection.exchanges]
        large = [one for one in whole if one.request.body.data is None]
        if large:
            self.notes.append(f"{len(large)} exchanges with a request body above 8 MiB are not sent, first: "
                              f"{large[0].command} {large[0].location}")  # fmt: skip
        return [one for one in whole if one.request.body.data is not None]

    def _scenario(self, sendable: Sequence[Exchange]) -> Scenario:
        replay, plan = self.spec.replay, self.plan
        known = Observations.of_rules(replay.learned)
        noise = NoiseModel.learn(plan.inbound, plan.bindings, replay.noise, plan.routes, known)
        return scenario_of(plan, sendable, self.spec, self.target, noise)

    async def conclude(self, asked: Sequence[Condition], baseline: Run | None) -> Run:
        """Compare what was kept, judge and write."""
        self.stage.doing = "judging"
        bare = {one.sequence: one for one in self.plan.selection.exchanges}
        compared = self.compared
        if self.scenario is not None:
            compared = await asyncio.to_thread(settled, compared, self.scenario, bare)
        outcomes = Outcomes.of(self.course.total, compared)
        run = await self._run(outcomes, compared, bare)
        assert run.load is not None
        run = run.model_copy(update={"verdict": judge(
            run, asked, baseline=baseline, stopped=self._stopped(), untimed=lagging(run.load),
            integrity=self.integrity,
        )})  # fmt: skip
        results = results_of(outcomes, compared, self.scenario) if self.scenario else []
        shown = {sequence for finding in run.verdict.findings for sequence in finding.sequences}
        recorded = [await in_full(self.tape, bare[sequence]) for sequence in sorted(shown & bare.keys())]
        await write_run(self.spec.replay.run, run, results, compared.examples, (), recorded)
        return run

    def _stopped(self) -> str:
        """Why the load is not the one that was asked for; empty when it is."""
        sent = f"{self.course.total.sent:,} requests"
        stopped = [] if self.stopped_s is None else [f"stopped after {self.stopped_s:.0f} s, {sent}"]
        lost = [f"a load worker was lost: {one.lost}" for one in self.crew.workers if one.lost]
        return "; ".join([*stopped, *lost])

    async def _run(self, outcomes: Outcomes, compared: Compared, bare: dict[int, Exchange]) -> Run:
        info, total = await self.tape.info(), self.course.total
        command = self.spec.replay.command
        findings, suppressed = await asyncio.to_thread(
            findings_of, compared, bare, self.target, lambda some: reproducing(command, some)
        )
        together = [(bare[sequence], route, each) for sequence, route, each in compared.comparisons]
        findings = await asyncio.to_thread(explained, findings, together)
        return Run(
            id=self.spec.replay.run.stem, snapshot=info.name, snapshot_sha256=info.sha256, target=self.target,
            started_ns=self.started_ns, duration_ms=self.duration_ms, counts=outcomes.counts(total.outcomes),
            verdict=Verdict(verdict="inconclusive", reason="not judged", findings=tuple(findings)),
            latency=Series.all(total.latency).summary, suppressed=tuple(suppressed),
            routes=routes_of(total, outcomes, compared, self.scenario) if self.scenario else (),
            bindings=len({(edge.producer, edge.value) for edge in self.plan.bindings.edges}),
            contract_violations=compared.violations.by_route.total(),
            notes=(*self.notes, *self.crew.notes, *self._worker_notes(), *error_notes(total)),
            load=load_summary(self.spec, self.course, self.scenario, self.crew.workers, self._lost(), self.stopped_s),
            wiretape_version=version("wiretape"), command=command, basis=self.basis, integrity=self.integrity,
        )  # fmt: skip

    def _lost(self) -> dict[int, int]:
        """Workers that were lost, and of how many of their sessions nobody knows what became."""
        if self.scenario is None:
            return {}
        return {worker.number: sessions_lost(self.scenario, self.spec, worker, len(self.crew.workers), self.stopped_s)
                for worker in self.crew.workers if worker.lost}  # fmt: skip

    def _worker_notes(self) -> list[str]:
        lost, count = self._lost(), len(self.crew.workers)
        told = [f"worker {number + 1} of {count} was lost, and with it what became of {sessions:,} sessions: "
                f"{self.crew.workers[number].lost}" for number, sessions in lost.items()]  # fmt: skip
        results = (worker.result for worker in self.crew.workers if worker.result)
        return [*told, *dict.fromkeys(note for result in results for note in result.notes)]


def refuse_far_writes(target: str, exchanges: Sequence[Exchange], allowed: Sequence[str]) -> None:
    """Many clones of a write are sent to another machine only where somebody has said so."""
    host = urlsplit(target).hostname or ""
    writes = [one for one in exchanges if one.command not in SAFE]
    if writes and not is_loopback(host) and host not in allowed:
        raise UsageError(
            f"{len(writes)} of the requests write, and {host} is not this machine: first {writes[0].command} "
            f"{writes[0].location}", f"allow it with --allow-writes {host}, or leave writes out with --only",
        )  # fmt: skip


@asynccontextmanager
async def _asked_to_stop(stop: asyncio.Event, act: Callable[[], None]) -> AsyncIterator[None]:
    """Act once when the job is asked to stop."""

    async def wait() -> None:
        await stop.wait()
        act()

    waiting = asyncio.create_task(wait())
    try:
        yield
    finally:
        waiting.cancel()
        with suppress(asyncio.CancelledError):
            await waiting
