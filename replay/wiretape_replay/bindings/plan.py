"""Bindings: which response gave birth to a value that a later request carries on. Found without any rule of a user.

A value is bound when a response had it first, no earlier request did, and a later request has it: distinctive values
wherever they stand, others only under the same noun.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

from wiretape_capture.protocols.http import SAFE, split_target
from wiretape_capture.snapshot.exchange import Exchange
from wiretape_replay.bindings.client_values import ClientValues, client_values
from wiretape_replay.bindings.messages import request_tokens, response_tokens
from wiretape_replay.bindings.naming import naming
from wiretape_replay.bindings.tokens import UNKNOWN, Naming, Place, Token, is_digest_name, is_id_name, is_secret_name
from wiretape_replay.formats import TIMED
from wiretape_replay.leaves import leaf_name
from wiretape_replay.masks import pieces

_WORD = 11
"""Letters that a word has at most; a longer run of them may well be a token without a digit."""


@dataclass(frozen=True, slots=True)
class Edge:
    """One value on its way from a response to a request."""

    producer: int
    produced_at: Place
    consumer: int
    consumed_at: Place
    value: str
    noun: str
    """Empty for a distinctive value."""
    needed: bool
    """Whether the consumer cannot do without it; a plain id read from a list may well be a constant."""


@dataclass(frozen=True, slots=True)
class BindingPlan:
    """The bindings of a recording."""

    edges: tuple[Edge, ...]
    by_consumer: dict[int, tuple[Edge, ...]] = field(default_factory=dict, repr=False)
    born: dict[tuple[str, str], int] = field(default_factory=dict, repr=False)
    """The exchange whose response had each value first, by (noun, value); nothing that a client knew before."""
    client: ClientValues = field(default_factory=ClientValues, repr=False)
    """What the client made for itself and could make anew."""
    used: frozenset[str] = frozenset()
    """Values of answers that later requests carried, and the nouns of such values."""
    names: Naming = UNKNOWN

    def producers(self, sequence: int) -> tuple[int, ...]:
        """The exchanges whose answers this one needs, directly."""
        return tuple(sorted({edge.producer for edge in self.by_consumer.get(sequence, ())}))

    def is_issued(self, command: str, token: Token) -> bool:
        """Whether an app may hand out another value in a value's place, so that a change of it can be a binding.

        It may where the value is random by its form, where a write's answer names it as an identifier or a secret,
        and where clients used it or its like. A plan or a host name that merely reads like a code is data, and so is a
        word that is only read, though later requests carry it.
        """
        if any(name is not None and name not in TIMED for _, name in pieces(token.value)):
            return not is_digest_name(leaf_name(token.place.name))
        if command in SAFE and token.value.isalpha() and len(token.value) <= _WORD:
            return False
        if token.value in self.used or not self.used.isdisjoint(token.nouns):
            return True
        name = leaf_name(token.place.name) if token.place.part == "body" else token.place.name
        named = token.place.part in ("cookie", "header") or is_id_name(name) or is_secret_name(name)
        return named and command not in SAFE

    def closure(self, sequences: Iterable[int]) -> tuple[int, ...]:
        """These exchanges and all that they depend on, in order."""
        wanted: set[int] = set()
        pending = list(sequences)
        while pending:
            if (sequence := pending.pop()) not in wanted:
                wanted.add(sequence)
                pending.extend(self.producers(sequence))
        return tuple(sorted(wanted))


def find_bindings(exchanges: Sequence[Exchange]) -> BindingPlan:
    """The bindings among exchanges of one direction."""
    born: dict[tuple[str, str], tuple[Exchange, Token]] = {}
    known: set[tuple[str, str]] = set()
    edges: list[Edge] = []
    by_consumer: dict[int, tuple[Edge, ...]] = {}
    names = naming(exchanges)
    for exchange in sorted(exchanges, key=lambda each: each.sequence):
        found = _carried(exchange, born, known, names)
        edges += found
        if found:
            by_consumer[exchange.sequence] = tuple(found)
        if exchange.response is None or exchange.response.status >= 400:
            continue
        carried, asked = {edge.value for edge in found}, _asked(exchange)
        for token in response_tokens(exchange.request, exchange.response, names=names):
            if exchange.command != "POST" and (token.value in carried or token.value in asked):
                continue  # an echo of what it acts on, whatever it is called here
            for key in token.keys:
                if key not in known and key not in born:
                    born[key] = (exchange, token)
    client = client_values(exchanges, (value for noun, value in born if not noun))
    used = {edge.value for edge in edges}
    used |= {noun for edge in edges for noun in born[edge.noun, edge.value][1].nouns}
    births = {key: birth.sequence for key, (birth, _) in born.items()}
    return BindingPlan(tuple(edges), by_consumer, births, client, frozenset(used), names)


def _asked(exchange: Exchange) -> frozenset[str]:
    """What a client put into the target of its request: it knew that before."""
    path, pairs = split_target(exchange.request.target)
    return frozenset([*unquote(path).split("/"), *(value for _, value in pairs)])


def _carried(exchange: Exchange, born: dict[tuple[str, str], tuple[Exchange, Token]],
             known: set[tuple[str, str]], names: Naming) -> list[Edge]:  # fmt: skip
    """The edges into one request. What is carried as a whole is not looked into; what is not is known to the client."""
    edges: list[Edge] = []
    whole: set[Place] = set()
    for token in request_tokens(exchange.request, names):
        above = (Place(token.place.part, token.place.name, token.place.within[:n])
                 for n in range(len(token.place.within)))  # fmt: skip
        if not whole.isdisjoint(above):
            continue
        edge = _edge(exchange, token, born)
        if edge is None:
            known.update(key for key in token.keys if key not in born)
        else:
            whole.add(token.place)
            edges.append(edge)
    return edges


def _edge(exchange: Exchange, token: Token, born: dict[tuple[str, str], tuple[Exchange, Token]]) -> Edge | None:
    for noun, value in token.keys:
        producer, origin = born.get((noun, value), (None, None))
        if producer and origin and _ended_before(producer, exchange):
            carried = origin.place.part in ("cookie", "header") or origin.place.name.startswith("<")
            needed = producer.command not in SAFE or carried
            return Edge(producer.sequence, origin.place, exchange.sequence, token.place, value, noun, needed)
    return None


def _ended_before(producer: Exchange, consumer: Exchange) -> bool:
    return producer.started_ns + producer.duration_us * 1000 <= consumer.started_ns or producer.duration_us == 0
