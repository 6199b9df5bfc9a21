"""A step of a script made ready for sending: its bytes, what answer is expected, what has to be looked at. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from wiretape_capture.protocols.http import SAFE
from wiretape_capture.snapshot.exchange import Exchange
from wiretape_replay.bindings.plan import BindingPlan, Edge
from wiretape_replay.load.head import Head
from wiretape_replay.load.lesson import Lesson, lesson_of
from wiretape_replay.load.script import Script, Step
from wiretape_replay.load.template import Template
from wiretape_replay.load.times import Times

IDEMPOTENT = SAFE | {"PUT", "DELETE"}
"""Methods that may be sent again on a connection that was found closed (RFC 9110 §9.2.2)."""


@dataclass(slots=True)
class Item:
    """One request of a session, with what every clone of it shares."""

    exchange: Exchange
    sequence: int
    index: int
    waits: frozenset[int]
    think_ns: int
    route: int
    """Number of its route."""
    template: Template | None
    """How its bytes come about; None: the binding engine builds each request."""
    data: bytes | None
    """The bytes themselves where they are always the same."""
    needs: frozenset[int]
    """Exchanges of its session whose answers may hold values that it carries."""
    learns: bool
    """Whether later requests carry values of its answer."""
    lesson: Lesson | None
    """How to learn them; None: the binding engine looks at the whole answer."""
    head: bool
    """Whether its answer has no body whatever its head says."""
    again: bool
    status: int
    body: bytes | None
    """The recorded body; None where it is too large for memory."""
    size: int
    sha256: str
    fresh: bool
    """Whether it carries values that the client makes anew."""
    follows: bool
    """Whether it waits for the request before it, and for no other."""
    carry: int
    """Number of what it carries: requests of one session with the same number have the same values in them."""
    reply: Template | None = None
    """The recorded body with places for values that may have become others; None where it holds none."""
    reply_carry: int = 0
    """Number of these values, as in `carry`."""
    then: Item | None = None
    """What is sent as soon as its answer is there."""
    times: Times = field(default_factory=lambda: Times(0))
    """Where response times of its route are noted."""
    seen: Head | None = None
    """How its answers began last."""
    whole: bytes | None = None
    """The recorded answer as it came last, with its head."""
    counts: list[int] | None = None
    """Where outcomes are counted just now."""
    equals: int = 0
    """Answers that were equal byte for byte."""
    suspects: Counter[int] = field(default_factory=Counter)
    """Answers kept although their session is not compared in full, by status."""


@dataclass(slots=True)
class Making:
    """Makes items of scripts, with what all of them share."""

    routes: Mapping[int, int]
    """The number of each exchange's route."""
    templates: Mapping[int, Template | None]
    replies: Mapping[int, Template | None]
    plan: BindingPlan
    _numbers: dict[object, int] = field(default_factory=dict)

    def items(self, script: Script) -> list[Item]:
        """The items of a script."""
        own = {step.exchange.sequence for step in script.steps}
        born: dict[int, list[Edge]] = {}
        for edge in (edge for sequence in own for edge in self.plan.by_consumer.get(sequence, ())):
            born.setdefault(edge.producer, []).append(edge)
        return [self._item(step, own, born.get(step.exchange.sequence, ())) for step in script.steps]

    def _item(self, step: Step, own: set[int], born: Sequence[Edge]) -> Item:
        exchange, sequence, plan = step.exchange, step.exchange.sequence, self.plan
        response, template = exchange.response, self.templates[step.exchange.sequence]
        assert response is not None  # what has no response is not selected
        needs, reply = frozenset(own.intersection(plan.producers(sequence))), self.replies[sequence]
        return Item(
            exchange=exchange, sequence=sequence, index=step.index, waits=step.waits, think_ns=step.think_ns,
            route=self.routes[sequence], template=template, data=template.whole if template else None,
            needs=needs, learns=bool(born), lesson=lesson_of(exchange, born, plan) if born else None,
            head=exchange.command == "HEAD", again=exchange.command in IDEMPOTENT, status=response.status,
            body=b"" if exchange.command == "HEAD" else response.body.data, size=response.body.size,
            sha256=response.body.sha256, fresh=sequence in plan.client.values,
            follows=step.waits == {step.index - 1}, carry=self._number(_carried(sequence, template, needs, plan)),
            reply=reply, reply_carry=self._number(_filled(reply)),
        )  # fmt: skip

    def _number(self, what: object) -> int:
        return self._numbers.setdefault(what, len(self._numbers))


def _carried(sequence: int, template: Template | None, needs: frozenset[int], plan: BindingPlan) -> object:
    """Everything that the values of a request depend on beside what its session has learned."""
    edges = [(edge.noun, edge.value, edge.producer, edge.needed) for edge in plan.by_consumer.get(sequence, ())]
    return _filled(template), tuple(edges), plan.client.values.get(sequence, ()), needs


def _filled(template: Template | None) -> object:
    return template and (template.keys, template.places, template.in_body, template.fixed)
