"""Findings that one edit explains, grouped: the same change under the same name in several routes, a field renamed.

Only what findings themselves say is used; findings that merely came together stay apart. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import chain, combinations

from pydantic import JsonValue

from wiretape_replay.leaves import kind_of, leaf_name
from wiretape_replay.verdict.model import Cause, Finding, FindingClass, Part, Severity, Verdict

type Rank = tuple[int | str, ...]
_RANK = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}
_NAMED = frozenset({FindingClass.REMOVED, FindingClass.ADDED, FindingClass.ORDER})
"""Classes that the name alone tells: what value the field had is chance."""


def earliest(findings: Sequence[Finding]) -> Finding:
    """Of the findings as severe as the first one, that of the earliest exchange: later ones may follow from it.

    Of one exchange, a wrong call to a service: its answer may well follow from that. What is known to follow from
    another one of them is none.
    """
    first, known = findings[0], {one.id for one in findings}
    alike = [one for one in findings
             if one.severity is first.severity and one.sequences and one.follows not in known]  # fmt: skip
    return min(alike, key=lambda one: (one.sequences[0], one.kind is not FindingClass.OUTBOUND), default=first)


def led(findings: Iterable[Finding], rank: Callable[[Finding], Rank]) -> tuple[Finding, ...]:
    """Findings by rank, each followed by those that follow from it: the cause takes the rank of the worst of them."""
    ranked = sorted(findings, key=rank)
    known = {one.id: one for one in ranked}
    followers: dict[str, list[Finding]] = {}
    for one in ranked:
        followers.setdefault(_cause_in(one, known), []).append(one)
    return tuple(chain.from_iterable(
        sorted(some, key=lambda one: one.id != lead) for lead, some in followers.items()
    ))  # fmt: skip


def _cause_in(finding: Finding, known: Mapping[str, Finding]) -> str:
    """The id of what a finding follows from in the end; its own where that is not known, or goes round in a circle."""
    seen = [finding.id]
    while (cause := known[seen[-1]].follows) in known:
        if cause in seen:
            return finding.id
        seen.append(cause)
    return seen[-1]


def causes_of(findings: Sequence[Finding]) -> tuple[Cause, ...]:
    """The causes, in the order of their first finding."""
    found = list(findings)
    group = {index: index for index in range(len(found))}
    for _, alike in _alike(found):
        _join(group, alike)
    _join_pairs(group, ((i, j) for i, j in combinations(range(len(found)), 2) if _renamed(found[i], found[j])))
    members: dict[int, list[Finding]] = {}
    for index, finding in enumerate(found):
        members.setdefault(_root(group, index), []).append(finding)
    return tuple(_cause(some) for some in members.values())


def _alike(findings: Sequence[Finding]) -> Iterable[tuple[object, list[int]]]:
    groups: dict[object, list[int]] = {}
    for index, finding in enumerate(findings):
        for mark in _marks(finding):
            groups.setdefault(mark, []).append(index)
    return groups.items()


def _marks(finding: Finding) -> list[tuple[object, ...]]:
    """What findings of one cause share; two that have one mark in common belong together."""
    name = leaf_name(finding.pointer) if finding.part is Part.BODY else finding.pointer
    place = (finding.part, name)
    if finding.kind in (FindingClass.LATENCY, FindingClass.OUTBOUND) or (finding.part is Part.BODY and not name):
        return [(finding.id,)]
    if finding.kind in _NAMED:
        return [(finding.kind, *place)]
    if finding.kind is FindingClass.ERROR:
        return [(finding.kind, re.sub(r"\d+", "#", str(finding.actual)))]
    if finding.kind in (FindingClass.TYPE, FindingClass.NULL, FindingClass.FORMAT, FindingClass.SCHEMA):
        types = kind_of(finding.expected), kind_of(finding.actual)
        return [(finding.kind, *place, *types), ("at", finding.route, finding.part, finding.pointer)]
    return [(finding.kind, *place, *change) for change in _changes(finding.expected, finding.actual)]


def _changes(expected: JsonValue, actual: JsonValue) -> list[tuple[str, str]]:
    """The change in forms that hold for other values too: `+1`, `times 100`, another case."""
    found = [("from to", f"{expected!r} {actual!r}")]
    if _number(expected) and _number(actual):
        ours, theirs = Decimal(str(expected)), Decimal(str(actual))
        found.append(("plus", str((theirs - ours).normalize())))
        if ours:
            found.append(("times", str(round(theirs / ours, 6).normalize())))
    elif isinstance(expected, str) and isinstance(actual, str):
        for name, change in (("case", str.casefold), ("space", str.strip)):
            if change(expected) == change(actual):
                found.append((name, ""))
    return found


def _number(value: JsonValue) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value and abs(value) < 1e300


def _renamed(one: Finding, two: Finding) -> bool:
    """A field gone and another come in its place, with its value, in the same answers."""
    if {one.kind, two.kind} != {FindingClass.REMOVED, FindingClass.ADDED} or one.route != two.route:
        return False
    gone, come = (one, two) if one.kind is FindingClass.REMOVED else (two, one)
    same_place = gone.pointer.rpartition("/")[0] == come.pointer.rpartition("/")[0] and gone.part is come.part
    return same_place and gone.expected == come.actual and gone.sequences == come.sequences


def _root(group: dict[int, int], index: int) -> int:
    while group[index] != index:
        index = group[index]
    return index


def _join(group: dict[int, int], alike: Sequence[int]) -> None:
    _join_pairs(group, ((alike[0], other) for other in alike[1:]))


def _join_pairs(group: dict[int, int], pairs: Iterable[tuple[int, int]]) -> None:
    for one, two in pairs:
        first, second = sorted((_root(group, one), _root(group, two)))
        group[second] = first


def _cause(findings: list[Finding]) -> Cause:
    first = findings[0]
    routes = tuple(dict.fromkeys(finding.route for finding in findings))
    return Cause(
        id=f"C-{min(finding.id for finding in findings).removeprefix('F-')}", message=_message(findings, routes),
        severity=min((finding.severity for finding in findings), key=_RANK.__getitem__),
        breaking=any(finding.breaking for finding in findings), findings=tuple(one.id for one in findings),
        routes=routes, look_at=tuple(dict.fromkeys(name for one in findings for name in one.look_at))[:8],
    ) if len(findings) > 1 else Cause(
        id=f"C-{first.id.removeprefix('F-')}", message=first.message, severity=first.severity,
        breaking=first.breaking, findings=(first.id,), routes=routes, look_at=first.look_at,
    )  # fmt: skip


def _message(findings: Sequence[Finding], routes: Sequence[str]) -> str:
    first = findings[0]
    where = first.route if len(routes) == 1 else f"{len(routes)} routes"
    gone = _names(findings, FindingClass.REMOVED)
    come = _names(findings, FindingClass.ADDED)
    if len(gone) == 1 and len(come) == 1 and gone != come:
        return f'the field "{gone[0]}" looks renamed to "{come[0]}" in {where}'
    said = first.message.removeprefix(f"{first.route}: ")
    return f"{said}; alike in {where}" if len(routes) > 1 else f"{first.route}: {said}; alike in {len(findings)} places"


def _names(findings: Iterable[Finding], kind: FindingClass) -> list[str]:
    return list(dict.fromkeys(leaf_name(finding.pointer) for finding in findings if finding.kind is kind))


def by_cause(verdict: Verdict) -> list[tuple[Cause | None, tuple[Finding, ...]]]:
    """The findings of a verdict under their causes; one that no cause names stands alone."""
    known = {finding.id: finding for finding in verdict.findings}
    under = {name: cause for cause in verdict.causes for name in cause.findings}
    told: dict[str, tuple[Cause | None, tuple[Finding, ...]]] = {}
    for finding in verdict.findings:
        cause = under.get(finding.id)
        if cause is None:
            told[finding.id] = (None, (finding,))
        else:
            told.setdefault(cause.id, (cause, tuple(known[name] for name in cause.findings if name in known)))
    return list(told.values())
