"""A session under replay: what each recorded value has become, put into later requests in place of the recorded one.

It learns from each live answer by position, and only where the recorded value is gone from the answer: a list that
merely came in another order teaches nothing wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache, partial

from pydantic import JsonValue

from wiretape_capture.protocols.http import SAFE, split_target
from wiretape_capture.snapshot.exchange import Exchange, Request, Response
from wiretape_replay.bindings.client_values import at_now, made_anew
from wiretape_replay.bindings.forms import is_readable
from wiretape_replay.bindings.messages import response_tokens
from wiretape_replay.bindings.plan import BindingPlan, Edge
from wiretape_replay.bindings.renumber import partners
from wiretape_replay.bindings.replacements import Replacements
from wiretape_replay.bindings.rewrite import Placed, rewrite_request, rewrite_text
from wiretape_replay.bindings.tokens import Place, Token, nouns_of
from wiretape_replay.content import Content, read_content
from wiretape_replay.formats import format_of
from wiretape_replay.leaves import join, split
from wiretape_replay.masks import drawn_apart, same_make

type Key = tuple[str, str]
"""The noun, empty for a distinctive value, and the value."""

type Sign = Callable[[Exchange, Request, Callable[[str, str], str]], Request]
"""Signs a request again; it is told what a claim (name, text) has become."""


class LiveSession:
    """One recorded session while it is replayed."""

    def __init__(self, plan: BindingPlan, *, target: str = "", processes: Collection[int] = (),
                 seed: str | None = None, sign: Sign | None = None) -> None:  # fmt: skip
        """`target` is the live app's `host:port`, and `processes` its process ids, where the app is ours: answers may
        name them where the recording named its own.

        With a `seed`, what the client made for itself is made anew from it; `sign` signs what was changed.
        """
        self._plan = plan
        self._seed = seed
        self._sign = sign
        self.target = target
        self.processes = processes
        self._learned: dict[Key, str] = {}
        self._first: dict[Key, str] = {}
        self._now, self._then = Replacements(), Replacements()
        """Distinctive values as learned last, and as learned first; those of `_unspelt` are yet to be put in."""
        self._unspelt: set[str] = set()
        self._fresh: set[int] = set()
        self._stable: set[Key] = set()
        """Values that came again unchanged: whatever else stands in their place is wrong, not new."""
        self._sent: dict[Edge, str] = {}
        self._numbers: dict[int, dict[Key, str]] = {}

    def prepare(self, exchange: Exchange, now_ns: int | None = None) -> Request:
        """The recorded request with live values in place of recorded ones and its content length corrected.

        Clocks of the client read `now_ns`; without it they stay as recorded.
        """
        self.make_anew(exchange)
        placed = []
        for edge in self._plan.by_consumer.get(exchange.sequence, ()):
            live = self._learned.get((edge.noun, edge.value))
            if live is None:
                continue
            self._sent[edge] = live
            if (edge.noun or edge.consumed_at.within) and live != edge.value:
                placed.append(Placed(edge.consumed_at, edge.value, live))
        self._spell()
        request = rewrite_request(exchange.request, self._now, placed)
        clocks = self._plan.client.clocks.get(exchange.sequence) if self._seed is not None else None
        if clocks and now_ns is not None:
            headers = at_now(request.headers, clocks, exchange.started_ns, now_ns)
            request = request.model_copy(update={"headers": headers})
        return self._sign(exchange, request, self._claim) if self._sign else request

    def make_anew(self, exchange: Exchange) -> None:
        """Make the values anew that the client made for itself in this request."""
        recorded = self._plan.client.values.get(exchange.sequence, ()) if self._seed is not None else ()
        for value in recorded:
            if (made := made_anew(value, self._seed or "")) is not None:
                self.assume(("", value), made)

    def _claim(self, name: str, text: str) -> str:
        """What a claim of a token that the client made has become; its subject is a user."""
        nouns = ("", *nouns_of("user_id" if name in ("sub", "uid") else name, [name], ""))
        return next((self._learned[noun, text] for noun in nouns if (noun, text) in self._learned), text)

    def observe(self, exchange: Exchange, response: Response) -> None:
        """Learn what recorded values became in this answer."""
        if exchange.response is None or response.status >= 400:
            return
        ours = read_content(exchange.response.headers, exchange.response.body)
        recorded = response_tokens(exchange.request, exchange.response, ours, self._plan.names)
        theirs = read_content(response.headers, response.body)
        live = response_tokens(exchange.request, response, theirs, self._plan.names)
        places = {token.place: token for token in live}
        values, before = _keys(live), _keys(recorded)
        path = split_target(exchange.request.target)[0]
        moves = _moves(ours, theirs, partial(self._known, path)) if ours.tree != theirs.tree else Moves({}, frozenset())
        for token in recorded:
            partner = places.get(moves.place(token.place))
            renumbered = partner is not None and not token.distinctive and moves.renumbered(token.place)
            if not values.isdisjoint(token.keys) and not renumbered and not self._began_anew(token):
                self._learn(exchange, token, token.value)
            elif partner and (renumbered or self._became(exchange, token, partner, before)):
                self._learn(exchange, token, partner.value)

    def taught(self, exchange: Exchange, recorded: Token, partner: Token, before: Collection[Key]) -> bool:
        """Learn what an issued value became where its live partner is known already; False where it is none.

        `before` are the keys of all that the recorded answer holds; the recorded value must be gone from the live one.
        """
        if recorded.value == partner.value:
            if self._began_anew(recorded):
                return False
        elif not self._is_new(recorded, partner, before):
            return False
        self._learn(exchange, recorded, partner.value)
        return True

    def _known(self, path: str, pointer: str, name: str, value: str) -> str | None:
        """What a number became, in a list at a pointer."""
        nouns = nouns_of(name, [*split(pointer), "0", name], path)
        return next((self._learned[noun, value] for noun in nouns if (noun, value) in self._learned), None)

    def _began_anew(self, token: Token) -> bool:
        """A serial number that became another: where it turns up again, it is the next one's."""
        random = token.distinctive and format_of(token.value) is not None
        return not random and any(self._first.get(key, token.value) != token.value for key in token.keys)

    def _became(self, exchange: Exchange, token: Token, partner: Token, before: Collection[Key]) -> bool:
        """Whether the live value can be what the recorded one became: of the same make, and new to the recording."""
        return self._plan.is_issued(exchange.command, token) and self._is_new(token, partner, before)

    def _is_new(self, token: Token, partner: Token, before: Collection[Key]) -> bool:
        foreign, near = ("", partner.value) in self._plan.born, not drawn_apart(token.value, partner.value)
        if (foreign or near) and _is_random(partner):
            return False
        known = any(key in before for key in partner.keys)
        return not known and same_make(token.value, partner.value)

    def assume(self, key: Key, live: str) -> None:
        """Take it that a recorded value became `live`, though no answer says so."""
        self._learned[key] = self._first[key] = live
        self._replace(key)

    def current(self, key: Key) -> str | None:
        """What a recorded value became last; None where nothing was learned of it."""
        return self._learned.get(key)

    @property
    def became(self) -> dict[str, str]:
        """What recorded values became when they were first seen, whatever they name."""
        return {value: live for (_, value), live in self._first.items()}

    def missing(self, exchange: Exchange) -> int | None:
        """The exchange that failed to produce a value which this one cannot do without."""
        for edge in self._plan.by_consumer.get(exchange.sequence, ()):
            if (edge.noun, edge.value) in self._learned:
                continue
            if edge.needed or edge.producer in self._fresh:
                return edge.producer
        return None

    def live_value(self, recorded: str, name: str = "", path: str = "", pointer: str = "") -> str | None:
        """What a recorded value became when it was first seen; a field's name and place tell small numbers apart."""
        if (live := self._first.get(("", recorded))) is not None:
            return live
        if not name:
            return None
        nouns = (name.lower(), *nouns_of(name, split(pointer), path)) if pointer else _nouns(name, path)
        return next((self._first[noun, recorded] for noun in nouns if (noun, recorded) in self._first), None)

    def only_value(self, recorded: str) -> str | None:
        """What a recorded value became, whatever it names; None where it names things that became different ones."""
        found = {live for (_, value), live in self._first.items() if value == recorded}
        return found.pop() if len(found) == 1 else None

    def echoed(self, sequence: int, recorded: str) -> str | None:
        """What an identifier became that the exchange's own request carries."""
        for edge in self._plan.by_consumer.get(sequence, ()):
            if edge.value == recorded and (edge.noun, recorded) in self._first:
                return self._first[edge.noun, recorded]
        return None

    def rewrite(self, text: str) -> str:
        """A recorded text as it must read now, by all that was learned."""
        self._spell()
        return rewrite_text(text, self._then, self._first)

    def sent(self, edge: Edge) -> str | None:
        """What was sent for an edge's value; None when no live value was known or its request was not sent."""
        return self._sent.get(edge)

    def numbers_of(self, sequence: int) -> list[tuple[str, str, str]]:
        """Noun, recorded and live value of the numbers and codes that an exchange's answer showed."""
        return [(noun, value, live) for (noun, value), live in self._numbers.get(sequence, {}).items()]

    def _learn(self, exchange: Exchange, token: Token, live: str) -> None:
        for key in token.keys:
            if key not in self._plan.born:
                continue  # the client had it first
            if self._plan.born[key] == exchange.sequence and (key[0] or format_of(token.value) is None):
                self._numbers.setdefault(exchange.sequence, {}).setdefault(key, live)
            if live == token.value:
                self._stable.add(key)
                self._learned[key] = self._first[key] = live
                self._replace(key)
            elif key not in self._stable:
                self._learned[key] = live
                self._first.setdefault(key, live)
                self._replace(key)
        if live != token.value and exchange.command in SAFE:
            self._fresh.add(exchange.sequence)

    def _replace(self, key: Key) -> None:
        if not key[0]:
            self._unspelt.add(key[1])

    def _spell(self) -> None:
        """Put in what was learned since: a session whose texts nobody rewrites does without."""
        for value in sorted(self._unspelt):
            self._now.put(value, self._learned["", value])
            self._then.put(value, self._first["", value])
        self._unspelt.clear()


