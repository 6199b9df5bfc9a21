"""What replays of unchanged code show: how many there are, when they come, and what is counted in each. No verdict."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from wiretape_capture.protocols.http import SAFE
from wiretape_capture.snapshot.exchange import Response
from wiretape_capture.snapshot.tape_reader import TapeReader
from wiretape_replay.bindings.live import LiveSession
from wiretape_replay.compare.judge import Judge
from wiretape_replay.compare.noise import NoiseModel
from wiretape_replay.compare.observing import Watch
from wiretape_replay.compare.places import LEARNED
from wiretape_replay.engine.plan import Plan
from wiretape_replay.engine.played import Played
from wiretape_replay.engine.recording import in_full
from wiretape_replay.engine.spec import BaselineSpec, ReplaySpec
from wiretape_replay.formats import Window

RUNS = 3
"""Three observations without a difference are what it takes to call a place deterministic (`evidence.ENOUGH`)."""


@dataclass(frozen=True, slots=True)
class Rounds:
    """How many replays of unchanged code come before the candidate's and after it, so that neither is always first."""

    before: int
    after: int
    notes: tuple[str, ...] = ()


def rounds(against: BaselineSpec | None, plan: Plan) -> Rounds:
    """A running instance keeps what was written to it: a second replay would meet the first one's leavings."""
    if against is None or not plan.selection.exchanges:
        return Rounds(0, 0)
    runs, notes = against.runs or RUNS, []
    if against.runs is None and against.app is None and any(e.command not in SAFE for e in plan.selection.exchanges):
        runs = 1
        notes.append("the baseline was replayed once, for the snapshot writes and a running instance keeps what was "
                     "written; a baseline command gives more evidence")  # fmt: skip
    return Rounds(runs - runs // 2, runs // 2, tuple(notes))


def unchanged(spec: ReplaySpec, number: int) -> ReplaySpec:
    """The same replay, against unchanged code, with journals and logs of its own."""
    assert spec.against is not None
    app, mock = spec.against.app, spec.against.mock
    if app is not None and app.log is not None:
        app = app.model_copy(update={"log": app.log.with_suffix(f".baseline{number}{app.log.suffix}")})
    return spec.model_copy(update={
        "target": spec.against.target, "app": app, "against": None,
        "mock": mock and mock.model_copy(update={"journal": None}),
    })  # fmt: skip


async def observe(
    noise: NoiseModel,
    plan: Plan,
    tape: TapeReader,
    played: Iterable[Played],
    live: Mapping[int, Response],
    values: Mapping[int, LiveSession],
    started_ns: int,
) -> None:
    """Count one replay of unchanged code."""
    answered = [one for one in played if one.exchange.sequence in live]
    for one in answered:
        await asyncio.sleep(0)
        sequence = one.exchange.sequence
        if sequence not in plan.needed:
            values[sequence].observe(await in_full(tape, one.exchange), live[sequence])
    evidence = noise.evidence
    for one in answered:
        await asyncio.sleep(0)
        exchange, route = await in_full(tape, one.exchange), plan.route(one.exchange)
        if exchange.response is None:
            continue
        judge = Judge(exchange, route, noise, values[exchange.sequence], Window(started_ns, one.ended_ns))
        watch = Watch(judge, evidence.shapes.setdefault(route, {}), recorded_too=evidence.passes == 0)
        evidence.count(route, watch.answer(exchange.response, live[exchange.sequence]))
    evidence.end_pass(started_ns - noise.window.end_ns)


def evidence_notes(noise: NoiseModel, routes: Iterable[str], rules_file: str) -> list[str]:
    """What is known beside the recording, in sentences for the run."""
    evidence, notes, known = noise.evidence, [], set(routes)
    if evidence.passes:
        varying = len({spot[:2] for spot, tally in evidence.tallies.items() if tally.differed and spot[2] in LEARNED})
        replays = "once" if evidence.passes == 1 else f"{evidence.passes} times"
        seen = f"{varying} of its fields vary by themselves" if evidence.answers else "nothing could be compared"
        notes.append(f"unchanged code was replayed {replays}: {seen}")
    if evidence.rules:
        count = "1 noise rule" if len(evidence.rules) == 1 else f"{len(evidence.rules)} noise rules"
        notes.append(f"{count} of {rules_file} applied")
        notes += [f"noise rule {rule.id} is for {rule.route}, which this snapshot does not have"
                  for rule in evidence.rules.values() if rule.route not in known]  # fmt: skip
    return notes
