"""State that clones share: what differs from clone to clone because others wrote in the meantime is no regression.

A wrong answer is wrong in the same way in every clone, or wrong only now and then. A value that is another one in
nearly every clone, in a load that writes, is the app's own state moving on: a warning, with its evidence. Missing
fields, types, statuses and errors are never excused. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from wiretape_replay.compare.difference import Comparison, Difference
from wiretape_replay.compare.findings import finding_id
from wiretape_replay.verdict.model import FindingClass, Outcome, Part, Severity

type Compared = tuple[int, str, Comparison]
"""Sequence, route, what came out."""

MOSTLY = 0.5
"""Up to this share of its answers may be as recorded where state has moved on."""


@dataclass(slots=True)
class _Place:
    values: set[str] = field(default_factory=set)
    answers: int = 0


def excused(comparisons: Sequence[Compared]) -> list[Compared]:
    """The comparisons of a load that writes; what moved from clone to clone is a warning."""
    places: dict[tuple[str, int], _Place] = {}
    answers: dict[int, int] = {}
    for sequence, route, comparison in comparisons:
        answers[sequence] = answers.get(sequence, 0) + 1
        seen: dict[str, list[str]] = {}
        for each in comparison.differences:
            seen.setdefault(_id(route, each), []).append(repr(each.actual)[:200])
        for name, values in seen.items():
            place = places.setdefault((name, sequence), _Place())
            place.values.add("\0".join(values))
            place.answers += 1
    return [(sequence, route, _excused(comparison, sequence, route, places, answers[sequence]))
            for sequence, route, comparison in comparisons]  # fmt: skip


def _excused(comparison: Comparison, sequence: int, route: str, places: dict[tuple[str, int], _Place],
             answers: int) -> Comparison:  # fmt: skip
    told = tuple(_judged(each, places[_id(route, each), sequence], answers) for each in comparison.differences)
    if told == comparison.differences:
        return comparison
    wrong = any(each.severity is Severity.ERROR for each in told)
    outcome = comparison.outcome if wrong else Outcome.SEMANTICALLY_EQUAL
    return replace(comparison, outcome=outcome, differences=told)


def _judged(each: Difference, place: _Place, answers: int) -> Difference:
    moved = len(place.values) > 1 and place.answers > answers * MOSTLY
    if not moved or not _is_state(each):
        return each
    evidence = f"another value in each of {len(place.values)} groups of clones: sessions write what others read"
    return replace(each, severity=Severity.WARNING, breaking=False, evidence=evidence)


def _is_state(each: Difference) -> bool:
    if each.part is not Part.BODY or each.severity is not Severity.ERROR:
        return False
    if each.kind in (FindingClass.ADDED, FindingClass.REMOVED):
        return each.pointer.endswith("/*")
    return each.kind in (FindingClass.VALUE, FindingClass.ORDER)


def _id(route: str, each: Difference) -> str:
    return finding_id(route, each.kind, each.part, each.pointer)
