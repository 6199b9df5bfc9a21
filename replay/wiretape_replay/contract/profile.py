"""The contract that a recording implies: for each route, status and leaf, the types and formats seen and how often.

Profiles merge associatively, so recordings can be profiled in parts and in any order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from pydantic import JsonValue

from wiretape_capture.snapshot.exchange import Body, Exchange, Headers
from wiretape_replay.content import read_content
from wiretape_replay.contract.check import Violation, check
from wiretape_replay.contract.leaf import Profile
from wiretape_replay.routes import RouteTable

_STRUCTURED = frozenset({"json", "ndjson", "xml"})


@dataclass(slots=True)
class Contract:
    """The contract of all routes."""

    answers: dict[str, Counter[int]] = field(default_factory=dict)
    """How often each route answered with each status."""
    bodies: dict[tuple[str, int], Profile] = field(default_factory=dict)
    """By route and status."""

    @classmethod
    def infer(cls, exchanges: Iterable[Exchange], routes: RouteTable) -> Self:
        """From the recorded responses."""
        contract = cls()
        for each in exchanges:
            if each.response is None:
                continue
            route = routes.route(each.command, each.request.target)
            contract.answers.setdefault(route, Counter())[each.response.status] += 1
            content = read_content(each.response.headers, each.response.body)
            if content.kind in _STRUCTURED:
                contract.bodies.setdefault((route, each.response.status), Profile()).add(content.tree)
        return contract

    def merge(self, other: Contract) -> None:
        """Add what another recording implies."""
        for route, statuses in other.answers.items():
            self.answers.setdefault(route, Counter()).update(statuses)
        for key, profile in other.bodies.items():
            self.bodies.setdefault(key, Profile()).merge(profile)

    def check(self, route: str, status: int, body: JsonValue) -> list[Violation]:
        """How a live answer breaks the contract; nothing is known of a route that was not recorded."""
        statuses = self.answers.get(route)
        if statuses is None:
            return []
        if status not in statuses:
            seen = ", ".join(f"{each} in {count}" for each, count in sorted(statuses.items()))
            evidence = f"status {seen} of {statuses.total()} recorded answers"
            return [Violation("", "", "status-new", " or ".join(map(str, sorted(statuses))), str(status), evidence)]
        profile = self.bodies.get((route, status))
        return check(profile, body) if profile else []

    def check_response(self, route: str, status: int, headers: Headers, body: Body) -> list[Violation]:
        """The same for a response as it came; a body that is no structured text breaks no contract of leaves."""
        content = read_content(headers, body)
        if content.kind in _STRUCTURED:
            return self.check(route, status, content.tree)
        return [each for each in self.check(route, status, None) if each.rule == "status-new"]
