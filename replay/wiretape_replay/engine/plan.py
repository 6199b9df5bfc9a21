"""What the recording says before anything is sent: routes, bindings, sessions and the chosen exchanges. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from wiretape_capture.snapshot.exchange import Exchange
from wiretape_replay.bindings.plan import BindingPlan, find_bindings
from wiretape_replay.engine.selection import Selection, select
from wiretape_replay.engine.spec import ReplaySpec
from wiretape_replay.routes import RouteTable
from wiretape_replay.sessions import assign_sessions


@dataclass(frozen=True, slots=True)
class Plan:
    """What the recording says before anything is sent."""

    inbound: list[Exchange]
    bindings: BindingPlan
    routes: RouteTable
    sessions: dict[int, str]
    selection: Selection

    @property
    def needed(self) -> frozenset[int]:
        """Exchanges whose answers hold values for later requests."""
        return frozenset(edge.producer for edge in self.bindings.edges)

    @property
    def recorded_routes(self) -> frozenset[str]:
        """The routes that the recording has."""
        return frozenset(self.route(one) for one in self.inbound)

    def route(self, exchange: Exchange) -> str:
        """The route's name."""
        return self.routes.route(exchange.command, exchange.request.target)


def make_plan(inbound: list[Exchange], spec: ReplaySpec) -> Plan:
    """Find routes, bindings and sessions, and choose what to send."""
    routes = RouteTable.infer(((one.command, one.request.target) for one in inbound), spec.route_templates)
    bindings = find_bindings(inbound)
    selection = select(
        inbound, sequences=spec.sequences, routes=spec.routes, producers=bindings.producers,
        route=lambda one: routes.route(one.command, one.request.target),
    )  # fmt: skip
    return Plan(inbound, bindings, routes, assign_sessions(inbound, bindings), selection)
