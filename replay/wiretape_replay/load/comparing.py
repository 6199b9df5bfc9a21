"""What a worker kept, compared after the load as a replay compares it: the same comparison, noise and bindings."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from wiretape_capture.snapshot.exchange import Exchange, Response
from wiretape_capture.snapshot.tape_reader import TapeReader
from wiretape_replay.compare.difference import Comparison
from wiretape_replay.compare.observations import Observations
from wiretape_replay.engine.comparing import Comparing
from wiretape_replay.engine.played import Played
from wiretape_replay.engine.violations import Violations
from wiretape_replay.load.samples import Kept, Samples
from wiretape_replay.load.scenario import Scenario
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
    for _, session, kept in samples:
        comparing = Comparing(
            tape, scenario.noise, scenario.contract, scenario.route, scenario.sessions,
            {each.item.sequence: session for each in kept}, started_ns, frozenset(), results=done.results,
            violations=done.violations, seen=done.seen,
        )  # fmt: skip
        await _session(comparing, kept, done)
    return done


async def _session(comparing: Comparing, kept: list[Kept], done: Compared) -> None:
    played = [(each, _played(each), each.answer.response() if each.answer else None) for each in kept]
    for each, one, live in played:
        if live is not None:
            await comparing.learn(one, {each.item.sequence: live})
    for each, one, live in played:
        await comparing.add(one, live)
        done.kinds.append(each.kind)
    answers = {each.item.sequence: live for each, _, live in played if live is not None}
    for exchange, route, comparison in comparing.compared:
        done.comparisons.append((exchange.sequence, route, comparison))
        _keep_example(done, exchange, comparison, answers)


def _keep_example(done: Compared, exchange: Exchange, comparison: Comparison, answers: Mapping[int, Response]) -> None:
    if exchange.sequence in done.examples or len(done.examples) >= EXAMPLES:
        return
    told = any(each.severity is not Severity.INFO for each in comparison.differences)
    if told and exchange.sequence in answers:
        done.examples[exchange.sequence] = answers[exchange.sequence]


def _played(kept: Kept) -> Played:
    return Played(kept.item.exchange, kept.ended_ns, kept.latency_ms, kept.error, kept.blocked_by, kept.started_ns)
