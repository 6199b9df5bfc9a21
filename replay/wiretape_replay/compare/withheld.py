"""Answers that came out equal although requests wait for a value of theirs: without a finding there, nobody could see
why those were not sent. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from wiretape_replay.bindings.plan import BindingPlan, Edge
from wiretape_replay.compare.difference import Difference
from wiretape_replay.compare.findings import Result
from wiretape_replay.compare.messages import said
from wiretape_replay.verdict.model import FindingClass, Outcome, Part, Severity

_POSITION = re.compile(r"/\d+(?=/|$)")


def with_withheld(results: Sequence[Result], blocked: Mapping[int, int], plan: BindingPlan) -> list[Result]:
    """The same results; `blocked` maps an exchange that was not sent to the one whose answer lacks what it needs."""
    waiting: dict[int, list[int]] = {}
    for consumer, producer in blocked.items():
        waiting.setdefault(producer, []).append(consumer)
    return [_told(result, waiting.get(result[0].sequence, ()), plan) for result in results]


def _told(result: Result, waiting: Sequence[int], plan: BindingPlan) -> Result:
    exchange, route, comparison = result
    if not waiting or any(each.severity is Severity.ERROR for each in comparison.differences):
        return result
    edges = [edge for one in waiting for edge in plan.by_consumer.get(one, ()) if edge.producer == exchange.sequence]
    if not edges:
        return result
    found = (*comparison.differences, _difference(edges[0], len(waiting)))
    return exchange, route, replace(comparison, outcome=Outcome.DIFFERENT, differences=found)


def _difference(edge: Edge, waiting: int) -> Difference:
    requests = "a later request carries" if waiting == 1 else f"{waiting} later requests carry"
    message = f"{requests} what was {said(edge.value)} here, and nothing like it came: what needs it was not sent"
    in_body = edge.produced_at.part == "body"
    at = edge.produced_at.name
    pointer = _POSITION.sub("/*", at) if in_body else at
    return Difference(FindingClass.VALUE, Part.BODY if in_body else Part.HEADER, pointer, at, edge.value, None, message,
                      breaking=True)  # fmt: skip
