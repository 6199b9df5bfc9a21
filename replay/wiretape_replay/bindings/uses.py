"""How the bindings of a recording went in a run, by kind of edge. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

from wiretape_replay.bindings.plan import BindingPlan, Edge
from wiretape_replay.bindings.tokens import Place
from wiretape_replay.verdict.model import BindingUse

type State = Literal["ok", "same", "not found", "unused"]

LIMIT = 500
"""Kinds of edges that are told."""
_POSITION = re.compile(r"/\d+(?=/|$)")


@dataclass(slots=True)
class _Kind:
    count: int = 0
    states: dict[str, int] = field(default_factory=dict)
    confirmed: int = 0
    example: tuple[int, int] = (0, 0)


def binding_uses(plan: BindingPlan, route: Callable[[int], str], state: Callable[[Edge], State | None] | None = None,
                 answered: Callable[[int], bool] = lambda _sequence: False) -> tuple[BindingUse, ...]:  # fmt: skip
    """The edges by kind. `state` is None where nothing was replayed; it says None of an edge that took no part.

    `answered` says whether a consumer was answered with the recorded status.
    """
    kinds: dict[tuple[str, str, str, str], _Kind] = {}
    for edge in plan.edges:
        found = state(edge) if state else None
        if state and found is None:
            continue
        name = (route(edge.producer), _shown(edge.produced_at), route(edge.consumer), _shown(edge.consumed_at))
        kind = kinds.setdefault(name, _Kind(example=(edge.producer, edge.consumer)))
        kind.count += 1
        if found:
            kind.states[found] = kind.states.get(found, 0) + 1
            kind.confirmed += found == "ok" and answered(edge.consumer)
    return tuple(_use(name, kind) for name, kind in list(kinds.items())[:LIMIT])


def state_of(edge: Edge, live: str | None, played: Iterable[int], blocked: dict[int, int]) -> State | None:
    """How one edge went: `live` was sent in its place, None when nothing was known."""
    if edge.consumer in blocked:
        return "not found" if blocked[edge.consumer] == edge.producer else "unused"
    if edge.consumer not in played:
        return "unused" if edge.producer in played else None
    if live is None:
        return "not found"
    return "same" if live == edge.value else "ok"


def _use(name: tuple[str, str, str, str], kind: _Kind) -> BindingUse:
    producer, produced_at, consumer, consumed_at = name
    states = kind.states
    return BindingUse(
        producer=producer, produced_at=produced_at, consumer=consumer, consumed_at=consumed_at, count=kind.count,
        ok=states.get("ok", 0), same=states.get("same", 0), not_found=states.get("not found", 0),
        unused=states.get("unused", 0), confirmed=kind.confirmed, example=kind.example,
    )  # fmt: skip


def _shown(place: Place) -> str:
    text = str(place)
    return _POSITION.sub("/*", text) if place.part == "body" else text
