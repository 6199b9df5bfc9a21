"""One run from start to end: choose, start, play, compare, judge, write. The order of the parts, and nothing else."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from random import Random

from wiretape_capture.errors import UsageError, WiretapeError
from wiretape_capture.jobs.events import Emit
from wiretape_capture.snapshot.exchange import Direction
from wiretape_capture.snapshot.search import Query
from wiretape_capture.snapshot.tape_reader import TapeReader
from wiretape_replay.bindings.live import LiveSession
from wiretape_replay.bindings.plan import Edge
from wiretape_replay.bindings.uses import State, binding_uses, state_of
from wiretape_replay.compare.findings import collect
from wiretape_replay.compare.learned import LearnedRule
from wiretape_replay.compare.noise import NoiseModel
from wiretape_replay.compare.observations import Observations
from wiretape_replay.contract.profile import Contract
from wiretape_replay.engine.baseline import evidence_notes, observe, rounds, unchanged
from wiretape_replay.engine.basis import basis_of, integrity_of
from wiretape_replay.engine.client import Client
from wiretape_replay.engine.comparing import Comparing
from wiretape_replay.engine.described import description_check
from wiretape_replay.engine.ends import settings_gone
from wiretape_replay.engine.latency import by_scope, comparisons, latency_findings, pairs_with_run
from wiretape_replay.engine.live_bodies import LiveResponses
from wiretape_replay.engine.outbound import Calls, judge_calls, load_outbound, recorded_calls
from wiretape_replay.engine.pacing import Slot, schedule, speed_of
from wiretape_replay.engine.plan import Plan, make_plan
from wiretape_replay.engine.play import Playback
from wiretape_replay.engine.played import Played
from wiretape_replay.engine.previous import since_previous
from wiretape_replay.engine.progress import Stage, telling
from wiretape_replay.engine.racing import race_notes, racy_rules, with_races
from wiretape_replay.engine.recording import in_full, load_inbound
from wiretape_replay.engine.spec import ReplaySpec
from wiretape_replay.engine.summary import reproducing, response_times, route_summaries, warmed_up
from wiretape_replay.engine.target import MockJob, Target, staged
from wiretape_replay.engine.turns import take_turns
from wiretape_replay.match.asked import is_call
from wiretape_replay.mock.load import aliases
from wiretape_replay.openapi.check import SpecCheck
from wiretape_replay.outbound.background import longest_wait
from wiretape_replay.outbound.calls import Call
from wiretape_replay.outbound.races import find_races
from wiretape_replay.report.printable import plural
from wiretape_replay.run_file import RunReader, write_run
from wiretape_replay.signing.signer import Signer
from wiretape_replay.verdict.basis import Basis, Integrity
from wiretape_replay.verdict.evals import Condition
from wiretape_replay.verdict.explain import explained
from wiretape_replay.verdict.judge import conditions, judge
from wiretape_replay.verdict.metrics import count_outcomes
from wiretape_replay.verdict.model import BindingUse, Counts, Finding, Outcome, Run, Verdict
from wiretape_replay.verdict.paired import Pairs

READ_AS_TOLD = 20
"""Routes whose bodies are not what they claim that are told; the others' findings tell it too."""
LATE_SECONDS = 0.1
"""From here on, a schedule that was not kept is told."""

EQUAL = (Outcome.BYTES_EQUAL, Outcome.SEMANTICALLY_EQUAL)

LAST_WORDS_SECONDS = 1.0
"""After errors, how long the app has to turn out to be dead."""
LATE_WORK_SECONDS = 0.25
"""What an app may need longer than recorded for work that its last requests left for later."""


