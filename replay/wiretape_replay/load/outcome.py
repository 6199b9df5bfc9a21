"""From what workers counted and compared to the parts of a run: counts, findings, routes. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from wiretape_capture.protocols.http import SAFE
from wiretape_capture.snapshot.exchange import Exchange
from wiretape_replay.compare.difference import Comparison
from wiretape_replay.compare.findings import collect, finding_ids
from wiretape_replay.compare.judge import COUNTER
from wiretape_replay.compare.settle import settle
from wiretape_replay.load.comparing import Compared
from wiretape_replay.load.drift import excused
from wiretape_replay.load.scenario import Scenario
from wiretape_replay.load.tally import Tally
from wiretape_replay.verdict.model import Counts, ExchangeResult, Finding, Outcome, RouteSummary, Suppressed
from wiretape_replay.verdict.percentiles import summary

_AT_FIRST_SIGHT: tuple[Outcome | None, ...] = (
    Outcome.BYTES_EQUAL,
    None,
    Outcome.DIFFERENT,
    Outcome.ERROR,
    Outcome.BLOCKED,
    Outcome.SEMANTICALLY_EQUAL,
)
"""What a count means of answers that nobody looked at more closely; None: nothing but that an answer came."""
_WORST = (Outcome.ERROR, Outcome.DIFFERENT, Outcome.BLOCKED, Outcome.SEMANTICALLY_EQUAL, Outcome.BYTES_EQUAL)


@dataclass(frozen=True, slots=True)
class Outcomes:
    """How every request of a load came out: what was compared in full by that, all others at first sight."""

    by_sequence: Mapping[int, Counter[Outcome | None]]

    @classmethod
    def of(cls, tally: Tally, compared: Compared) -> Outcomes:
        """Each answer once, whoever looked at it."""
        found: dict[int, Counter[Outcome | None]] = {}
        for sequence, counts in tally.outcomes.items():
            found[sequence] = Counter()
            for kind, count in enumerate(counts):
                found[sequence][_AT_FIRST_SIGHT[kind]] += count
        for result, kind in zip(compared.results, compared.kinds, strict=True):
            counted = found.setdefault(result.sequence, Counter([_AT_FIRST_SIGHT[kind]]))
            counted[_AT_FIRST_SIGHT[kind]] -= 1
            counted[result.outcome] += 1
        return cls(found)

    def counts(self, sequences: Iterable[int]) -> Counts:
        """The totals of some exchanges."""
        total: Counter[Outcome | None] = Counter()
        for sequence in sequences:
            total.update(self.by_sequence.get(sequence, {}))
        return Counts(
            total=total.total(), bytes_equal=total[Outcome.BYTES_EQUAL],
            semantically_equal=total[Outcome.SEMANTICALLY_EQUAL], different=total[Outcome.DIFFERENT],
            errors=total[Outcome.ERROR], blocked=total[Outcome.BLOCKED], unchecked=total[None],
        )  # fmt: skip

    def worst(self, sequence: int) -> Outcome | None:
        """The worst that came of an exchange; None where nobody knows more than that answers came."""
        counted = self.by_sequence.get(sequence, Counter())
        return next((outcome for outcome in _WORST if counted[outcome] > 0), None)


def settled(compared: Compared, scenario: Scenario, exchanges: Mapping[int, Exchange]) -> Compared:
    """The same; what could only be tested over all answers is tested, and what shared state explains is excused.

    Counters are not: with many sessions at once none grows as it did in the recording.
    """
    compared.seen.end_pass()
    plain = [(exchanges[sequence], route, _without_counters(comparison))
             for sequence, route, comparison in compared.comparisons]  # fmt: skip
    tested = [(exchange.sequence, route, comparison)
              for exchange, route, comparison in settle(plain, scenario.noise, compared.seen.tallies)]  # fmt: skip
    if any(one.command not in SAFE for one in exchanges.values()):
        tested = excused(tested)
    return replace(compared, comparisons=tested, results=_updated(compared.results, tested))


def findings_of(compared: Compared, exchanges: Mapping[int, Exchange], target: str,
                reproduce: Callable[[Sequence[int]], str]) -> tuple[list[Finding], list[Suppressed]]:  # fmt: skip
    """Findings, each with the number of answers that show it."""
    results = [(exchanges[sequence], route, comparison) for sequence, route, comparison in compared.comparisons]
    found, suppressed = collect(results, target=target, reproduce=reproduce)
    showing: Counter[str] = Counter()
    answers: Counter[str] = Counter()
    for _, route, comparison in compared.comparisons:
        showing.update(finding_ids(route, comparison))
        answers[route] += 1
    told = [_counted(one, showing[one.id], answers[one.route]) for one in found]
    return compared.violations.shown_by(told), suppressed


def results_of(outcomes: Outcomes, compared: Compared, scenario: Scenario) -> list[ExchangeResult]:
    """One result for each exchange: the worst answer that was compared, else what is known at first sight."""
    chosen: dict[int, ExchangeResult] = {}
    for one in compared.results:
        held = chosen.get(one.sequence)
        if held is None or _WORST.index(one.outcome) < _WORST.index(held.outcome):
            chosen[one.sequence] = one
    for exchange in scenario.exchanges:
        worst = outcomes.worst(exchange.sequence)
        if exchange.sequence not in chosen and worst is not None:
            chosen[exchange.sequence] = ExchangeResult(
                sequence=exchange.sequence, route=scenario.route(exchange), outcome=worst, latency_ms=None,
                session=scenario.sessions[exchange.sequence], expected_status=exchange.status, actual_status="",
            )  # fmt: skip
    return [chosen[sequence] for sequence in sorted(chosen)]


def routes_of(tally: Tally, outcomes: Outcomes, compared: Compared, scenario: Scenario) -> tuple[RouteSummary, ...]:
    """One summary for each route, by name."""
    groups: dict[str, list[Exchange]] = {}
    for exchange in scenario.exchanges:
        groups.setdefault(scenario.route(exchange), []).append(exchange)
    return tuple(_route(name, number, groups.get(name, []), tally, outcomes, compared)
                 for number, name in enumerate(scenario.routes))  # fmt: skip


def _route(name: str, number: int, exchanges: Sequence[Exchange], tally: Tally, outcomes: Outcomes,
           compared: Compared) -> RouteSummary:  # fmt: skip
    counts, series = outcomes.counts(one.sequence for one in exchanges), tally.latency.get(number)
    return RouteSummary(
        route=name, requests=counts.total, failed=counts.failed, errors=counts.errors, blocked=counts.blocked,
        contract_violations=compared.violations.by_route.get(name, 0), latency=series.summary if series else None,
        histogram=series.histogram if series else None,
        recorded_latency=summary([one.duration_us / 1000 for one in exchanges]),
    )  # fmt: skip


def _counted(finding: Finding, showing: int, answers: int) -> Finding:
    plain = finding.evidence.endswith("compared exchanges of this route")
    evidence = f"in {showing} of {answers} compared answers of this route" if plain else finding.evidence
    return finding.model_copy(update={"count": showing, "of": answers, "evidence": evidence})


def _without_counters(comparison: Comparison) -> Comparison:
    if not any(each.trial == COUNTER for each in comparison.suppressed):
        return comparison
    kept = tuple(replace(each, trial="") if each.trial == COUNTER else each for each in comparison.suppressed)
    return replace(comparison, suppressed=kept)


def _updated(results: Sequence[ExchangeResult], tested: Sequence[tuple[int, str, Comparison]]) -> list[ExchangeResult]:
    """Results in the order of comparisons, which blocked requests have no part in."""
    rest = iter(tested)
    found = []
    for result in results:
        if result.outcome is not Outcome.BLOCKED:
            _, route, comparison = next(rest)
            result = result.model_copy(update={"outcome": comparison.outcome,
                                               "findings": finding_ids(route, comparison)})  # fmt: skip
        found.append(result)
    return found