@lru_cache(maxsize=4096)
def _nouns(name: str, path: str) -> tuple[str, ...]:
    """What a member of this name may identify: asked of each element of an array."""
    return name.lower(), *nouns_of(name, [name], path)


def _is_random(token: Token) -> bool:
    """Whether nothing but chance made it, so that no two are alike."""
    return token.distinctive and format_of(token.value) is not None and not is_readable(token.value)


def _keys(tokens: Iterable[Token]) -> set[Key]:
    return {key for token in tokens for key in token.keys}


@dataclass(frozen=True, slots=True)
class Moves:
    """Where the elements of recorded arrays stand in the live body."""

    moved: dict[str, str]
    """Pointers of elements whose partner stands elsewhere; a dropped one leads nowhere."""
    aligned: frozenset[str]
    """Pointers of elements that have a partner although the same number names another one."""

    def place(self, place: Place) -> Place:
        """Where the partner of a recorded place stands."""
        if place.part != "body" or not self.moved:
            return place
        pointer, rest = place.name, ""
        while pointer:
            if pointer in self.moved:
                return Place("body", self.moved[pointer] + rest, place.within)
            pointer, _, key = pointer.rpartition("/")
            rest = f"/{key}{rest}"
        return place

    def renumbered(self, place: Place) -> bool:
        """Whether the element's partner is known by more than its number, which may be another's."""
        if place.part != "body" or not self.aligned:
            return False
        pointer = place.name
        while pointer and pointer not in self.aligned:
            pointer = pointer.rpartition("/")[0]
        return bool(pointer)


def _moves(ours: Content, theirs: Content, known: Callable[[str, str, str], str | None]) -> Moves:
    moved: dict[str, str] = {}
    aligned: set[str] = set()
    pending: list[tuple[JsonValue, JsonValue, str, str]] = [(ours.tree, theirs.tree, "", "")]
    while pending:
        a, b, here, there = pending.pop()
        if isinstance(a, dict) and isinstance(b, dict):
            pending += [(a[key], b[key], join(here, key), join(there, key)) for key in a.keys() & b.keys()]
        elif isinstance(a, list) and isinstance(b, list):
            found = partners(a, b, partial(known, here))
            moved.update((join(here, i), "\0") for i in found.removed)
            for i, j in found.pairs:
                if i != j:
                    moved[join(here, i)] = join(there, j)
                if found.renumbered:
                    aligned.add(join(here, i))
                pending.append((a[i], b[j], join(here, i), join(there, j)))
    return Moves(moved, frozenset(aligned))