async def replay(spec: ReplaySpec, emit: Emit, stop: asyncio.Event) -> Run:
    """Replay a snapshot and write its run file; a run that was stopped is written too and says so."""
    speed = speed_of(spec.timing)
    has_baseline = spec.baseline is not None or spec.against is not None
    signer = Signer(spec.sign, os.environ, spec.sign_dir) if spec.sign else None
    asked = conditions(spec.fail_if, mocked=spec.mock is not None, has_baseline=has_baseline)
    baseline = await earlier_run(spec)
    await asyncio.to_thread(refuse_existing, spec)
    async with AsyncExitStack() as stack:
        tape = await stack.enter_async_context(await TapeReader.open(spec.tape))
        live = stack.enter_context(LiveResponses(spec.run.parent))
        stage = Stage("reading the snapshot")
        await stack.enter_async_context(telling(stage, emit))
        inbound = await load_inbound(tape)
        # In a thread, so that progress is told while a large recording is read.
        plan = await asyncio.to_thread(make_plan, inbound, spec, signer)
        noise = await asyncio.to_thread(_noise, plan, spec)
        turns, before = rounds(spec.against, plan), _Unchanged(spec, tape, plan, noise, stage)
        await before.replay(turns.before, speed, stop)
        run = _Replay(spec, tape, live, plan, noise, stage)
        if spec.openapi is not None:
            run.description = await asyncio.to_thread(description_check, spec.openapi, inbound)
        # Before anything is sent: the app under test could change the files.
        run.basis = await asyncio.to_thread(basis_of, spec, asked, await tape.info(), plan)
        run.integrity = await integrity_of(spec, run.basis)
        await run.play(speed, emit, stop)
        await before.replay(turns.after, speed, stop)
        run.notes += [*turns.notes, *before.notes, *evidence_notes(noise, plan.recorded_routes, spec.learned_file)]
        return await run.conclude(asked, baseline, stop)


def _noise(plan: Plan, spec: ReplaySpec) -> NoiseModel:
    known = Observations.of_rules(spec.learned)
    return NoiseModel.learn(plan.inbound, plan.bindings, spec.noise, plan.routes, known)


