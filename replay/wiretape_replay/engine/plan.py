"""What the recording says before anything is sent: routes, bindings, sessions and the chosen exchanges."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import count

from wiretape_capture.snapshot.exchange import Exchange, Request
from wiretape_replay.bindings.live import LiveSession
from wiretape_replay.bindings.plan import BindingPlan, find_bindings
from wiretape_replay.engine.selection import Selection, select
from wiretape_replay.engine.spec import ReplaySpec
from wiretape_replay.routes import RouteTable
from wiretape_replay.sessions import assign_sessions
from wiretape_replay.signing.signer import Rewrite, Signer


@dataclass(frozen=True, slots=True)
class Plan:
    """What the recording says before anything is sent."""

    inbound: list[Exchange]
    bindings: BindingPlan
    routes: RouteTable
    sessions: dict[int, str]
    selection: Selection
    seed: str | None = None
    """What the client made for itself is made anew from it; None: kept as recorded."""
    signer: Signer | None = None
    passes: Iterator[int] = field(default_factory=count)
    """Numbers the passes over the recording: of unchanged code, and of the app."""

    @property
    def needed(self) -> frozenset[int]:
        """Exchanges whose answers hold values for later requests."""
        return frozenset(edge.producer for edge in self.bindings.edges)

    @property
    def recorded_routes(self) -> frozenset[str]:
        """The routes that the recording has."""
        return frozenset(self.route(one) for one in self.inbound)

    def session(self, target: str, salt: str = "", processes: Collection[int] = ()) -> LiveSession:
        """A session about to be replayed to `target`; another pass over the same app needs another salt."""
        seed = None if self.seed is None else f"{self.seed}/{salt}"
        sign = self._sign if self.signer else None
        return LiveSession(self.bindings, target=target, processes=processes, seed=seed, sign=sign)

    def _sign(self, exchange: Exchange, request: Request, claim: Rewrite) -> Request:
        assert self.signer is not None
        return self.signer.sign(exchange, request, self.route(exchange), time.time_ns(), claim)

    def route(self, exchange: Exchange) -> str:
        """The route's name."""
        return self.routes.route(exchange.command, exchange.request.target)


def make_plan(inbound: list[Exchange], spec: ReplaySpec, signer: Signer | None = None) -> Plan:
    """Find routes, bindings and sessions, and choose what to send."""
    routes = RouteTable.infer(((one.command, one.request.target) for one in inbound), spec.route_templates)
    bindings = find_bindings(inbound)
    selection = select(
        inbound, sequences=spec.sequences, routes=spec.routes, producers=bindings.producers,
        route=lambda one: routes.route(one.command, one.request.target),
    )  # fmt: skip
    seed = (spec.seed or spec.run.stem) if spec.client_values == "fresh" else None
    return Plan(inbound, bindings, routes, assign_sessions(inbound, bindings), selection, seed, signer)
