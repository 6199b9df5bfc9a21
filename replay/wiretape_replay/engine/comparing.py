"""Turns what was played into results: each live response against its recorded exchange, read one at a time.

Runs after the last response, so that comparing takes no time from the requests that are measured.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from wiretape_capture.snapshot.exchange import Exchange, Response
from wiretape_capture.snapshot.tape_reader import TapeReader
from wiretape_replay.bindings.live import LiveSession
from wiretape_replay.compare.difference import Comparison, Difference
from wiretape_replay.compare.findings import Result, finding_ids
from wiretape_replay.compare.judge import Judge
from wiretape_replay.compare.messages import said
from wiretape_replay.compare.noise import NoiseModel
from wiretape_replay.compare.observations import Observations
from wiretape_replay.compare.observing import Watch
from wiretape_replay.compare.places import Kind
from wiretape_replay.compare.response import compare, no_response
from wiretape_replay.compare.settle import settle
from wiretape_replay.compare.withheld import with_withheld
from wiretape_replay.contract.check import Violation
from wiretape_replay.contract.profile import Contract
from wiretape_replay.engine.described import violations_of, with_violations
from wiretape_replay.engine.played import Played
from wiretape_replay.engine.recording import in_full
from wiretape_replay.engine.violations import Violations
from wiretape_replay.formats import Window
from wiretape_replay.openapi.check import SpecCheck
from wiretape_replay.outbound.returned import DISTINCT, Contradicted, Told
from wiretape_replay.verdict.model import ExchangeResult, FindingClass, Outcome, Part

_VARYING = {
    "unexpected-null": Kind.NULL, "required-missing": Kind.PRESENCE, "array-emptied": Kind.ITEMS,
    "range-outlier": Kind.VALUE, "enum-new-value": Kind.VALUE,
}  # fmt: skip
"""What may vary by contract rule; types and formats are structure."""
OWN = DISTINCT | {"id made by the app"}
"""Reasons for noise that say no more than that a value is one of its kind."""


@dataclass(slots=True)
class Comparing:
    """What comparison needs besides the responses, and what has come of it."""

    tape: TapeReader
    noise: NoiseModel
    contract: Contract
    route: Callable[[Exchange], str]
    sessions: Mapping[int, str]
    values: Mapping[int, LiveSession]
    started_ns: int
    """When the live app was started, or the run where it was not ours to start."""
    learned: frozenset[int]
    """Exchanges whose answers were read while later ones waited for them."""
    description: SpecCheck | None = None
    """A given OpenAPI description."""
    described_requests: bool = False
    results: list[ExchangeResult] = field(default_factory=list)
    compared: list[tuple[Exchange, str, Comparison]] = field(default_factory=list)
    blocked: dict[int, int] = field(default_factory=dict)
    """Exchanges that were not sent, and those whose answers lack what they need."""
    violations: Violations = field(default_factory=Violations)
    without_trailers: int = 0
    read_as: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Bodies that are not what they claim to be, by route and how they were compared."""
    seen: Observations = field(default_factory=Observations)
    """What differed where, counted as it was in the replays of unchanged code."""

    async def learn(self, played: Played, live: Mapping[int, Response]) -> None:
        """Learn what recorded values became; before any response is compared, since they turn up in earlier ones."""
        sequence = played.exchange.sequence
        if sequence in live and sequence not in self.learned:
            await asyncio.sleep(0)
            exchange = await in_full(self.tape, played.exchange)
            self.values[sequence].observe(exchange, live[sequence])

    async def add(self, played: Played, live: Response | None) -> None:
        """Compare one exchange."""
        await asyncio.sleep(0)  # a stop request or a progress line may be waiting
        route = self.route(played.exchange)
        if played.blocked_by is not None:
            self.blocked[played.exchange.sequence] = played.blocked_by
            self.results.append(self._result(played, route, Outcome.BLOCKED, None, ()))
            return
        comparison = no_response(played.error)
        if live is not None:
            comparison = await self._compared(played, live, route)
        bare = played.exchange
        self.compared.append((bare, route, comparison))
        self.results.append(self._result(played, route, comparison.outcome, live, finding_ids(route, comparison)))

    async def _compared(self, played: Played, live: Response, route: str) -> Comparison:
        exchange = self._without_trailers(await in_full(self.tape, played.exchange))
        broken = self.contract.check_response(route, live.status, live.headers, live.body)
        self.violations.add(route, exchange.sequence, [each for each in broken if not self._varies(route, each)])
        session, window = self.values[exchange.sequence], Window(self.started_ns, played.ended_ns)
        if exchange.response is not None and self.noise.evidence:
            watch = Watch(Judge(exchange, route, self.noise, session, window))
            self.seen.count(route, watch.answer(exchange.response, live))
        comparison = compare(exchange, live, route=route, noise=self.noise, session=session, live_window=window)
        if comparison.read_as:
            self.read_as[route, comparison.read_as] += 1
        if self.description is None:
            return comparison
        found = violations_of(self.description, exchange, live, requests=self.described_requests)
        return with_violations(comparison, found)

    def _varies(self, route: str, broken: Violation) -> bool:
        """Whether unchanged code breaks the contract of the recording there too, now and then."""
        kind = _VARYING.get(broken.rule)
        return kind is not None and self.noise.evidence.varies(route, broken.pointer, kind)

    def settle(self) -> None:
        """Test what could only be tested when all answers were known."""
        self.seen.end_pass()
        settled = settle(self.compared, self.noise, self.seen.tallies)
        settled = with_withheld(settled, self.blocked, self.noise.plan)
        changed = {new[0].sequence: new for old, new in zip(self.compared, settled, strict=True) if old is not new}
        self.compared = settled
        self.results = [_updated(one, changed.get(one.sequence)) for one in self.results]

    def own_values(self) -> list[Told]:
        """Values of answers that were taken for the recorded ones since nobody had them before."""
        return [Told(exchange.sequence, one.at, one.expected, one.actual)
                for exchange, route, comparison in self.compared for one in comparison.suppressed
                if one.part is Part.BODY and one.reason in OWN | {f"bound to {route}"}]  # fmt: skip

    def contradict(self, found: Iterable[Contradicted]) -> None:
        """Of these the recording knows better: each is a finding."""
        by_sequence: dict[int, dict[str, Contradicted]] = {}
        for one in found:
            by_sequence.setdefault(one.told.sequence, {})[one.told.at] = one
        changed = {each[0].sequence: _contradicted(each, by_sequence[each[0].sequence])
                   for each in self.compared if each[0].sequence in by_sequence}  # fmt: skip
        self.compared = [changed.get(each[0].sequence, each) for each in self.compared]
        self.results = [_updated(one, changed.get(one.sequence)) for one in self.results]

    def _without_trailers(self, exchange: Exchange) -> Exchange:
        """httpx shows no response trailers, so recorded ones have nothing to be compared with."""
        if exchange.response is None or not exchange.response.trailers:
            return exchange
        self.without_trailers += 1
        return exchange.model_copy(update={"response": exchange.response.model_copy(update={"trailers": ()})})

    def _result(self, played: Played, route: str, outcome: Outcome, live: Response | None,
                findings: tuple[str, ...]) -> ExchangeResult:  # fmt: skip
        exchange = played.exchange
        return ExchangeResult(
            sequence=exchange.sequence, route=route, session=self.sessions[exchange.sequence], outcome=outcome,
            expected_status=exchange.status, actual_status=str(live.status) if live else "", findings=findings,
            latency_ms=played.latency_ms, error=played.error, blocked_by=played.blocked_by,
        )  # fmt: skip


def _contradicted(result: Result, found: Mapping[str, Contradicted]) -> Result:
    exchange, route, comparison = result
    wrong = [one for one in comparison.suppressed if one.part is Part.BODY and one.at in found]
    differences = [Difference(
        FindingClass.VALUE, Part.BODY, one.pointer, one.at, one.expected, one.actual,
        f"was {said(one.expected)}, as {found[one.at].call.place} had returned it; that returned the same again, "
        f"and it is now {said(one.actual)}",
        evidence=f"exchange {found[one.at].call.sequence} returned it, as in each recorded answer of this route",
    ) for one in wrong]  # fmt: skip
    return exchange, route, replace(
        comparison, outcome=Outcome.DIFFERENT, differences=(*comparison.differences, *differences),
        suppressed=tuple(one for one in comparison.suppressed if one not in wrong),
    )  # fmt: skip


def _updated(result: ExchangeResult, now: Result | None) -> ExchangeResult:
    if now is None:
        return result
    _, route, comparison = now
    return result.model_copy(update={"outcome": comparison.outcome, "findings": finding_ids(route, comparison)})
