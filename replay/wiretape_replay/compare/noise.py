"""What the recording, unchanged code and the user say of what varies: the evidence that differences are judged by.

Only values and order are ever learned as noise, never structure (status, type, presence).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from pydantic import JsonValue

from wiretape_capture.protocols.http import SAFE
from wiretape_capture.snapshot.exchange import Exchange
from wiretape_replay.align import align
from wiretape_replay.bindings.plan import BindingPlan
from wiretape_replay.bindings.tokens import is_distinctive
from wiretape_replay.compare.counters import find_counters
from wiretape_replay.compare.echoes import Echoes, find_echoes
from wiretape_replay.compare.evidence import ENOUGH
from wiretape_replay.compare.observations import Observations
from wiretape_replay.compare.places import place_of, template
from wiretape_replay.compare.representations import representations, spread
from wiretape_replay.content import read_content
from wiretape_replay.engine.spec import NoiseRule
from wiretape_replay.formats import Window
from wiretape_replay.leaves import join, kind_of, split, walk
from wiretape_replay.routes import RouteTable

_PAIRS_PER_ROUTE = 50


@dataclass(slots=True)
class Variation:
    """How often identical requests were answered differently at one leaf."""

    differed: int = 0
    of: int = 0
    route: str = ""
    """Whose repetitions these were, when another route shows the same object."""

    def __str__(self) -> str:
        whose = f" of {self.route}" if self.route else ""
        return f"differed in {self.differed} of {self.of} repetitions{whose} in the recording"


@dataclass(frozen=True, slots=True)
class NoiseModel:
    """The noise of one recording."""

    window: Window
    """When it was recorded."""
    plan: BindingPlan
    rules: tuple[NoiseRule, ...] = ()
    varying: dict[tuple[str, str], Variation] = field(default_factory=dict)
    """By (route, templated pointer)."""
    orders: dict[tuple[str, str], Variation] = field(default_factory=dict)
    """Arrays whose order varied."""
    known: frozenset[str] = frozenset()
    """Distinctive values of the recording: a live value that is one of them was not made afresh."""
    sent_back: frozenset[str] = frozenset()
    """Values of answers that later requests carry."""
    counters: dict[tuple[str, str], dict[int, int]] = field(default_factory=dict)
    """Whole numbers that only grew in the recording, as a count of requests would: by sequence."""
    echoes: Echoes = field(default_factory=dict)
    """Fields that repeat an identifier of their own request."""
    evidence: Observations = field(default_factory=Observations)
    """What unchanged code showed."""
    commands: dict[int, str] = field(default_factory=dict)
    """`POST /orders` by sequence, to say where a value was born."""

    @classmethod
    def learn(
        cls,
        exchanges: Sequence[Exchange],
        plan: BindingPlan,
        rules: Sequence[NoiseRule] = (),
        routes: RouteTable | None = None,
        evidence: Observations | None = None,
    ) -> Self:
        """Learn from the inbound exchanges of a recording."""
        ordered = sorted(exchanges, key=lambda each: each.sequence)
        routes = routes or RouteTable.infer((each.command, each.request.target) for each in ordered)
        model = cls(_window(ordered), plan, tuple(rules), known=frozenset(_known(ordered)),
                    sent_back=frozenset(edge.value for edge in plan.edges),
                    evidence=Observations() if evidence is None else evidence)  # fmt: skip
        model.commands.update({each.sequence: routes.route(each.command, each.request.target) for each in ordered})
        taken: dict[str, int] = {}
        for before, after in _repetitions(ordered):
            route = model.commands[after.sequence]
            taken[route] = taken.get(route, 0) + 1
            if taken[route] <= _PAIRS_PER_ROUTE:
                model._learn_pair(route, before, after)
        model.counters.update(find_counters(ordered, model.commands))
        model._spread(ordered)
        return replace(model, echoes=find_echoes(ordered, model.commands, plan))

    def rule_for(self, route: str, place: str) -> NoiseRule | None:
        """The user's rule for a pointer or `header:NAME`."""
        return next((rule for rule in self.rules if rule.route in ("*", route) and _covers(rule.pointer, place)), None)

    def _spread(self, ordered: Sequence[Exchange]) -> None:
        """What varies of an object in the answers of one route varies wherever the same object is shown."""
        tables = [table for table in (self.varying, self.orders) if any(each.differed for each in table.values())]
        groups = representations(ordered, self.commands) if tables else []
        for table in tables:
            varied = [spot for spot, each in table.items() if each.differed]
            settled = {spot for spot, each in table.items() if each.differed or each.of >= ENOUGH}
            for spot, origin in spread(settled, groups, varied).items():
                table[spot] = replace(table[origin], route=origin[0])

    def _learn_pair(self, route: str, before: Exchange, after: Exchange) -> None:
        assert before.response and after.response
        content = read_content(before.response.headers, before.response.body)
        ours, theirs = content.tree, read_content(after.response.headers, after.response.body).tree
        for pointer, at, a, b in _paired(ours, theirs):
            pointer = place_of(pointer, at, lines=content.kind == "text")
            variation = self.varying.setdefault((route, pointer), Variation())
            variation.of += 1
            variation.differed += kind_of(a) == kind_of(b) and a != b
        for pointer, moved in _orders(ours, theirs):
            order = self.orders.setdefault((route, pointer), Variation())
            order.of += 1
            order.differed += moved