@dataclass(slots=True)
class _Replay:
    """The state of one run."""

    spec: ReplaySpec
    tape: TapeReader
    live: LiveResponses
    plan: Plan
    noise: NoiseModel
    stage: Stage
    started_ns: int = field(default_factory=time.time_ns)
    target: str = ""
    duration_ms: float = 0.0
    playback: Playback | None = None
    values: dict[int, LiveSession] = field(default_factory=dict)
    mock: MockJob | None = None
    calls: Sequence[Call] | None = None
    """The recorded calls with whose they were, once the app's were judged by them."""
    pairs: dict[str, Pairs] = field(default_factory=dict)
    """Response times by route, of the app and of its baseline."""
    stopped: str = ""
    notes: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    description: SpecCheck | None = None
    basis: Basis | None = None
    integrity: Integrity | None = None

    @property
    def played(self) -> list[Played]:
        """What was sent, by sequence."""
        return [one for _, one in sorted(self.playback.played.items())] if self.playback else []

    async def play(self, speed: float | None, emit: Emit, stop: asyncio.Event) -> None:
        """Start what is ours, send every chosen exchange, and stop it all again."""
        self.target = self.spec.target or ""
        self.notes += self.plan.selection.notes
        chosen = self.plan.selection.exchanges
        self.stage.total = len(chosen)
        if not chosen:
            return
        self.stage.doing = "starting"
        if not await _unless(stop, self._on_stage(speed, emit)):
            self.stopped = f"stopped after {len(self.played)} of {len(chosen)} exchanges"
        if self.mock is not None and self.mock.died:
            self._doubt(self.mock.died)
        if self.spec.against is not None and self.spec.latency_seconds and not self.stopped and not self.doubts:
            self.stage.doing = "measuring against the baseline"
            if not await _unless(stop, self._measure()):
                self.stopped = "stopped while response times were measured against the baseline"

    async def _measure(self) -> None:
        turns = await take_turns(self.spec, self.plan, self.tape.body_chunks, Random())
        self.pairs = turns.routes
        self.notes += [turns.note] if turns.note else []

    async def _on_stage(self, speed: float | None, emit: Emit) -> None:
        async with staged(self.spec, emit) as target:
            self.target, self.mock = target.url, target.mock
            client = Client(target.url, self.spec.timeout)
            watch = asyncio.create_task(self._watch(target))
            try:
                await self._send_all(client, target, speed)
                if target.app is not None and self.playback and self.playback.errors:
                    await asyncio.wait({watch}, timeout=LAST_WORDS_SECONDS)
                elif target.mock is not None and (late_ns := await self._late_work_ns()):
                    await asyncio.wait({watch}, timeout=late_ns / 1e9 + LATE_WORK_SECONDS)
            finally:
                watch.cancel()
                await client.close()

    async def _late_work_ns(self) -> int:
        """How long after an answer the app was recorded to go on with work that the request left for later."""
        calls = self.tape.stream(Query(direction=Direction.OUTBOUND))
        starts = [one.started_ns async for one in calls if is_call(one)]
        spans = [(one.started_ns, one.started_ns + one.duration_us * 1000) for one in self.plan.inbound]
        return await asyncio.to_thread(longest_wait, starts, spans)

    async def _watch(self, target: Target) -> None:
        """An app that is gone answers nothing any more: what is left is not worth a timeout each."""
        await target.gone()
        obituary = await target.obituary()
        self._doubt(obituary)
        assert self.playback is not None
        self.playback.give_up("the app has ended")

    async def _send_all(self, client: Client, target: Target, speed: float | None) -> None:
        sessions: dict[str, list[Slot]] = {}
        values: dict[str, LiveSession] = {}
        salt = f"pass {next(self.plan.passes)}"
        processes = set(await target.processes())
        for slot in schedule(self.plan.selection.exchanges, speed):
            name = self.plan.sessions[slot.exchange.sequence]
            sessions.setdefault(name, []).append(slot)
            shared = values.setdefault(name, self.plan.session(target.netloc, salt, processes))
            self.values[slot.exchange.sequence] = shared
        self.playback = playback = Playback(
            client, self.live, self.values, self.plan.bindings.producers,
            self.plan.needed, self.tape.body_chunks, self.spec.concurrency, target.mock,
        )  # fmt: skip
        self.stage.doing, self.stage.done = "replaying", lambda: len(playback.played)
        began = time.perf_counter()
        try:
            await self.playback.run(sessions.values(), paced=speed is not None)
        finally:
            self.duration_ms = (time.perf_counter() - began) * 1000
        processes.update(await target.processes())  # workers that were started meanwhile
        if self.playback.latest > LATE_SECONDS:
            self.notes.append(f"requests were sent up to {self.playback.latest:.1f} s later than scheduled")

    async def conclude(self, asked: Sequence[Condition], baseline: Run | None, stop: asyncio.Event) -> Run:
        """Compare, judge and write."""
        self.stage.doing = "comparing"
        comparing = await asyncio.to_thread(self._comparing)
        for one in self.played:
            await comparing.learn(one, self.live)
        for done, one in enumerate(self.played):
            if stop.is_set() and not self.stopped:
                self.stopped = f"stopped while comparing, after {done} of {len(self.played)} exchanges"
                break
            await comparing.add(one, self.live.get(one.exchange.sequence))
        comparing.settle()
        started = {one.exchange.sequence: one.started_ns for one in self.played}
        comparing.results = warmed_up(comparing.results, started, self.spec.warmup)
        run = await self._run(comparing)
        run = run.model_copy(update={"verdict": judge(
            run, asked, baseline=baseline, stopped=self.stopped, doubts=self.doubts,
            pairs=await self._pairs(run, comparing), integrity=self.integrity,
        )})  # fmt: skip
        run = run.model_copy(update={"since": await since_previous(self.spec.run, run)})
        failed = {result.sequence for result in comparing.results if result.findings or result.outcome not in EQUAL}
        recorded = [one.exchange for one in self.played if one.exchange.sequence in failed]
        await write_run(
            self.spec.run, run, comparing.results, self.live, self.mock.answers if self.mock else (),
            [await in_full(self.tape, exchange) for exchange in recorded],
        )  # fmt: skip
        return run

    async def _pairs(self, run: Run, comparing: Comparing) -> dict[str, Pairs] | None:
        """What an eval relative to the baseline compares; None without one."""
        if self.spec.against is not None:
            return by_scope(self.pairs)
        if self.spec.baseline is None:
            return None
        return by_scope(await pairs_with_run(self.spec.baseline, comparing.results, run.snapshot_sha256))

    def _comparing(self) -> Comparing:
        plan = self.plan
        return Comparing(
            self.tape, self.noise, Contract.infer(plan.inbound, plan.routes), plan.route, plan.sessions,
            self.values, self.started_ns, plan.needed, self.description, self.spec.openapi_requests,
        )  # fmt: skip

    async def _run(self, comparing: Comparing) -> Run:
        info = await self.tape.info()
        calls = await self._judged_calls(comparing)
        findings, suppressed = collect(
            comparing.compared, target=self.target, reproduce=lambda some: reproducing(self.spec.command, some),
            blocked={one.exchange.sequence: one.blocked_by for one in self.played if one.blocked_by is not None},
        )  # fmt: skip
        if comparing.without_trailers:
            self.notes.append(f"trailers of {comparing.without_trailers} responses are not compared")
        self.notes += [f"{route}: {plural(count, 'answer')} {read_as}"
                       for (route, read_as), count in comparing.read_as.most_common(READ_AS_TOLD)]  # fmt: skip
        slower = latency_findings(self.pairs, comparing.results, lambda some: reproducing(self.spec.command, some))
        findings = [*self._with_calls(calls, comparing.violations.shown_by(findings)), *slower]
        findings = await asyncio.to_thread(explained, findings, comparing.compared)
        rules = self._learned(info.name)
        findings = await self._with_races(findings, rules)
        warm = sum(one.warmup for one in comparing.results)
        if warm:
            self.notes.append(f"{warm} first requests of their routes are warm-up, not in the response times")
        return Run(
            id=self.spec.run.stem, snapshot=info.name, snapshot_sha256=info.sha256, target=self.target,
            started_ns=self.started_ns, duration_ms=self.duration_ms, counts=_counts(comparing),
            basis=self.basis, integrity=self.integrity,
            verdict=Verdict(verdict="inconclusive", reason="not judged", findings=tuple(findings)),
            latency=response_times(comparing.results), suppressed=tuple(suppressed), bindings=self._bindings(),
            binding_uses=self._binding_uses(comparing),
            routes=route_summaries(comparing.results, {one.sequence: one for one in self.plan.inbound},
                                   comparing.violations.by_route),
            against_baseline=comparisons(self.pairs),
            contract_violations=comparing.violations.by_route.total(), notes=tuple(self.notes),
            noise=tuple(rules), baseline_answers=self.noise.evidence.answers,
            mock=self.mock.result.tally if self.mock and self.mock.result else None,
            wiretape_version=version("wiretape"), command=self.spec.command,
        )  # fmt: skip

    async def _judged_calls(self, comparing: Comparing) -> Calls | None:
        """What was wrong with the app's calls; an exchange that made a wrong one, or answered something else than a
        call gave it, did not come out equal."""
        if self.mock is None or self.mock.result is None or self.spec.mock is None:
            return None
        differing = {one.sequence for one in comparing.results if one.outcome is Outcome.DIFFERENT}
        outbound = await load_outbound(self.tape, with_transactions=True)
        calls = await asyncio.to_thread(
            judge_calls, self.plan.inbound, outbound, self.plan.route, self.played, self.live,
            self.mock.result, self.mock.answers, aliases(self.spec.mock.maps), cold=self.spec.app is not None,
            differing=differing,
        )  # fmt: skip
        self.calls = calls.evidence.recorded
        comparing.contradict(await asyncio.to_thread(calls.contradicted, comparing.own_values(), outbound))
        comparing.results = calls.results(comparing.results)
        if self.spec.app is not None and all(one.answered for one in calls.evidence.handled.values()):
            self.notes += settings_gone(outbound, self.mock.answers)
        return calls

    def _with_calls(self, calls: Calls | None, findings: Sequence[Finding]) -> list[Finding]:
        if calls is None:
            return list(findings)
        wrong = calls.findings(self.target, lambda some: reproducing(self.spec.command, some))
        return [*calls.followed(findings), *wrong]

    async def _with_races(self, findings: list[Finding], rules: Sequence[LearnedRule]) -> list[Finding]:
        """With what may come from requests that raced when they were recorded."""
        if not findings and not rules:
            return findings
        inbound, routes = self.plan.inbound, {one.sequence: self.plan.route(one) for one in self.plan.inbound}
        if self.calls is None:
            outbound = await load_outbound(self.tape, with_transactions=True)
            self.calls = await asyncio.to_thread(recorded_calls, inbound, outbound, self.plan.route)
        races = await asyncio.to_thread(find_races, inbound, self.calls)
        self.notes += race_notes(findings, races, routes, self.spec.concurrency) + racy_rules(rules, races, routes)
        return with_races(findings, races, routes)

    def _learned(self, snapshot: str) -> list[LearnedRule]:
        commit = self.spec.against.commit if self.spec.against else ""
        return self.noise.evidence.learned(snapshot=snapshot, commit=commit)

    def _binding_uses(self, comparing: Comparing) -> tuple[BindingUse, ...]:
        blocked = {one.exchange.sequence: one.blocked_by for one in self.played if one.blocked_by is not None}
        played = {one.exchange.sequence for one in self.played}
        statuses = {one.sequence: one.expected_status == one.actual_status for one in comparing.results}
        routes = {one.sequence: self.plan.route(one) for one in self.plan.inbound}

        def state(edge: Edge) -> State | None:
            session = self.values.get(edge.consumer)
            return state_of(edge, session.sent(edge) if session else None, played, blocked)

        return binding_uses(self.plan.bindings, routes.__getitem__, state, lambda one: statuses.get(one, False))

    def _bindings(self) -> int:
        sent = {one.exchange.sequence for one in self.played if one.blocked_by is None}
        return len({(edge.producer, edge.value) for edge in self.plan.bindings.edges
                    if edge.producer in sent and edge.consumer in sent})  # fmt: skip

    def _doubt(self, sentence: str) -> None:
        self.notes.append(sentence)
        self.doubts.append(sentence)


