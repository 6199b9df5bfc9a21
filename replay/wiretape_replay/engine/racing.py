"""Says of findings and learned noise that the requests concerned raced when they were recorded. Judges nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from wiretape_replay.compare.learned import LearnedRule
from wiretape_replay.outbound.races import Race
from wiretape_replay.report.printable import plural
from wiretape_replay.verdict.model import Finding, FindingClass

RULES_TOLD = 5

type Routes = Mapping[int, str]
"""The routes of exchanges, by sequence."""


def with_races(findings: Iterable[Finding], races: Mapping[int, Race], routes: Routes) -> list[Finding]:
    """The findings, those with the race in their evidence that sit on requests which raced."""
    return [_with(finding, _raced(finding, races), routes) for finding in findings]


def race_notes(findings: Iterable[Finding], races: Mapping[int, Race], routes: Routes, concurrency: int) -> list[str]:
    """That findings may come from races, and what helps."""
    some = [raced for finding in findings if (raced := _raced(finding, races))]
    if not some:
        return []
    first, race = next(iter(some[0].items()))
    if concurrency > 1:
        advice = "try --concurrency 1: it sends the requests one by one, in the order in which they began"
    else:
        advice = ("they were sent in the order in which they began, which need not be that in which they were served: "
                  "record such clients one after the other")  # fmt: skip
    return [f"the recording is racy, and {plural(len(some), 'finding')} may come from that; {advice}; "
            f"{_said(first, race, routes)}"]  # fmt: skip


def racy_rules(rules: Iterable[LearnedRule], races: Mapping[int, Race], routes: Routes) -> list[str]:
    """Learned noise that may be no noise: another request wrote there while it was recorded."""
    by_route: dict[str, int] = {}
    for one in sorted(races):
        by_route.setdefault(routes[one], one)
    calm = {route for one, route in routes.items() if one not in races}
    # What differs in every answer does so without any race.
    racy = [rule for rule in rules if rule.route in by_route and not (rule.differed == rule.of and rule.route in calm)]
    if not racy:
        return []
    named = ", ".join(f"{rule.pointer or 'the body'} of {rule.route}" for rule in racy[:RULES_TOLD])
    more = f" and {len(racy) - RULES_TOLD} more" if len(racy) > RULES_TOLD else ""
    first = by_route[racy[0].route]
    return [f"what was learned of {named}{more} may hide data that a write changes, for the recording is racy: "
            f"{_said(first, races[first], routes)}; record such clients one after the other, or learn with "
            "--concurrency 1"]  # fmt: skip


def _raced(finding: Finding, races: Mapping[int, Race]) -> dict[int, Race]:
    if finding.kind is FindingClass.LATENCY:
        return {}
    return {one: races[one] for one in finding.sequences if one in races}


def _with(finding: Finding, raced: Mapping[int, Race], routes: Routes) -> Finding:
    if not raced:
        return finding
    first, race = next(iter(raced.items()))
    among = len(finding.sequences)
    count = f" ({len(raced)} of the {among} exchanges that show it raced)" if among > 1 else ""
    said = f"raced when it was recorded, so that another order may explain it: {_said(first, race, routes)}{count}"
    return finding.model_copy(update={"evidence": f"{finding.evidence}; {said}" if finding.evidence else said})


def _said(sequence: int, race: Race, routes: Routes) -> str:
    return (f"exchange {sequence} was under way together with exchange {race.other} ({routes[race.other]}), "
            f"which writes {race.over}")  # fmt: skip
