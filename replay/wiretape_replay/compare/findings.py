"""From the differences of many exchanges to findings: one for each fault, the same fault with the same id each run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256

from pydantic import JsonValue

from wiretape_capture.snapshot.exchange import Exchange
from wiretape_replay.compare.curl import curl_line
from wiretape_replay.compare.difference import Comparison, Difference, Ignored
from wiretape_replay.compare.messages import shown_pair
from wiretape_replay.verdict.model import Finding, FindingClass, Part, Severity, Suppressed

type Result = tuple[Exchange, str, Comparison]
"""An exchange, its route, and how its live response compared."""

_SEQUENCES = 50
_SEVERITIES = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}


def finding_id(route: str, kind: FindingClass, part: Part, pointer: str) -> str:
    """`F-` and eight hex digits: the same for the same fault in any run."""
    return f"F-{sha256(chr(0).join([kind, route, part, pointer]).encode('utf-8', 'replace')).hexdigest()[:8]}"


def finding_ids(route: str, comparison: Comparison) -> tuple[str, ...]:
    """The findings that one exchange belongs to."""
    return tuple(dict.fromkeys(finding_id(route, d.kind, d.part, d.pointer) for d in comparison.differences))


def collect(
    results: Sequence[Result],
    *,
    target: str = "",
    blocked: Mapping[int, int] | None = None,
    reproduce: Callable[[Sequence[int]], str] | None = None,
) -> tuple[list[Finding], list[Suppressed]]:
    """Findings, most severe first, and what was suppressed.

    `blocked` maps an exchange that could not be sent to the one that failed to produce what it needs.
    """
    compared: dict[str, int] = {}
    groups: dict[str, list[tuple[Exchange, str, Difference]]] = {}
    for exchange, route, comparison in results:
        compared[route] = compared.get(route, 0) + 1
        for each in comparison.differences:
            name = finding_id(route, each.kind, each.part, each.pointer)
            groups.setdefault(name, []).append((exchange, route, each))
    dependants = _dependants(blocked or {})
    found = [
        _finding(name, group, compared[group[0][1]], dependants, target, reproduce) for name, group in groups.items()
    ]
    return sorted(found, key=_rank), _suppressed(results)


def _finding(
    name: str,
    group: list[tuple[Exchange, str, Difference]],
    compared: int,
    dependants: Mapping[int, tuple[int, ...]],
    target: str,
    reproduce: Callable[[Sequence[int]], str] | None,
) -> Finding:
    exchange, route, first = group[0]
    sequences = tuple(dict.fromkeys(each.sequence for each, _, _ in group))
    waiting = {s for each in sequences for s in dependants.get(each, ()) if first.severity is Severity.ERROR}
    where = "" if first.part in (Part.STATUS, Part.EXCHANGE, Part.HEADER, Part.TRAILER) else first.at or "the body"
    expected, actual = shown_pair(first.expected, first.actual)
    return Finding(
        id=name,
        kind=first.kind,
        severity=first.severity,
        breaking=first.breaking,
        route=route,
        part=first.part,
        pointer=_text(first.pointer),
        example_pointer=_text(first.at),
        expected=expected,
        actual=actual,
        message=_text(f"{route}: {where + ': ' if where else ''}{first.message}"),
        sequences=sequences[:_SEQUENCES],
        count=len(sequences),
        of=compared,
        dependants=tuple(sorted(waiting)),
        evidence=first.evidence or f"in {len(sequences)} of {compared} compared exchanges of this route",
        curl=curl_line(exchange.request, target),
        reproduce=reproduce(sequences[:1]) if reproduce else "",
    )


def _dependants(blocked: Mapping[int, int]) -> dict[int, tuple[int, ...]]:
    """By the root of each chain of blocked exchanges."""
    found: dict[int, tuple[int, ...]] = {}
    for sequence in blocked:
        root = blocked[sequence]
        while root in blocked:
            root = blocked[root]
        found[root] = (*found.get(root, ()), sequence)
    return found


def _suppressed(results: Iterable[Result]) -> list[Suppressed]:
    groups: dict[tuple[str, Part, str, str], list[Ignored]] = {}
    for _, route, comparison in results:
        for each in comparison.suppressed:
            groups.setdefault((route, each.part, each.pointer, each.reason), []).append(each)
    return [
        Suppressed(
            route=route,
            part=part,
            pointer=_text(pointer),
            reason=reason,
            count=len(group),
            example_expected=shown_pair(group[0].expected, group[0].actual)[0],
            example_actual=shown_pair(group[0].expected, group[0].actual)[1],
        )
        for (route, part, pointer, reason), group in sorted(groups.items(), key=lambda item: item[0])
    ]


def _rank(finding: Finding) -> tuple[JsonValue, ...]:
    return (_SEVERITIES[finding.severity], not finding.breaking, -finding.count, finding.route, finding.pointer)


def _text(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
