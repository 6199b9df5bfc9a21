"""What helps to mend a finding: which requests show it, and which names to look for in the code. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import islice

from wiretape_capture.snapshot.exchange import Exchange
from wiretape_replay.compare.difference import Comparison
from wiretape_replay.compare.findings import finding_ids
from wiretape_replay.leaves import leaf_name
from wiretape_replay.verdict.inputs import Leaves, distinguishing, leaves_of
from wiretape_replay.verdict.model import Finding, FindingClass, Part

type Compared = tuple[Exchange, str, Comparison]

WEIGHED = 5000
"""Exchanges of a route whose requests are weighed against each other."""

_HIDING = frozenset({FindingClass.STATUS, FindingClass.ERROR})
"""An exchange with one of these shows nothing else, so it neither has nor lacks another finding."""


def explained(findings: Iterable[Finding], compared: Sequence[Compared]) -> list[Finding]:
    """The findings with the requests that show them and what to look at."""
    routes: dict[str, list[Compared]] = {}
    for one in compared:
        routes.setdefault(one[1], []).append(one)
    leaves: dict[int, Leaves] = {}
    return [finding.model_copy(update={
        "inputs": _inputs(finding, routes.get(finding.route, []), leaves), "look_at": look_at(finding)
    }) for finding in findings]  # fmt: skip


def look_at(finding: Finding) -> tuple[str, ...]:
    """Names that the code at fault is likely to hold."""
    names: list[str] = []
    if finding.part is Part.BODY:
        names.append(leaf_name(finding.pointer))
    elif finding.part in (Part.HEADER, Part.TRAILER):
        names.append(finding.pointer.removeprefix("header:").partition("/")[0])
    if finding.part is Part.OUTBOUND:
        names += [*_changed_names(finding), finding.example_pointer.partition("?")[0],
                  literal_path(finding.pointer.partition(" ")[2])]  # fmt: skip
    return tuple(dict.fromkeys(name for name in (*names, literal_path(finding.route)) if name))


def _changed_names(finding: Finding) -> list[str]:
    """What a call to a service carries now and did not, then the names of what changed: `query/sku` is `sku`."""
    changed = finding.actual if isinstance(finding.actual, dict) else {}
    values = [value for value in changed.values() if isinstance(value, str) and re.fullmatch(r"[\w./-]{2,40}", value)]
    return [*values, *(leaf_name("/" + place) for place in changed)]


def literal_path(route: str) -> str:
    """The part of a route that stands in the code as it is: `/orders/` of `GET /orders/{id}/items`."""
    path = route.partition(" ")[2]
    literal = path[path.find("/") :] if "/" in path else ""
    longest = max(re.split(r"\{[^}]*\}|\*", literal), key=len, default="")
    return longest if longest.strip("/") else ""


def _inputs(finding: Finding, compared: Sequence[Compared], leaves: dict[int, Leaves]) -> str:
    if finding.kind in (FindingClass.LATENCY, FindingClass.OUTBOUND) or finding.part is Part.OUTBOUND:
        return ""
    shows = [(exchange, finding.id in finding_ids(route, comparison), comparison)
             for exchange, route, comparison in compared]  # fmt: skip
    failing = [exchange for exchange, failed, _ in shows if failed]
    passing = [exchange for exchange, failed, comparison in shows
               if not failed and not any(each.kind in _HIDING for each in comparison.differences)]  # fmt: skip
    return distinguishing(_leaves(failing, leaves), _leaves(passing, leaves))


def _leaves(exchanges: Iterable[Exchange], known: dict[int, Leaves]) -> list[Leaves]:
    found = []
    for exchange in islice(exchanges, WEIGHED):
        if exchange.sequence not in known:
            known[exchange.sequence] = leaves_of(exchange.request)
        found.append(known[exchange.sequence])
    return found
