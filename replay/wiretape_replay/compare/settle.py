"""The end of a comparison: what could only be tested when all answers of a run were known becomes noise or not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from wiretape_replay.compare.counters import began_elsewhere
from wiretape_replay.compare.difference import Difference, Ignored
from wiretape_replay.compare.evidence import Tally, benjamini_hochberg, rises
from wiretape_replay.compare.findings import Result
from wiretape_replay.compare.judge import COUNTER
from wiretape_replay.compare.messages import said_pair
from wiretape_replay.compare.noise import NoiseModel
from wiretape_replay.compare.observations import Spot
from wiretape_replay.compare.places import Kind
from wiretape_replay.compare.repeated import Repeated, repeated_ids, was_answered
from wiretape_replay.verdict.model import FindingClass, Outcome, Part, Severity

type Refuted = dict[tuple[str, str, str], str]
"""Route, place and trial of what is no noise after all, with the evidence."""


def settle(results: Sequence[Result], noise: NoiseModel, seen: Mapping[Spot, Tally]) -> list[Result]:
    """The same results; what is no noise after all is a difference: it differs more than on unchanged code, did not
    grow as it should, or is an identifier that came twice.
    """
    refuted, repeated = _risen(results, noise, seen) | _strayed(results, noise), repeated_ids(results, noise)
    return [_settled(result, refuted, repeated) for result in results] if refuted or repeated else list(results)


def _risen(results: Iterable[Result], noise: NoiseModel, seen: Mapping[Spot, Tally]) -> Refuted:
    """Places that differ significantly more often than on unchanged code, all of them tested together."""
    asked = {(route, each.place, each.trial) for route, each in _trials(results) if each.trial != COUNTER}
    spots = [(route, place, Kind(trial)) for route, place, trial in sorted(asked)]
    pairs = [(seen.get(spot, Tally()), noise.evidence.known(*spot)) for spot in spots]
    chances = [rises(live.differed, live.of, known) for live, known in pairs]
    found = benjamini_hochberg(chances)
    return {
        (spot[0], spot[1], spot[2].value): _said(live, known, chance)
        for spot, (live, known), chance, significant in zip(spots, pairs, chances, found, strict=True)
        if significant
    }


def _strayed(results: Sequence[Result], noise: NoiseModel) -> Refuted:
    """Counters that did not grow as the recorded ones."""
    values: dict[tuple[str, str], dict[int, int]] = {}
    for exchange, route, comparison in results:
        for each in comparison.suppressed:
            if each.trial == COUNTER and isinstance(each.actual, int):
                values.setdefault((route, each.place), {})[exchange.sequence] = each.actual
    answered = {result[0].sequence for result in results if was_answered(result)}
    refuted: Refuted = {}
    for (route, place), live in values.items():
        recorded = noise.counters[route, place]
        equal = {sequence: value for sequence, value in recorded.items() if sequence in answered}
        if not began_elsewhere(recorded, equal | live):
            refuted[route, place, COUNTER] = "it grew in the recording, but not like this"
    return refuted


def _settled(result: Result, refuted: Refuted, repeated: Repeated) -> Result:
    exchange, route, comparison = result
    kept: list[Ignored] = []
    lost: list[Difference] = []
    for each in comparison.suppressed:
        evidence = refuted.get((route, each.place, each.trial))
        twice = repeated.get((exchange.sequence, str(each.expected), str(each.actual)))
        if evidence and each.otherwise:
            lost.append(replace(each.otherwise, evidence=evidence))
        elif twice and each.part is Part.BODY:
            lost.append(_twice(each, twice))
        else:
            kept.append(each)
    if not lost:
        return result
    failed = any(each.severity is Severity.ERROR for each in lost)
    outcome = Outcome.DIFFERENT if failed else comparison.outcome
    now = replace(comparison, outcome=outcome, differences=(*comparison.differences, *lost), suppressed=tuple(kept))
    return exchange, route, now


def _twice(each: Ignored, evidence: str) -> Difference:
    was, now = said_pair(each.expected, each.actual)
    message = f"was {was} and is now {now}"
    return Difference(FindingClass.VALUE, each.part, each.pointer, each.at, each.expected, each.actual, message,
                      evidence=evidence)  # fmt: skip


def _trials(results: Iterable[Result]) -> Iterable[tuple[str, Ignored]]:
    return ((route, each) for _, route, comparison in results for each in comparison.suppressed if each.trial)


def _said(live: Tally, known: Tally, chance: float) -> str:
    return (f"differs in {live.differed} of {live.of} answers, on unchanged code in {known.differed} of {known.of} "
            f"(by chance: {chance:.1e})")  # fmt: skip
