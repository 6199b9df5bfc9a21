"""A replay against a given OpenAPI description: its violations join what the comparison found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from wiretape_capture.snapshot.exchange import Exchange, Response
from wiretape_replay.compare.difference import Comparison, Difference
from wiretape_replay.openapi.check import SpecCheck, SpecViolation
from wiretape_replay.openapi.document import read_description
from wiretape_replay.verdict.model import FindingClass, Outcome, Severity


def description_check(path: Path, inbound: Iterable[Exchange]) -> SpecCheck:
    """The check against a file; a file that cannot be used for these exchanges is refused before anything starts."""
    check = SpecCheck(read_description(path))
    for method, target in {(one.command, one.request.target.partition("?")[0]) for one in inbound}:
        check.prepare(method, target)
    return check


def violations_of(check: SpecCheck, exchange: Exchange, live: Response, *, requests: bool) -> list[SpecViolation]:
    """How a live answer, and on demand the recorded request, breaks the description."""
    found = check.response(exchange.command, exchange.request.target, live)
    return [*found, *(check.request(exchange.request) if requests else ())]


def with_violations(comparison: Comparison, violations: Sequence[SpecViolation]) -> Comparison:
    """The comparison with a difference for each violation that no plain difference shows already."""
    by_place = {(each.part, each.pointer): each.location for each in reversed(violations)}
    told = [
        replace(each, evidence="; ".join(filter(None, (each.evidence, f"breaks {by_place[each.part, each.pointer]}"))))
        if (each.part, each.pointer) in by_place else each
        for each in comparison.differences
    ]  # fmt: skip
    known = {(each.part, each.pointer) for each in comparison.differences}
    added = [_difference(each) for each in violations if (each.part, each.pointer) not in known]
    wrong = any(each.severity is Severity.ERROR for each in added)
    outcome = Outcome.DIFFERENT if wrong else comparison.outcome
    return replace(comparison, outcome=outcome, differences=(*told, *added))


def _difference(violation: SpecViolation) -> Difference:
    return Difference(
        FindingClass.SCHEMA, violation.part, violation.pointer, violation.at, violation.expected, violation.actual,
        violation.message, violation.severity, violation.breaking, evidence=f"breaks {violation.location}",
    )  # fmt: skip
