"""Sends each request to the app and to its baseline in turn, and keeps both response times as a pair.

A stage of its own after the run's own pass, with processes of its own where they are ours to start, so that nothing it
does can change what is compared. Knows no verdict.
"""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from random import Random
from time import monotonic, time_ns

from wiretape_capture.errors import WiretapeError
from wiretape_capture.launch.free_port import free_port
from wiretape_capture.launch.spec import AppSpec
from wiretape_capture.protocols.http import SAFE
from wiretape_capture.snapshot.exchange import Exchange
from wiretape_replay.bindings.live import LiveSession
from wiretape_replay.engine.client import Answer, Client
from wiretape_replay.engine.plan import Plan
from wiretape_replay.engine.play import BodyChunks
from wiretape_replay.engine.spec import ReplaySpec
from wiretape_replay.engine.target import staged
from wiretape_replay.verdict.paired import Pairs

WANTED = 60
"""Pairs of a route after which it is not sent again."""

LONGEST_US = 5_000_000
"""A recorded exchange that took longer waited for something else: it is not measured."""


@dataclass(frozen=True, slots=True)
class Turns:
    """What came of it."""

    routes: dict[str, Pairs] = field(default_factory=dict)
    note: str = ""
    """Why nothing could be measured."""


async def take_turns(spec: ReplaySpec, plan: Plan, body_chunks: BodyChunks, random: Random) -> Turns:
    """Start both where they are ours, measure them within the time that the spec gives, and stop them."""
    assert spec.against is not None
    theirs = spec.against.app
    if theirs is not None and spec.against.target is None and _same_port(spec.app, theirs):
        theirs = moved(theirs, await asyncio.to_thread(free_port))
        if theirs is None:
            return Turns(note=f"response times were not compared with the baseline: {_ONE_PORT}")
    baseline = spec.model_copy(update={
        "target": spec.against.target, "app": theirs, "mock": spec.against.mock, "against": None
    })  # fmt: skip
    try:
        async with AsyncExitStack() as stack:
            sides = (await _side(_apart(spec, "turns"), plan, stack),
                     await _side(_apart(baseline, "turns-baseline"), plan, stack))  # fmt: skip
            race = _Race(plan, body_chunks, *sides, random)
            await race.run(spec, monotonic() + spec.latency_seconds)
            return Turns(race.pairs())
    except WiretapeError as error:
        return Turns(note=f"response times were not compared with the baseline: {error.problem}")


_ONE_PORT = "both want one port; write {port} for it in the baseline's command, or give a running instance by its URL"


def _same_port(ours: AppSpec | None, theirs: AppSpec) -> bool:
    return ours is not None and ours.port is not None and ours.port == theirs.port


def moved(app: AppSpec, port: int) -> AppSpec | None:
    """The app on another port, where its command or its variables name the one it has; None where they do not."""
    named = re.compile(rf"(?<!\d){app.port}(?!\d)")
    command = tuple(named.sub(str(port), word) for word in app.command)
    env = {name: named.sub(str(port), value) for name, value in app.env.items()}
    if (command, env) == (app.command, app.env):
        return None
    return app.model_copy(update={"command": command, "env": env, "port": port})


def _apart(spec: ReplaySpec, side: str) -> ReplaySpec:
    """The same with journals and logs of its own: those of the run's pass are evidence."""
    mock = spec.mock and spec.mock.model_copy(update={"journal": None})
    app = spec.app
    if app is not None and app.log is not None:
        app = app.model_copy(update={"log": app.log.with_suffix(f".{side}{app.log.suffix}")})
    return spec.model_copy(update={"mock": mock, "app": app})


@dataclass(slots=True)
class _Side:
    client: Client
    values: dict[int, LiveSession]

    async def send(self, exchange: Exchange, body_chunks: BodyChunks, *, learn: bool) -> Answer:
        values = self.values[exchange.sequence]
        request, recorded = values.prepare(exchange, time_ns()), exchange.request.body.sha256
        large = request.body.data is None
        answer = await self.client.send(request, (lambda: body_chunks(recorded)) if large else None)
        if learn and answer.response is not None:
            values.observe(exchange, answer.response)
        return answer


async def _side(spec: ReplaySpec, plan: Plan, stack: AsyncExitStack) -> _Side:
    target = await stack.enter_async_context(staged(spec, lambda _: None))
    client = Client(target.url, spec.timeout)
    stack.push_async_callback(client.close)
    shared: dict[str, LiveSession] = {}
    return _Side(client, {
        one.sequence: shared.setdefault(plan.sessions[one.sequence], plan.session(target.netloc, "turns"))
        for one in plan.selection.exchanges
    })  # fmt: skip


@dataclass(slots=True)
class _Race:
    plan: Plan
    body_chunks: BodyChunks
    app: _Side
    baseline: _Side
    random: Random
    times: defaultdict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))

    async def run(self, spec: ReplaySpec, until: float) -> None:
        """One pass of everything where both are started afresh, then what changes nothing, again and again."""
        assert spec.against is not None
        afresh = spec.target is None and spec.against.target is None
        first = list(self._measurable(self.plan.selection.exchanges, writes=afresh))
        for exchange in first:
            await self._pair(exchange)
        again = [one for one in first if one.command in SAFE]
        while again and monotonic() < until:
            again = [one for one in again if len(self.times[self.plan.route(one)]) < WANTED]
            for exchange in again:
                if monotonic() < until:
                    await self._pair(exchange)

    def pairs(self) -> dict[str, Pairs]:
        """By route; the first of several is warm-up."""
        measured = {route: pairs[1:] if len(pairs) > 1 else pairs for route, pairs in self.times.items() if pairs}
        return {route: Pairs(tuple(one for one, _ in pairs), tuple(two for _, two in pairs))
                for route, pairs in sorted(measured.items())}  # fmt: skip

    def _measurable(self, exchanges: Sequence[Exchange], *, writes: bool) -> Iterator[Exchange]:
        """A running instance is not written to, and knows no value that only a write would have made."""
        left: set[int] = set()
        for one in exchanges:
            needs = set(self.plan.bindings.producers(one.sequence))
            if one.duration_us > LONGEST_US or needs & left or not (writes or one.command in SAFE):
                left.add(one.sequence)
            else:
                yield one

    async def _pair(self, exchange: Exchange) -> None:
        """Both once, in an order that is drawn: then a swap of the two is as likely as what happened."""
        learn = exchange.sequence in self.plan.needed
        order = [self.app, self.baseline]
        if self.random.random() < 0.5:
            order.reverse()
        answers = {id(side): await side.send(exchange, self.body_chunks, learn=learn) for side in order}
        ours, theirs = answers[id(self.app)], answers[id(self.baseline)]
        await asyncio.sleep(0)
        if ours.response is None or theirs.response is None or ours.latency_ms is None or theirs.latency_ms is None:
            return
        if ours.response.status == theirs.response.status:  # else they did not do the same work
            self.times[self.plan.route(exchange)].append((ours.latency_ms, theirs.latency_ms))