@dataclass(slots=True)
class _Unchanged:
    """The replays of unchanged code, each a run of its own of which only the noise is kept."""

    spec: ReplaySpec
    tape: TapeReader
    plan: Plan
    noise: NoiseModel
    stage: Stage
    done: int = 0
    notes: list[str] = field(default_factory=list)

    async def replay(self, count: int, speed: float | None, stop: asyncio.Event) -> None:
        """So many more."""
        for _ in range(count):
            if not stop.is_set():
                self.done += 1
                await self._once(speed, stop)

    async def _once(self, speed: float | None, stop: asyncio.Event) -> None:
        spec = unchanged(self.spec, self.done)
        with LiveResponses(spec.run.parent) as live:
            one = _Replay(spec, self.tape, live, self.plan, self.noise, self.stage)
            try:
                await one.play(speed, lambda _: None, stop)
            except WiretapeError as error:
                raise type(error)(f"the baseline: {error.problem}", error.hint) from None
            self.stage.doing = "comparing"
            blocked = {played.blocked_by for played in one.played if played.blocked_by is not None}
            if blocked:
                self.notes.append(f"replay {self.done} of unchanged code is not counted: requests could not be sent, "
                                  f"for exchange {min(blocked)} did not bring what they need")  # fmt: skip
            elif not one.stopped:
                await observe(self.noise, self.plan, self.tape, one.played, live, one.values, one.started_ns)
        self.notes += [f"replay {self.done} of unchanged code: {doubt}" for doubt in one.doubts]


def _counts(comparing: Comparing) -> Counts:
    return count_outcomes(result.outcome for result in comparing.results)


async def _unless(stop: asyncio.Event, work: Coroutine[None, None, None]) -> bool:
    """Whether the work came to its end before it was asked to stop; then it is cancelled and cleans up."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if working.done():
        await working
        return True
    working.cancel()
    with suppress(asyncio.CancelledError):
        await working
    return False


async def earlier_run(spec: ReplaySpec) -> Run | None:
    """The run that evals relative to the baseline refer to."""
    if spec.baseline is None:
        return None
    async with await RunReader.open(spec.baseline) as reader:
        return await reader.run()


def refuse_existing(spec: ReplaySpec) -> None:
    """A run is written once."""
    if spec.run.exists():
        raise UsageError(f"there is a run file {spec.run} already", "give the run another name")
