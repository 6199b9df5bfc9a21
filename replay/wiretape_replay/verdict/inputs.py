"""Which requests show a finding: the one value of the request that tells failing from passing exchanges of a route.

A statement of evidence, never a guess: nothing is said where two values tell them apart equally well. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from pydantic import JsonValue

from wiretape_capture.protocols.http import split_target
from wiretape_capture.snapshot.exchange import Request
from wiretape_replay.bindings.tokens import is_secret_name
from wiretape_replay.compare.messages import said
from wiretape_replay.content import read_content
from wiretape_replay.leaves import leaf_name, walk

type Leaves = Mapping[str, JsonValue]
"""Values of a request by place: `?tag`, `body /items/0/sku`, `header x-role`, `path segment 2`."""

BODY_LIMIT = 64 * 1024
LEAVES_LIMIT = 400
_UNTOLD = frozenset({
    "host", "user-agent", "content-length", "connection", "date", "cookie", "authorization", "accept-encoding", "via",
    "transfer-encoding", "expect", "traceparent", "tracestate", "x-request-id", "x-correlation-id", "if-none-match",
    "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded", "keep-alive",
})  # fmt: skip


def leaves_of(request: Request) -> Leaves:
    """The values of a request that an app may act upon; what carries a credential or a trace is left out."""
    path, query = split_target(request.target)
    found: dict[str, JsonValue] = {f"path segment {place}": part for place, part in enumerate(path.split("/")[1:], 1)}
    found |= {f"?{name}": value for name, value in query}
    found |= {f"header {name.lower()}": value for name, value in request.headers
              if name.lower() not in _UNTOLD and not name.startswith(":")}  # fmt: skip
    found |= dict(_body(request))
    return {place: value for place, value in found.items() if not _secret(place)}


def distinguishing(failing: Sequence[Leaves], passing: Sequence[Leaves]) -> str:
    """The sentence; empty where several values tell them apart, so that none is known to matter."""
    if not failing:
        return ""
    if not passing:
        return "every request of this route shows it" if len(failing) > 1 else ""
    places = sorted({place for leaves in (*failing, *passing) for place in leaves})
    tests = [test for place in places if (test := _separating(place, failing, passing))]
    if len(tests) == 1:
        return f"{tests[0]}: {len(failing)} of {len(failing)} such requests show it, 0 of {len(passing)} others"
    if not tests:
        return f"{len(failing)} of {len(failing) + len(passing)} requests show it; no single value tells them apart"
    return ""


@dataclass(frozen=True, slots=True)
class _Column:
    """The values at one place, absent ones left out, and how many were absent."""

    failing: list[JsonValue]
    passing: list[JsonValue]
    failing_without: int
    passing_without: int


def _separating(place: str, failing: Sequence[Leaves], passing: Sequence[Leaves]) -> str:
    column = _Column(
        [leaves[place] for leaves in failing if place in leaves],
        [leaves[place] for leaves in passing if place in leaves],
        sum(place not in leaves for leaves in failing), sum(place not in leaves for leaves in passing),
    )  # fmt: skip
    if not column.failing_without and not column.passing:
        return f"only with {place}" + (_always(column.failing) if len(failing) > 1 else "")
    if not column.failing and not column.passing_without:
        return f"only without {place}"
    if column.failing_without:
        return ""
    return _by_value(place, column)


def _by_value(place: str, column: _Column) -> str:
    failing, passing = {*map(repr, column.failing)}, {*map(repr, column.passing)}
    if len(failing) == 1 and not failing & passing:
        return f"only where {place} is {said(column.failing[0])}"
    if len(passing) == 1 and not failing & passing and not column.passing_without:
        return f"only where {place} is not {said(column.passing[0])}"
    ours, theirs = _numbers(column.failing), _numbers(column.passing)
    if ours and theirs and not column.passing_without and len(failing) > 1:
        if min(ours) > max(theirs):
            return f"only where {place} is at least {min(ours)}, not up to {max(theirs)}"
        if max(ours) < min(theirs):
            return f"only where {place} is at most {max(ours)}, not from {min(theirs)} on"
    return ""


def _secret(place: str) -> bool:
    name = leaf_name(place) if place.startswith("body ") else place.removeprefix("header ").removeprefix("?")
    plain = re.sub(r"[^a-z]", "", name.lower())
    return is_secret_name(name) or any(word in plain for word in ("password", "apikey", "credential", "auth"))


def _always(values: Sequence[JsonValue]) -> str:
    return f" (always {said(values[0])})" if len({*map(repr, values)}) == 1 else ""


def _numbers(values: Sequence[JsonValue]) -> list[Decimal]:
    found = [Decimal(str(value)) for value in values if _numeric(value)]
    return found if len(found) == len(values) else []


def _numeric(value: JsonValue) -> bool:
    if isinstance(value, str):
        return value.isascii() and value.isdecimal() and len(value) < 16
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool) and value == value


def _body(request: Request) -> Iterator[tuple[str, JsonValue]]:
    if not request.body.data or request.body.size > BODY_LIMIT:
        return
    content = read_content(request.headers, request.body)
    if content.kind in ("binary", "empty"):
        return
    for count, (pointer, value) in enumerate(walk(content.tree)):
        if count >= LEAVES_LIMIT:
            return
        yield f"body {pointer}".rstrip(), value
