"""Which numbers in recorded calls to services the app had made itself, such as the id of the order it had just created.

Proven by the recording: the app gave the number out in an answer of its own, and neither its callers nor a service had
it first. Built at load, never stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from wiretape_capture.snapshot.exchange import Direction, Exchange, Protocol, Request
from wiretape_replay.bindings.messages import request_tokens, response_tokens
from wiretape_replay.bindings.plan import find_bindings
from wiretape_replay.bindings.replacements import Replacements
from wiretape_replay.bindings.rewrite import Placed, rewrite_request
from wiretape_replay.bindings.tokens import Place, Token
from wiretape_replay.formats import format_of
from wiretape_replay.match.index import Index
from wiretape_replay.match.knowledge import Key
from wiretape_replay.match.parts import Parts, parts_of
from wiretape_replay.match.volatile import mask

BLANK = "0"
"""Stands for every number that the app made, also where JSON wants a number."""

type Spots = tuple[tuple[Place, str], ...]
"""Where such numbers stand in a request, each with its noun."""


@dataclass(frozen=True, slots=True)
class Numbered:
    """A recorded call that carries numbers of the app."""

    sequence: int
    values: tuple[str, ...]
    created: tuple[bool, ...]
    """For each, whether the exchange that made the call was the one that created it."""
    owners: frozenset[int]
    """Inbound exchanges that were being answered when it was made."""


@dataclass(slots=True)
class Serials:
    """The numbered calls of one recording."""

    groups: dict[tuple[str, str], dict[Spots, dict[object, list[Numbered]]]] = field(default_factory=dict)
    """By service and method, by where the numbers stand, by the request without them."""
    mentions: dict[int, frozenset[Key]] = field(default_factory=dict)
    """Numbers of the app that stand in a service's answer."""
    wants: frozenset[int] = frozenset()
    """Inbound exchanges that create such numbers or make such calls."""


def learn_serials(index: Index, exchanges: Iterable[Exchange]) -> Serials:
    """Find the numbered calls."""
    ordered = sorted(exchanges, key=lambda each: each.sequence)
    learner = SerialsLearner(index, [each for each in ordered if each.direction is Direction.INBOUND])
    for call in ordered if learner.any else ():
        if call.direction is Direction.OUTBOUND:
            learner.see(call)
    return learner.learned()


class SerialsLearner:
    """Finds the numbered calls, one call after another in recorded order."""

    def __init__(self, index: Index, inbound: Iterable[Exchange]) -> None:
        self._index = index
        self._inbound = [each for each in inbound if each.protocol is Protocol.HTTP]
        self._born = {key: sequence for key, sequence in find_bindings(self._inbound).born.items() if is_number(*key)}
        self._started = {each.sequence: each.started_ns for each in self._inbound}
        self._serials = Serials()
        self._ours: set[Key] = set()
        self._theirs: set[Key] = set()
        self._wants: set[int] = set()

    @property
    def any(self) -> bool:
        """Whether the app gave out any number; if not, no call needs to be seen."""
        return bool(self._born)

    def see(self, call: Exchange) -> None:
        """One more outbound call."""
        if call.protocol is not Protocol.HTTP:
            return
        born = self._born
        found = [(token, key) for token in request_tokens(call.request) if (key := _key(token, born)) is not None
                 and key not in self._theirs and self._started[born[key]] <= call.started_ns]  # fmt: skip
        if found:
            owners = frozenset(_owners(call, self._inbound))
            # Of several that were under way, the one that created the number made the call.
            owners = owners & {born[key] for _, key in found} or owners
            _add(self._serials, self._index, call, found, owners, born)
            self._ours.update(key for _, key in found)
            self._wants |= owners | {born[key] for _, key in found}
        if call.response is not None:
            told = {key for token in response_tokens(call.request, call.response) for key in token.keys}
            self._theirs |= told - self._ours
            if mentioned := told & self._ours:
                self._serials.mentions[call.sequence] = frozenset(mentioned)

    def learned(self) -> Serials:
        """What was found."""
        self._serials.wants = frozenset(self._wants)
        return self._serials


def is_number(noun: str, value: str) -> bool:
    """A serial number under its noun, or a code with one in it such as `ORD-1001`."""
    return value.isdecimal() if noun else any(map(str.isdigit, value)) and format_of(value) is None


def spots_of(request: Request) -> dict[Place, Token]:
    """The tokens of a live request by place."""
    return {token.place: token for token in request_tokens(request)}


def blank_key(service: str, request: Request, spots: Spots, tokens: dict[Place, Token]) -> object:
    """What is left of a request without its numbers and its volatile leaves."""
    placed = [Placed(place, tokens[place].value, BLANK) for place, _ in spots]
    parts = renumbered_parts(service, request, placed)
    masked = mask(parts)
    return masked.key if masked is not None else parts.exact


def renumbered_parts(service: str, request: Request, placed: Sequence[Placed]) -> Parts:
    """The parts of a request with other numbers in it."""
    other = rewrite_request(request, Replacements(), placed)
    return parts_of(service, other.method, other.target, other.headers, other.body)


def _key(token: Token, born: dict[Key, int]) -> Key | None:
    return next((key for key in token.keys if key in born), None)


def _owners(call: Exchange, inbound: Iterable[Exchange]) -> Iterable[int]:
    for each in inbound:
        if each.started_ns <= call.started_ns <= each.started_ns + each.duration_us * 1000:
            yield each.sequence


def _add(serials: Serials, index: Index, call: Exchange, found: list[tuple[Token, Key]], owners: frozenset[int],
         born: dict[Key, int]) -> None:  # fmt: skip
    service = index.service(call.scheme, call.service)
    found = list({token.place: (token, key) for token, key in found}.values())
    spots = tuple((token.place, key[0]) for token, key in found)
    tokens = {token.place: token for token, _ in found}
    numbered = Numbered(
        call.sequence, tuple(token.value for token, _ in found), tuple(born[key] in owners for _, key in found), owners
    )
    by_spots = serials.groups.setdefault((service, call.request.method), {})
    by_spots.setdefault(spots, {}).setdefault(blank_key(service, call.request, spots, tokens), []).append(numbered)
