"""Whether a run caught a fault: a finding in the faulty exchange, in the right part, at the right place."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from benchmarks.verdict.calls import call_faults
from benchmarks.verdict.faults import Fault, corpus
from benchmarks.verdict.lab import SLOW_MS, Lab, Outcome, laboratory
from benchmarks.verdict.noise import noisy_places
from benchmarks.verdict.recording import Recording, step_of
from benchmarks.verdict.unchanged import ALARMING, responses_by_step
from wiretape_capture.snapshot.exchange import Response
from wiretape_replay.compare.learned import LearnedRule
from wiretape_replay.leaves import split
from wiretape_replay.routes import RouteTable
from wiretape_replay.verdict.model import Finding, Part, Run


@dataclass(frozen=True)
class Trial:
    """One fault and what became of it."""

    app: str
    seed: int
    route: str
    fault: Fault
    caught: bool
    told: tuple[str, ...] = ()
    """What the run said instead."""


@dataclass
class Detection:
    """All trials."""

    trials: list[Trial] = field(default_factory=list)
    runs: int = 0
    not_made: int = 0
    """Faults that changed nothing, since the live answer had no such place."""

    def add(self, other: Detection) -> None:
        """Count those of another recording."""
        self.trials += other.trials
        self.runs += other.runs
        self.not_made += other.not_made

    def of(self, *, shape: bool) -> list[Trial]:
        """Shape faults on noisy leaves, or all others."""
        return [one for one in self.trials if one.fault.shape == shape]


async def detect(
    recording: Recording, size: int, bundle: int, observations: int, learned: Sequence[LearnedRule] = ()
) -> Detection:
    """Make so many faults in one app and see which are caught."""
    result = Detection()
    source = random.Random(f"faults:{recording.app}:{recording.seed}")
    recorded = responses_by_step(recording)
    routes = routes_by_step(recording)
    async with laboratory(recording, learned) as lab:
        seen: list[dict[int, Response]] = [recorded]
        quiet = [await lab.run() for _ in range(observations)]
        seen += [one.unchanged for one in quiet]
        alarms = frozenset(finding.id for one in quiet for finding in one.run.verdict.findings)
        calls = call_faults(recording.outbound, source, max(2, size // 6))
        faults = [*corpus(recorded, noisy_places(seen, routes), routes, source, size - len(calls)), *calls]
        for batch in batches(faults, recording, routes, bundle):
            outcome = await lab.run(batch)
            judge(result, recording, routes, batch, outcome, alarms)
            if outcome.run.verdict.verdict == "inconclusive":
                await _still_up(lab)
        result.runs = lab.runs
    return result


async def _still_up(lab: Lab) -> None:
    await lab.run()


def routes_by_step(recording: Recording) -> dict[int, str]:
    """The product's routes, by the client's number."""
    table = RouteTable.infer((one.command, one.request.target) for one in recording.inbound)
    return {step_of(one): table.route(one.command, one.request.target) for one in recording.inbound}


def batches(
    faults: Sequence[Fault], recording: Recording, routes: dict[int, str], bundle: int
) -> Iterator[list[Fault]]:
    """Faults that cannot touch each other share a run: on other routes, and in answers that no later request needs."""
    producers = {edge.producer for edge in recording.edges}
    alone = [one for one in faults if one.part in ("outbound", "latency") or not producers.isdisjoint(one.steps)]
    for fault in alone:
        yield [fault]
    waiting = [one for one in faults if one not in alone]
    while waiting:
        batch: list[Fault] = []
        for fault in waiting:
            taken = {routes[one.steps[0]] for one in batch}
            if len(batch) < bundle and routes[fault.steps[0]] not in taken:
                batch.append(fault)
        waiting = [one for one in waiting if one not in batch]
        yield batch


def judge(
    result: Detection,
    recording: Recording,
    routes: dict[int, str],
    batch: Sequence[Fault],
    outcome: Outcome,
    alarms: frozenset[str],
) -> None:
    """Count the faults of one run."""
    sequences = {step_of(one): one.sequence for one in recording.inbound}
    for position, fault in enumerate(batch):
        if position not in outcome.applied:
            result.not_made += 1
            continue
        wanted = {sequences[step] for step in fault.steps}
        caught = is_caught(fault, wanted, outcome.run, alarms)
        near = [one for one in outcome.run.verdict.findings if wanted & set(one.sequences) or one.part is Part.OUTBOUND]
        told = () if caught else (*(one.message[:200] for one in near), *suppressed_at(fault, outcome.run))
        route = routes[fault.steps[0]] if fault.steps else fault.pointer
        result.trials.append(Trial(recording.app, recording.seed, route, fault, caught, told))


def suppressed_at(fault: Fault, run: Run) -> list[str]:
    """What was taken as noise there."""
    return [
        f"noise: {one.route} {one.pointer}: {one.reason}"
        for one in run.suppressed
        if one.part is Part.BODY and fault.part == "body" and fault.pointer and same_place(fault.pointer, one.pointer)
    ]


def is_caught(fault: Fault, sequences: set[int], run: Run, alarms: frozenset[str]) -> bool:
    """Whether the run has the finding; one that unchanged code has too tells nothing."""
    if fault.part == "latency":
        failed = any(one.passed is False and one.expression.startswith("latency.") for one in run.verdict.evals)
        return failed and any(one.latency is not None and one.latency.max > SLOW_MS for one in run.routes)
    # A read that is made twice harms nobody: to be told of it is enough.
    harmless = fault.kind == "call-doubled" and fault.pointer.startswith("GET ")
    return any(
        (harmless or one.severity in ALARMING) and one.id not in alarms and _shows(one, fault, sequences)
        for one in run.verdict.findings
    )


def _shows(finding: Finding, fault: Fault, sequences: set[int]) -> bool:
    if fault.part == "outbound":
        return finding.part is Part.OUTBOUND and _names(finding, fault)
    if not sequences & set(finding.sequences):
        return False
    if fault.part == "status":
        return finding.part is Part.STATUS
    if fault.part == "header":
        return finding.part is Part.HEADER and finding.pointer.lower().startswith(fault.pointer.lower())
    return finding.part is Part.BODY and (not fault.pointer or _right_place(finding, fault))


def _names(finding: Finding, fault: Fault) -> bool:
    """The finding is about the faulty call: its resource, or where it went instead."""
    words = {fault.pointer.split(" ")[1], fault.value if fault.kind == "call-elsewhere" else ""}
    told = f"{finding.route} {finding.pointer} {finding.expected} {finding.actual} {finding.message}"
    return not words.isdisjoint(re.split(r"[^\w]+", told))


def _right_place(finding: Finding, fault: Fault) -> bool:
    places = {finding.pointer, finding.example_pointer}
    if any(same_place(fault.pointer, place) for place in places):
        return True
    # An element whose key changed, or that is an empty shell now, is another element.
    parent = fault.pointer.rpartition("/")[0]
    return (
        parent.rpartition("/")[2].isdecimal()
        and finding.kind in ("added", "removed")
        and any(
            split(place) and len(split(place)) == len(split(parent)) and same_place(parent, place) for place in places
        )
    )


def same_place(wanted: str, place: str) -> bool:
    """Whether a finding's pointer is the fault's or below it; `*` is any one segment."""
    ours, theirs = split(wanted), split(place)
    return len(theirs) >= len(ours) and all(
        a == b or b == "*" or (a.isdecimal() and b.isdecimal()) for a, b in zip(ours, theirs, strict=False)
    )
