"""Findings about the app's outbound calls: those that the recording does not have, and those not made. Pure."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from wiretape_replay.mock.spec import MockAnswer, MockResult
from wiretape_replay.verdict.model import Finding, FindingClass, Part, Severity

type RouteOf = Callable[[str, str], str]
"""Method and target to the route's name."""

DIFFERENCES_TOLD = 2


def outbound_findings(result: MockResult, answers: Sequence[MockAnswer], route_of: RouteOf, *,
                      whole: bool) -> list[Finding]:  # fmt: skip
    """Unexpected calls by route, and, when the whole snapshot was replayed, recorded calls that were not made."""
    missed = [answer for answer in answers if answer.tier == "miss"] or result.misses
    unexpected = _by(missed, lambda answer: _place(answer.service, answer.command, answer.location, route_of))
    findings = [_unexpected(route, calls) for route, calls in unexpected.items()]
    if whole:
        parts = [text.split(" ", 2) for text in result.unused]
        unused = _by(parts, lambda part: _place(part[1], part[0], part[2], route_of))
        made = Counter((one.command, one.service, one.location.partition("?")[0]) for one in answers)
        findings += [_missing(route, calls, made) for route, calls in unused.items()]
    return findings


def _by[T](items: Iterable[T], key: Callable[[T], str]) -> dict[str, list[T]]:
    groups: dict[str, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def _place(service: str, command: str, location: str, route_of: RouteOf) -> str:
    method, _, path = route_of(command, location).partition(" ")
    return f"{method} {service}{path}" if path.startswith("/") else f"{command} {service} {location}"


def _unexpected(route: str, calls: Sequence[MockAnswer]) -> Finding:
    first = calls[0]
    return Finding(
        id=_id(route, "unexpected"), kind=FindingClass.OUTBOUND, severity=Severity.ERROR, breaking=True, route=route,
        part=Part.OUTBOUND, pointer="unexpected", example_pointer=first.location, sequences=(), count=len(calls), of=0,
        actual=f"{first.command} {first.location}", expected=_nearest(first),
        message=f"the app called {first.command} {first.location} of {first.service}, which the recording does not "
                f"have{_difference(first)}",
        evidence="answered by the mock with an error: it never invents an answer",
    )  # fmt: skip


def _nearest(call: MockAnswer) -> str | None:
    return f"{call.closest[0].command} {call.closest[0].location}" if call.closest else None


def _difference(call: MockAnswer) -> str:
    if not call.closest:
        return ", nor anything near it"
    near = call.closest[0]
    told = [f"{one.where} was {one.recorded if one.recorded is not None else 'absent'}, "
            f"came {one.live if one.live is not None else 'not at all'}"
            for one in near.differences[:DIFFERENCES_TOLD]]  # fmt: skip
    return f"; nearest is exchange {near.sequence}" + (f": {'; '.join(told)}" if told else "")


def _missing(route: str, calls: Sequence[Sequence[str]], made: Counter[tuple[str, str, str]]) -> Finding:
    command, service, location = calls[0]
    times = made[command, service, location.partition("?")[0]]
    less = f"was called less often than in the recording: {'once' if times == 1 else f'{times} times'}"
    often = less if times else "was called in the recording and is not any more"
    return Finding(
        id=_id(route, "missing"), kind=FindingClass.OUTBOUND, severity=Severity.WARNING, breaking=False, route=route,
        part=Part.OUTBOUND, pointer="missing", example_pointer=location, sequences=(), count=len(calls), of=0,
        expected=f"{command} {location}",
        message=f"{command} {location} of {service} {often}",
    )  # fmt: skip


def _id(route: str, pointer: str) -> str:
    named = "\n".join((FindingClass.OUTBOUND, route, Part.OUTBOUND, pointer))
    return f"F-{hashlib.sha256(named.encode()).hexdigest()[:8]}"
