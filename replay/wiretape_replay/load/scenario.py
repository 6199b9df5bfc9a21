"""All that workers share: scripts, templates, what the recording says. Made once and handed to each of them."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from wiretape_capture.snapshot.exchange import Exchange
from wiretape_replay.bindings.plan import BindingPlan
from wiretape_replay.compare.noise import NoiseModel
from wiretape_replay.contract.profile import Contract
from wiretape_replay.engine.plan import Plan
from wiretape_replay.load.arrivals import Arrival, Rhythm, constant, poisson, recorded
from wiretape_replay.load.item import Item, Making
from wiretape_replay.load.script import Script, scripts_of
from wiretape_replay.load.spec import LoadSpec
from wiretape_replay.load.stages import Level
from wiretape_replay.load.template import Sources, Template
from wiretape_replay.routes import RouteTable
from wiretape_replay.sessions import assign_clients


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is sent, and what is known of it."""

    scripts: tuple[Script, ...]
    templates: dict[int, Template | None]
    replies: dict[int, Template | None]
    """Bodies of recorded answers, with places for live values."""
    routes: tuple[str, ...]
    """Names of routes, by number."""
    route_of: dict[int, int]
    """The route of each exchange, by number."""
    bindings: BindingPlan
    route_table: RouteTable
    sessions: dict[int, str]
    seed: str | None
    noise: NoiseModel
    contract: Contract
    rhythm: Rhythm

    def write(self, path: Path) -> None:
        """Keep it in a file that only processes of this user can read."""
        path.write_bytes(pickle.dumps(self, protocol=pickle.HIGHEST_PROTOCOL))

    @staticmethod
    def read(path: Path) -> Scenario:
        """The scenario that the load's own job has just written."""
        found: Scenario = pickle.loads(path.read_bytes())
        return found

    def items(self) -> list[list[Item]]:
        """Every script ready to be played."""
        making = Making(self.route_of, self.templates, self.replies, self.bindings)
        return [making.items(script) for script in self.scripts]

    def route(self, exchange: Exchange) -> str:
        """The name of an exchange's route."""
        return self.routes[self.route_of[exchange.sequence]]

    @property
    def exchanges(self) -> Iterator[Exchange]:
        """Everything that is sent."""
        return (step.exchange for script in self.scripts for step in script.steps)


def scenario_of(plan: Plan, sendable: Sequence[Exchange], spec: LoadSpec, target: str, noise: NoiseModel) -> Scenario:
    """The scenario of a plan for a target whose URL is known."""
    parts = urlsplit(target)
    sessions = assign_clients(plan.inbound, plan.bindings)
    scripts = scripts_of(sendable, sessions, spec.speed)
    sources = Sources.of(plan.bindings, fresh=plan.seed is not None, signed=bool(spec.replay.sign))
    names = {one.sequence: plan.route(one) for one in sendable}
    routes = tuple(sorted(set(names.values())))
    numbers = {name: number for number, name in enumerate(routes)}
    return Scenario(
        scripts=tuple(scripts),
        templates={one.sequence: sources.template(one, parts.path.rstrip("/"), parts.netloc) for one in sendable},
        replies={one.sequence: sources.reply(one) for one in sendable},
        routes=routes, route_of={sequence: numbers[name] for sequence, name in names.items()},
        bindings=plan.bindings, route_table=plan.routes, sessions=sessions, seed=plan.seed, noise=noise,
        contract=Contract.infer(plan.inbound, plan.routes),
        rhythm=Rhythm.of([one.start_ns for one in scripts], [one.end_ns for one in scripts], spec.speed),
    )  # fmt: skip


def until_of(spec: LoadSpec, level: Level) -> float | None:
    """How many seconds sessions arrive; None for as long as the recording is."""
    return spec.seconds if spec.seconds is not None else level.seconds if spec.stages else None


def arrivals_of(scenario: Scenario, spec: LoadSpec) -> Iterator[Arrival]:
    """All arrivals of a load, the same in every worker; sessions of a fixed number of users come as they are taken."""
    level, count = Level.of(spec.scale, spec.stages), len(scenario.scripts)
    until = until_of(spec, level)
    if not count:
        return iter(())
    if spec.arrivals == "recorded":
        return recorded(scenario.rhythm, level, until)
    rate = spec.rate or 1.0
    if spec.arrivals == "closed":
        return _taken(count, None if until is not None else round(count * spec.scale))
    if spec.arrivals == "constant":
        return constant(rate, count, level, until)
    return poisson(rate, count, level, until, scenario.seed or "")


def _taken(scripts: int, most: int | None) -> Iterator[Arrival]:
    number = 0
    while most is None or number < most:
        yield Arrival(number, number % scripts, 0.0)
        number += 1
