"""Replays a recording against the unchanged app, as users do: the engine's own job starts mock and app."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.verdict.recording import Recording, environment, step_of
from wiretape_capture.jobs.events import Failed, Finished
from wiretape_capture.jobs.parent import Job, failure
from wiretape_capture.launch.free_port import free_port
from wiretape_capture.snapshot.exchange import Response
from wiretape_replay.compare.learned import LearnedRule
from wiretape_replay.engine.spec import BaselineSpec, ReplaySpec
from wiretape_replay.mock.spec import MockSpec
from wiretape_replay.verdict.model import Finding, Run, Severity

PASSES = 3
"""Replays of unchanged code from which noise is learned."""
ALARMING = (Severity.ERROR, Severity.WARNING)


@dataclass(frozen=True)
class Alarm:
    """One finding where nothing was wrong."""

    app: str
    seed: int
    route: str
    part: str
    pointer: str
    kind: str
    expected: str
    actual: str
    message: str


@dataclass
class UnchangedRuns:
    """What runs of unchanged code yielded."""

    runs: int = 0
    alarmed: int = 0
    """Runs with a finding, or whose verdict is no pass."""
    compared: int = 0
    suppressed: int = 0
    normalized: int = 0
    alarms: list[Alarm] = field(default_factory=list)

    def add(self, recording: Recording, run: Run) -> None:
        """Count one run."""
        self.runs += 1
        self.compared += run.counts.total
        self.suppressed += sum(one.count for one in run.suppressed)
        self.normalized += run.mock.normalized if run.mock else 0
        alarms = alarms_of(recording, run)
        self.alarmed += bool(alarms)
        self.alarms += alarms


def alarms_of(recording: Recording, run: Run) -> list[Alarm]:
    """The findings of a run that should have none."""
    found = [_alarm(recording, one) for one in run.verdict.findings if one.severity in ALARMING]
    if not found and (run.verdict.verdict != "pass" or run.counts.failed):
        return [
            Alarm(recording.app, recording.seed, "", "verdict", "", run.verdict.verdict, "pass", "", run.verdict.reason)
        ]
    return found


def _alarm(recording: Recording, finding: Finding) -> Alarm:
    return Alarm(
        recording.app,
        recording.seed,
        finding.route,
        finding.part,
        finding.example_pointer or finding.pointer,
        finding.kind,
        str(finding.expected),
        str(finding.actual),
        finding.message,
    )


def mock_of(recording: Recording, work: Path) -> MockSpec:
    """The dependency from the tape."""
    return MockSpec(tape=recording.tape, ca_dir=work / "ca")


async def learn(recording: Recording) -> Run:
    """One run with a baseline: its `noise` is what unchanged code showed to vary."""
    spec = _spec(recording, "learning")
    baseline = BaselineSpec(app=recording.app_spec(free_port()), mock=spec.mock, runs=PASSES)
    return await _replayed(recording, spec.model_copy(update={"against": baseline, "latency_seconds": 0}))


async def replay_unchanged(recording: Recording, name: str, learned: Sequence[LearnedRule] = ()) -> Run:
    """One run in processes of its own."""
    return await _replayed(recording, _spec(recording, name).model_copy(update={"learned": tuple(learned)}))


def _spec(recording: Recording, name: str) -> ReplaySpec:
    return ReplaySpec(
        tape=recording.tape,
        run=recording.work / f"{name}.run",
        app=recording.app_spec(free_port()),
        mock=mock_of(recording, recording.work.parent),
        fail_if=("requests.failed > 0", "findings.error > 0", "findings.warning > 0", "mock.misses > 0"),
    )


async def _replayed(recording: Recording, spec: ReplaySpec) -> Run:
    job = await Job.start("wiretape_replay.engine", spec, log=recording.work / "engine.log", env=environment())
    try:
        async for event in job.events():
            if isinstance(event, Failed):
                raise failure(event)
            if isinstance(event, Finished):
                return Run.model_validate(event.result)
    finally:
        await job.close()
    raise AssertionError("a job ends with a result or a failure")


def responses_by_step(recording: Recording) -> dict[int, Response]:
    """What was recorded, by the client's number."""
    return {step_of(one): one.response for one in recording.inbound if one.response is not None}
