"""What a worker kept, compared after the load as a replay compares it: the same comparison, noise and bindings."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from wiretape_capture.snapshot.exchange import Exchange, Response
from wiretape_capture.snapshot.tape_reader import TapeReader
from wiretape_replay.bindings.live import LiveSession
from wiretape_replay.compare.difference import Comparison
from wiretape_replay.compare.observations import Observations
from wiretape_replay.engine.comparing import Comparing
from wiretape_replay.engine.played import Played
from wiretape_replay.engine.recording import in_full
from wiretape_replay.engine.violations import Violations
from wiretape_replay.load.rest import fewer, observe_rest
from wiretape_replay.load.samples import Kept, Samples
from wiretape_replay.load.scenario import Scenario
from wiretape_replay.load.script import Script
from wiretape_replay.verdict.model import ExchangeResult, Severity

EXAMPLES = 500
"""Exchanges of which a differing answer is kept in the run file."""


@dataclass(slots=True)
class Compared:
    """The answers that were compared in full."""

    results: list[ExchangeResult] = field(default_factory=list)
    kinds: list[int] = field(default_factory=list)
    """What each was counted as at first sight."""
    comparisons: list[tuple[int, str, Comparison]] = field(default_factory=list)
    """Sequence and route with what came out; without requests that were not sent."""
    violations: Violations = field(default_factory=Violations)
    seen: Observations = field(default_factory=Observations)
    examples: dict[int, Response] = field(default_factory=dict)
    """A live answer of each exchange that came out different."""

    def write(self, path: Path) -> None:
        """Leave it for the job."""
        path.write_bytes(pickle.dumps(self, protocol=pickle.HIGHEST_PROTOCOL))

    @staticmethod
    def read(path: Path) -> Compared:
        """What a worker has left."""
        return Compared.loads(path.read_bytes())

    @staticmethod
    def loads(data: bytes) -> Compared:
        """The same from its bytes."""
        found: Compared = pickle.loads(data)
        return found

    def join(self, other: Compared) -> None:
        """Add what another worker compared."""
        self.results += other.results
        self.kinds += other.kinds
        self.comparisons += other.comparisons
        self.violations.join(other.violations)
        self.seen.join(other.seen)
        for sequence, response in other.examples.items():
            self.examples.setdefault(sequence, response)


async def compare_all(samples: Samples, scenario: Scenario, tape: TapeReader, started_ns: int) -> Compared:
    """Compare everything that was kept."""
    done = Compared()
    scripts = {step.exchange.sequence: script for script in scenario.scripts for step in script.steps}
    for session, kept, whole in samples:
        found = _Session(tape, scenario, started_ns, session, kept)
        await found.compare(done)
        rest = _unanswered(scripts[kept[0].item.sequence], kept) if whole and kept else []
        if rest and any(each.differences for each in found.comparisons):
            await found.look_again([await in_full(tape, one) for one in rest])
        found.add(done)
    return done


def _unanswered(script: Script, kept: list[Kept]) -> list[Exchange]:
    answered = {each.item.sequence for each in kept if each.answer is not None and each.answer.status < 400}
    return [step.exchange for step in script.steps if step.exchange.sequence not in answered]


class _Session:
    """The answers of one session, compared together."""

    def __init__(self, tape: TapeReader, scenario: Scenario, started_ns: int, session: LiveSession,
                 kept: list[Kept]) -> None:  # fmt: skip
        self._tape, self._scenario, self._started_ns, self._session = tape, scenario, started_ns, session
        self._kinds = [each.kind for each in kept]
        self._played = [(_played(each), each.answer.response() if each.answer else None) for each in kept]
        self._compared: list[tuple[Exchange, str, Comparison]] = []

    @property
    def comparisons(self) -> list[Comparison]:
        """What came out."""
        return [comparison for _, _, comparison in self._compared]

    async def compare(self, done: Compared) -> None:
        """Learn of every answer, and compare them."""
        comparing = self._comparing(done)
        for one, live in self._played:
            if live is not None:
                await comparing.learn(one, {one.exchange.sequence: live})
        for one, live in self._played:
            await comparing.add(one, live)
        done.kinds += self._kinds
        self._compared = comparing.compared

    async def look_again(self, rest: list[Exchange]) -> None:
        """Take back what the answers that did not come would have explained."""
        observe_rest(self._session, rest, self.comparisons)
        comparing = self._comparing(Compared())
        for one, live in self._played:
            await comparing.add(one, live)
        self._compared = [after if fewer(before[2], after[2]) else before
                          for before, after in zip(self._compared, comparing.compared, strict=True)]  # fmt: skip

    def add(self, done: Compared) -> None:
        """Add what came out to what came of other sessions."""
        answers = {one.exchange.sequence: live for one, live in self._played if live is not None}
        for exchange, route, comparison in self._compared:
            done.comparisons.append((exchange.sequence, route, comparison))
            _keep_example(done, exchange, comparison, answers)

    def _comparing(self, done: Compared) -> Comparing:
        scenario = self._scenario
        return Comparing(
            self._tape, scenario.noise, scenario.contract, scenario.route, scenario.sessions,
            {one.exchange.sequence: self._session for one, _ in self._played}, self._started_ns, frozenset(),
            results=done.results, violations=done.violations, seen=done.seen,
        )  # fmt: skip


def _keep_example(done: Compared, exchange: Exchange, comparison: Comparison, answers: Mapping[int, Response]) -> None:
    if exchange.sequence in done.examples or len(done.examples) >= EXAMPLES:
        return
    told = any(each.severity is not Severity.INFO for each in comparison.differences)
    if told and exchange.sequence in answers:
        done.examples[exchange.sequence] = answers[exchange.sequence]


def _played(kept: Kept) -> Played:
    return Played(kept.item.exchange, kept.ended_ns, kept.latency_ms, kept.error, kept.blocked_by, kept.started_ns)
