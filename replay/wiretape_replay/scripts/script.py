"""A recording as steps that any load tool can play: sessions in order, think times, and values taken from answers.

Pure. What is followed here is what a short script can follow: JSON fields, cookies, headers and parts of a redirect,
put into paths, queries, headers, cookies and bodies. Values inside of other texts (base64, tokens) stay as recorded
and are counted.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from wiretape_capture.protocols.http import media_type
from wiretape_capture.snapshot.exchange import Exchange, Protocol, Request
from wiretape_replay.bindings.plan import BindingPlan, Edge, find_bindings
from wiretape_replay.bindings.replacements import Replacements
from wiretape_replay.bindings.rewrite import Placed, rewrite_request
from wiretape_replay.bindings.tokens import Place
from wiretape_replay.routes import RouteTable
from wiretape_replay.sessions import assign_clients

NOT_SENT = frozenset({
    "host", "content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer", "upgrade", "expect",
})  # fmt: skip
"""Headers that belong to a connection or a framing: the load tool makes its own."""
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Take:
    """One value that an answer brings: `part` is `body` (JSON Pointer), `cookie`, `header`, `path` or `query`.

    `path` and `query` are those of the Location header: segment number and parameter name.
    """

    name: str
    part: str
    at: str


@dataclass(frozen=True, slots=True)
class Step:
    """One request; `{name}`s of taken and fresh values stand in target, headers and body as they are."""

    route: str
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: str
    encoding: str
    """How values go into the body: `json`, `form`, `text`; `base64` is a body of bytes, in which nothing is put."""
    wait: float
    """Seconds after the answer before; for a session's first step after the recording began."""
    status: int
    takes: tuple[Take, ...] = ()


@dataclass(slots=True)
class Script:
    """What a load tool is told."""

    snapshot: str
    sessions: list[list[Step]] = field(default_factory=list)
    in_order: list[Step] = field(default_factory=list)
    """All steps as they were recorded."""
    fresh: dict[str, str] = field(default_factory=dict)
    """Values that the client makes anew in each session: name to the recorded one, whose form they have."""
    as_recorded: int = 0
    """Bound values of requests that stay as recorded because a script cannot follow them."""
    left_out: int = 0
    """Inbound exchanges that are no HTTP requests with a whole body."""

    @property
    def requests(self) -> int:
        """How many requests one playing sends."""
        return len(self.in_order)

    def as_json(self) -> list[list[dict[str, Any]]]:
        """The sessions as plain values, empty ones left out."""
        return [[_plain(step) for step in session] for session in self.sessions]


def script_of(snapshot: str, inbound: Sequence[Exchange], routes: Iterable[str] = (), *, follow: bool = True) -> Script:
    """The script of a recording's inbound exchanges; those whose body is not loaded cannot be sent.

    Without `follow` every value is as recorded.
    """
    sendable = [one for one in inbound if one.protocol is Protocol.HTTP and one.request.body.data is not None]
    ordered = sorted(sendable, key=lambda one: one.sequence)
    script = Script(snapshot, left_out=len(inbound) - len(ordered))
    if not ordered:
        return script
    table = RouteTable.infer(((one.command, one.request.target) for one in ordered), tuple(routes))
    plan = find_bindings(ordered)
    writer = _Writer(script, plan, follow=follow)
    sessions = assign_clients(ordered, plan)
    begin = min(one.started_ns for one in ordered)
    ends: dict[str, int] = {}
    steps: dict[str, list[Step]] = {}
    for one in ordered:
        name = sessions[one.sequence]
        wait = max(one.started_ns - ends.get(name, begin), 0) / 1e9
        ends[name] = one.started_ns + one.duration_us * 1000
        step = writer.step(one, table.route(one.command, one.request.target), wait)
        steps.setdefault(name, []).append(step)
        script.in_order.append(step)
    script.sessions = list(steps.values())
    return script


class _Writer:
    """Writes steps; names of values are the same in every step."""

    def __init__(self, script: Script, plan: BindingPlan, *, follow: bool) -> None:
        self._script = script
        self._plan = plan
        self._follow = follow
        self._taken: dict[tuple[int, Place], str] = {}
        self._fresh: dict[str, str] = {}
        self._takes: dict[int, list[Take]] = {}
        for edge in plan.edges if follow else ():
            self._name(edge)

    def _name(self, edge: Edge) -> None:
        key = (edge.producer, edge.produced_at)
        spot = _spot(edge.produced_at)
        if key in self._taken or spot is None:
            return
        name = self._taken[key] = f"__taken_{len(self._taken) + 1}__"
        self._takes.setdefault(edge.producer, []).append(Take(name, *spot))

    def step(self, exchange: Exchange, route: str, wait: float) -> Step:
        """One exchange as a step."""
        request = self._written(exchange)
        body, encoding = _body(request)
        headers = tuple((n, v) for n, v in request.headers if n.lower() not in NOT_SENT and not n.startswith(":"))
        status = exchange.response.status if exchange.response else 0
        takes = tuple(self._takes.get(exchange.sequence, ()))
        return Step(route, request.method, request.target, headers, body, encoding, round(wait, 3), status, takes)

    def _written(self, exchange: Exchange) -> Request:
        """The request with names in the place of values."""
        everywhere = Replacements()
        for value in self._plan.client.values.get(exchange.sequence, ()) if self._follow else ():
            everywhere.put(value, self._fresh_name(value))
        placed = list(self._placed(exchange.sequence))
        request = rewrite_request(exchange.request, everywhere, placed)
        written = _text(request)
        followed = {each.place.outer for each in placed if each.live in written}
        carried = {edge.consumed_at.outer for edge in self._plan.by_consumer.get(exchange.sequence, ())}
        self._script.as_recorded += len(carried - followed)
        return request

    def _placed(self, sequence: int) -> Iterator[Placed]:
        for edge in self._plan.by_consumer.get(sequence, ()):
            name = self._taken.get((edge.producer, edge.produced_at))
            if name is not None:
                yield Placed(edge.consumed_at, edge.value, name)

    def _fresh_name(self, value: str) -> str:
        name = self._fresh.setdefault(value, f"__fresh_{len(self._fresh) + 1}__")
        self._script.fresh[name] = value
        return name


def _spot(place: Place) -> tuple[str, str] | None:
    """Where a script finds a value in an answer; None for what it cannot read."""
    if place.within or place.name.startswith("<"):
        return None
    if place.part == "header" and place.name.startswith("location/"):
        _, part, name = place.name.split("/", 2)
        return part, name
    if place.part == "header" and place.name.startswith("link/"):
        return None
    return place.part, place.name


def _text(request: Request) -> str:
    """All that was written, to see which names are in it."""
    data = (request.body.data or b"").decode("latin-1")
    return "\n".join([request.target, *(value for _, value in request.headers), data])


def _body(request: Request) -> tuple[str, str]:
    data = request.body.data or b""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return base64.b64encode(data).decode(), "base64"
    media = media_type(request.headers)
    if "json" in media:
        return text, "json"
    return text, "form" if media == FORM else "text"


def _plain(step: Step) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "name": step.route, "method": step.method, "target": step.target, "headers": list(step.headers),
        "body": step.body, "encoding": step.encoding, "wait": step.wait, "status": step.status,
        "takes": [{"name": take.name, "part": take.part, "at": take.at} for take in step.takes],
    }  # fmt: skip
    return {key: value for key, value in plain.items() if value not in ("", 0, [], 0.0) and value != "text"}
