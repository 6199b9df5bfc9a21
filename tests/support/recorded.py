"""Recordings written by hand: exchanges in two lines, and a replay of them against another instance of a pure app."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from wiretape_capture.snapshot.exchange import Body, Direction, Exchange, Request, Response
from wiretape_replay.bindings.live import LiveSession
from wiretape_replay.bindings.plan import find_bindings
from wiretape_replay.compare.difference import Comparison
from wiretape_replay.compare.noise import NoiseModel
from wiretape_replay.compare.response import compare
from wiretape_replay.formats import Window
from wiretape_replay.routes import RouteTable

RECORDED_NS = 1_790_000_000 * 10**9
LIVE_NS = RECORDED_NS + 3 * 86_400 * 10**9
LIVE = Window(LIVE_NS, LIVE_NS + 60 * 10**9)
NO_PLAN = find_bindings([])
QUIET = NoiseModel(Window(RECORDED_NS, RECORDED_NS + 60 * 10**9), NO_PLAN)

type App = Callable[[Request, int], Response]
"""Answers a request at a time in nanoseconds."""


def body(value: Any) -> Body:
    """A body of bytes, text, or anything else as JSON."""
    data = value if isinstance(value, bytes) else (value if isinstance(value, str) else json.dumps(value)).encode()
    return Body(size=len(data), sha256=sha256(data).hexdigest(), data=data)


def request(method: str, target: str, value: Any = None, **headers: str) -> Request:
    """A request; a value that is given becomes its JSON body."""
    pairs = [("Host", "127.0.0.1:8000"), *((name.replace("_", "-"), text) for name, text in headers.items())]
    if value is None:
        return Request(method=method, target=target, headers=tuple(pairs))
    sent = body(value)
    if "content_type" not in headers:
        pairs.append(("Content-Type", "application/json"))
    pairs.append(("Content-Length", str(sent.size)))
    return Request(method=method, target=target, headers=tuple(pairs), body=sent)


def response(value: Any = None, status: int = 200, **headers: str) -> Response:
    """A response; `content_type` is JSON unless given."""
    pairs = [(name.replace("_", "-"), text) for name, text in headers.items()]
    if value is None:
        return Response(status=status, headers=tuple(pairs))
    if "content_type" not in headers:
        pairs.append(("Content-Type", "application/json"))
    return Response(status=status, headers=tuple(pairs), body=body(value))


def exchange(sequence: int, sent: Request, answer: Response | None, **more: Any) -> Exchange:
    """An inbound exchange, a tenth of a second after the one before."""
    fields: dict[str, Any] = {
        "direction": Direction.INBOUND,
        "service": "127.0.0.1:8000",
        "command": sent.method,
        "location": sent.target,
        "status": str(answer.status) if answer else "",
        "started_ns": RECORDED_NS + sequence * 100_000_000,
        "duration_us": 5_000,
        "connection": "c1",
    }
    return Exchange(sequence=sequence, request=sent, response=answer, **(fields | more))


def compare_bodies(expected: Any, actual: Any, noise: NoiseModel = QUIET, **headers: str) -> Comparison:
    """Compare two answers to GET /things."""
    recorded = exchange(1, request("GET", "/things"), response(expected, 200, **headers))
    answer = response(actual, 200, **headers)
    return compare(recorded, answer, route="GET /things", noise=noise, session=None, live_window=LIVE)


@dataclass
class Replay:
    """A recording of an app and its replay against another app, all in memory."""

    exchanges: list[Exchange]
    sent: list[Request] = field(default_factory=list)
    live: dict[int, Response] = field(default_factory=dict)
    blocked: dict[int, int] = field(default_factory=dict)
    comparisons: dict[int, Comparison] = field(default_factory=dict)
    session: LiveSession = field(default_factory=lambda: LiveSession(NO_PLAN))

    @property
    def found(self) -> list[tuple[int, str, str]]:
        """Each difference that is an error: sequence, class, exact place."""
        return [(sequence, each.kind.value, each.at) for sequence, comparison in sorted(self.comparisons.items())
                for each in comparison.differences if each.severity == "error"]  # fmt: skip


def record(app: App, script: Sequence[Request | Callable[[Mapping[int, Response]], Request]]) -> list[Exchange]:
    """Record requests, some of them made from earlier answers, against an app."""
    answers: dict[int, Response] = {}
    exchanges = []
    for sequence, step in enumerate(script, 1):
        sent = step if isinstance(step, Request) else step(answers)
        answers[sequence] = app(sent, RECORDED_NS + sequence * 100_000_000)
        exchanges.append(exchange(sequence, sent, answers[sequence]))
    return exchanges


def replay(exchanges: list[Exchange], app: App, *, target: str = "127.0.0.1:9000", seed: str | None = None) -> Replay:
    """Replay a recording as one session against an app that runs days later on another port."""
    plan = find_bindings(exchanges)
    routes = RouteTable.infer((each.command, each.request.target) for each in exchanges)
    noise = NoiseModel.learn(exchanges, plan, routes=routes)
    result = Replay(exchanges, session=LiveSession(plan, target=target, seed=seed))
    for each in exchanges:
        if (producer := result.session.missing(each)) is not None:
            result.blocked[each.sequence] = producer
            continue
        sent = result.session.prepare(each)
        result.sent.append(sent)
        result.live[each.sequence] = app(sent, LIVE_NS + each.sequence * 10_000_000)
        result.session.observe(each, result.live[each.sequence])
    for each in exchanges:
        if each.sequence in result.live:
            result.comparisons[each.sequence] = compare(
                each, result.live[each.sequence], route=routes.route(each.command, each.request.target), noise=noise,
                session=result.session, live_window=LIVE,
            )  # fmt: skip
    return result