def _covers(wanted: str, place: str) -> bool:
    if wanted.lower().startswith("header:") or place.startswith("header:"):
        return wanted.lower() == place.lower()
    pattern, keys = split(wanted), split(place)
    return len(pattern) == len(keys) and all(a in ("*", b) or b == "*" for a, b in zip(pattern, keys, strict=True))


def _window(exchanges: Sequence[Exchange]) -> Window:
    if not exchanges:
        return Window(0, 0)
    end = max(each.started_ns + each.duration_us * 1000 for each in exchanges)
    return Window(min(each.started_ns for each in exchanges), end)


def _known(exchanges: Sequence[Exchange]) -> Iterable[str]:
    for each in exchanges:
        for message in (each.request, each.response):
            content = read_content(message.headers, message.body) if message else None
            if content and content.kind not in ("empty", "binary", "text"):
                yield from (v for _, v in walk(content.tree) if isinstance(v, str) and is_distinctive(v))


def _repetitions(ordered: Sequence[Exchange]) -> Iterable[tuple[Exchange, Exchange]]:
    """Pairs of identical safe requests with nothing between them that could have changed the answer."""
    seen: dict[tuple[object, ...], Exchange] = {}
    for each in ordered:
        if each.command not in SAFE:
            seen.clear()
            continue
        identity = (each.command, each.request.target, each.request.body.sha256, _who(each))
        before = seen.get(identity)
        if before and before.response and each.response and before.response.status == each.response.status:
            yield before, each
        seen[identity] = each


def _who(exchange: Exchange) -> tuple[str, ...]:
    wanted = ("authorization", "cookie", "accept", "accept-language", "range", "if-none-match", "x-api-key")
    return tuple(value for name, value in exchange.request.headers if name.lower() in wanted)


def _paired(
    a: JsonValue, b: JsonValue, pointer: str = "", at: str = ""
) -> Iterable[tuple[str, str, JsonValue, JsonValue]]:
    """The scalars that both documents have, side by side, with their templated and exact pointers."""
    if isinstance(a, dict) and isinstance(b, dict):
        for key in a.keys() & b.keys():
            yield from _paired(a[key], b[key], template(pointer, key), join(at, key))
    elif isinstance(a, list) and isinstance(b, list):
        for i, j in align(a, b, lambda _, value: value).pairs:
            yield from _paired(a[i], b[j], template(pointer, i), join(at, i))
    elif not isinstance(a, dict | list) and not isinstance(b, dict | list):
        yield pointer, at, a, b


def _orders(a: JsonValue, b: JsonValue, pointer: str = "") -> Iterable[tuple[str, bool]]:
    if isinstance(a, dict) and isinstance(b, dict):
        for key in a.keys() & b.keys():
            yield from _orders(a[key], b[key], template(pointer, key))
    elif isinstance(a, list) and isinstance(b, list):
        found = align(a, b, lambda _, value: value)
        yield pointer, found.moved
        for i, j in found.pairs:
            yield from _orders(a[i], b[j], template(pointer, i))
