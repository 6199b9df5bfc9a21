"""From the faults of a run's outbound calls to findings: one for each route, call and kind, with its evidence. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from wiretape_capture.snapshot.exchange import Exchange
from wiretape_replay.compare.curl import curl_line
from wiretape_replay.compare.findings import finding_id
from wiretape_replay.compare.messages import shown
from wiretape_replay.outbound.evidence import Evidence
from wiretape_replay.outbound.fault import Fault, Kind
from wiretape_replay.verdict.model import ExchangeResult, Finding, FindingClass, Outcome, Part, Severity

SEQUENCES = 50
_RANK = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}
_TIMES = frozenset({Kind.MISSING, Kind.DUPLICATED, Kind.REPEATED, Kind.FAN_OUT})
NEVER_INVENTED = "answered by the mock with an error: it never invents an answer"
ONCE = "; if it is made once in the life of a process, such as for a token, record again from the app's start"


def collect_faults(faults: Sequence[Fault], evidence: Evidence, inbound: Mapping[int, Exchange], *, target: str,
                   reproduce: Callable[[Sequence[int]], str]) -> list[Finding]:  # fmt: skip
    """One finding for each inbound route, place and kind; a call of no exchange has its own place as route."""
    groups: dict[tuple[str, Kind, str], list[Fault]] = {}
    for fault in faults:
        groups.setdefault((route_of(fault, evidence), fault.kind, fault.place), []).append(fault)
    return [_finding(route, sorted(group, key=_rank), evidence, inbound, target, reproduce)
            for (route, _, _), group in groups.items()]  # fmt: skip


def with_faults(results: Sequence[ExchangeResult], faults: Sequence[Fault], evidence: Evidence) -> list[ExchangeResult]:
    """The results with what was wrong with their calls: an exchange with an error among them is different."""
    ids: dict[int, dict[str, None]] = {}
    failed: set[int] = set()
    for fault in faults:
        for owner in fault.owners:
            ids.setdefault(owner, {})[fault_id(fault, evidence)] = None
        if fault.severity is Severity.ERROR:
            # Where several were under way, one of them has failed.
            failed.update(fault.owners[:1])
    return [_with(result, ids.get(result.sequence, {}), result.sequence in failed) for result in results]


def with_causes(findings: Sequence[Finding], causes: Mapping[int, Fault], evidence: Evidence) -> list[Finding]:
    """Findings in answers of the app with what they follow from, by the exchanges that show them."""
    found = []
    for finding in findings:
        cause = causes.get(finding.sequences[0]) if finding.sequences else None
        found.append(finding if cause is None else finding.model_copy(update=_following(finding, cause, evidence)))
    return found


def _following(finding: Finding, cause: Fault, evidence: Evidence) -> dict[str, str]:
    follows = fault_id(cause, evidence)
    return {"follows": follows, "message": finding.message + after(follows)}


def fault_id(fault: Fault, evidence: Evidence) -> str:
    """The id of the finding that a fault belongs to."""
    return finding_id(route_of(fault, evidence), FindingClass.OUTBOUND, Part.OUTBOUND, pointer_of(fault))


def pointer_of(fault: Fault) -> str:
    """`duplicated POST payments:443/charges`."""
    return f"{fault.kind} {fault.place}"


def route_of(fault: Fault, evidence: Evidence) -> str:
    """The inbound route whose handling made the call; the call's own place where that is not known."""
    routes = {evidence.handled[owner].route for owner in fault.owners}
    return next(iter(routes)) if len(routes) == 1 else fault.place


def _with(result: ExchangeResult, ids: Mapping[str, None], failed: bool) -> ExchangeResult:
    if not ids:
        return result
    equal = result.outcome in (Outcome.BYTES_EQUAL, Outcome.SEMANTICALLY_EQUAL)
    outcome = Outcome.DIFFERENT if failed and equal else result.outcome
    findings = tuple(dict.fromkeys((*result.findings, *ids)))
    return result.model_copy(update={"findings": findings, "outcome": outcome})


def _rank(fault: Fault) -> tuple[int, int]:
    return _RANK[fault.severity], fault.owners[0] if fault.owners else 0


def _finding(route: str, group: Sequence[Fault], evidence: Evidence, inbound: Mapping[int, Exchange], target: str,
             reproduce: Callable[[Sequence[int]], str]) -> Finding:  # fmt: skip
    first = group[0]
    sequences = tuple(dict.fromkeys(owner for fault in group for owner in fault.owners))
    certain = {fault.owners[0] for fault in group if fault.owners}
    several = f" (exchanges {', '.join(map(str, sorted(first.owners)[:5]))} were under way together)"
    follows = _follows(group, evidence)
    message = first.message + (several if len(first.owners) > 1 else "") + (after(follows) if follows else "")
    return Finding(
        id=fault_id(first, evidence), kind=FindingClass.OUTBOUND, severity=first.severity, route=route,
        breaking=first.severity is Severity.ERROR, part=Part.OUTBOUND, pointer=pointer_of(first),
        example_pointer=str(first.actual) if first.kind is Kind.UNEXPECTED else "",
        expected=shown(first.expected), actual=shown(first.actual),
        message=f"{route}: {message}" if sequences else message,
        sequences=sequences[:SEQUENCES], count=len(certain) or len(group),
        of=sum(one.live_from_ns > 0 for one in evidence.by_route.get(route, ())),
        evidence=_evidence(first, route, evidence),
        curl=curl_line(inbound[sequences[0]].request, target) if sequences else "",
        reproduce=reproduce(sequences[:1]) if sequences else "", follows=follows,
    )  # fmt: skip


def after(cause: str) -> str:
    """What a message says of the finding that it may follow from."""
    return f" (may follow from {cause})"


def _follows(group: Sequence[Fault], evidence: Evidence) -> str:
    """What the first of them follows from; empty where it stands alone."""
    first = min(group, key=lambda fault: fault.owners or (0,))
    follows = fault_id(first.after, evidence) if first.after is not None else ""
    return follows if follows != fault_id(first, evidence) else ""


def _evidence(fault: Fault, route: str, evidence: Evidence) -> str:
    if fault.evidence:
        return fault.evidence
    if fault.kind in (Kind.UNEXPECTED, Kind.CHANGED):
        unknown = all(call.place != fault.place for call in evidence.recorded)
        return NEVER_INVENTED + (ONCE if unknown else "")
    return evidence.often(route, fault.place) if fault.kind in _TIMES else _always(fault, route, evidence)


def _always(fault: Fault, route: str, evidence: Evidence) -> str:
    """How many recorded exchanges made both calls, all in one order."""
    places = fault.place.split(", ")
    both = [one for one in evidence.by_route.get(route, ())
            if all(evidence.was.places[one.sequence, place] for place in places)]  # fmt: skip
    return f"in this order in {len(both)} of {len(both)} recorded requests that make both calls"
