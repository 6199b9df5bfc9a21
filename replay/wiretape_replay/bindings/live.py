"""A session under replay: what each recorded value has become, put into later requests in place of the recorded one.

It learns from each live answer by position, and only where the recorded value is gone from the answer: a list that
merely came in another order teaches nothing wrong.
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import JsonValue

from wiretape_capture.snapshot.exchange import Exchange, Request, Response
from wiretape_replay.align import align
from wiretape_replay.bindings.messages import response_tokens
from wiretape_replay.bindings.plan import SAFE, BindingPlan
from wiretape_replay.bindings.rewrite import Substitution, rewrite_request, rewrite_text
from wiretape_replay.bindings.tokens import Place, Token, nouns_of
from wiretape_replay.content import Content, read_content
from wiretape_replay.formats import format_of
from wiretape_replay.leaves import join, split
from wiretape_replay.masks import same_make


class LiveSession:
    """One recorded session while it is replayed."""

    def __init__(self, plan: BindingPlan, *, target: str = "") -> None:
        """`target` is the live app's `host:port`, which answers may name where the recording named its own."""
        self._plan = plan
        self.target = target
        self._learned: dict[tuple[str, str], str] = {}
        self._first: dict[tuple[str, str], str] = {}
        self._fresh: set[int] = set()
        self._stable: set[tuple[str, str]] = set()
        """Values that came again unchanged: whatever else stands in their place is wrong, not new."""

    def prepare(self, exchange: Exchange) -> Request:
        """The recorded request with live values in place of recorded ones and its content length corrected."""
        found = [Substitution(value, live) for (noun, value), live in self._learned.items() if not noun]
        placed = {
            edge.consumed_at: self._learned[edge.noun, edge.value]
            for edge in self._plan.by_consumer.get(exchange.sequence, ())
            if edge.noun and (edge.noun, edge.value) in self._learned
        }
        return rewrite_request(exchange.request, [each for each in found if each.recorded != each.live], placed)

    def observe(self, exchange: Exchange, response: Response) -> None:
        """Learn what recorded values became in this answer."""
        if exchange.response is None or response.status >= 400:
            return
        ours = read_content(exchange.response.headers, exchange.response.body)
        recorded = response_tokens(exchange.request, exchange.response, ours)
        theirs = read_content(response.headers, response.body)
        live = response_tokens(exchange.request, response, theirs)
        places = {token.place: token for token in live}
        values, before = {token.value for token in live}, {token.value for token in recorded}
        moved = {} if before <= values else _moves(ours, theirs)
        for token in recorded:
            if token.value in values and not self._began_anew(token):
                self._learn(exchange, token, token.value)
            elif (partner := places.get(_moved(token, moved))) and self._became(token, partner, before):
                self._learn(exchange, token, partner.value)

    def _began_anew(self, token: Token) -> bool:
        """A serial number that became another: where it turns up again, it is the next one's."""
        random = token.distinctive and format_of(token.value) is not None
        return not random and any(self._first.get(key, token.value) != token.value for key in token.keys)

    def _became(self, token: Token, partner: Token, before: set[str]) -> bool:
        """Whether the live value can be what the recorded one became: of the same make, and new to the recording."""
        random = partner.distinctive and format_of(partner.value) is not None
        known = partner.value in before or (random and ("", partner.value) in self._plan.born)
        return not known and same_make(token.value, partner.value)

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
        nouns = (name.lower(), *nouns_of(name, split(pointer) if pointer else [name], path)) if name else ()
        return next((self._first[noun, recorded] for noun in nouns if (noun, recorded) in self._first), None)

    def echoed(self, sequence: int, recorded: str) -> str | None:
        """What an identifier became that the exchange's own request carries."""
        for edge in self._plan.by_consumer.get(sequence, ()):
            if edge.value == recorded and (edge.noun, recorded) in self._first:
                return self._first[edge.noun, recorded]
        return None

    def rewrite(self, text: str) -> str:
        """A recorded text as it must read now, by all that was learned."""
        return rewrite_text(text, self._pairs(), self._first)

    def _pairs(self) -> Iterable[Substitution]:
        return [Substitution(value, live) for (noun, value), live in self._first.items() if not noun and value != live]

    def _learn(self, exchange: Exchange, token: Token, live: str) -> None:
        for key in token.keys:
            if key not in self._plan.born:
                continue  # the client had it first
            if live == token.value:
                self._stable.add(key)
                self._learned[key] = self._first[key] = live
            elif key not in self._stable:
                self._learned[key] = live
                self._first.setdefault(key, live)
        if live != token.value and exchange.command in SAFE:
            self._fresh.add(exchange.sequence)


def _moved(token: Token, moved: dict[str, str]) -> Place:
    if token.place.part != "body" or not moved:
        return token.place
    pointer, rest = token.place.name, ""
    while pointer:
        if pointer in moved:
            return Place("body", moved[pointer] + rest)
        pointer, _, key = pointer.rpartition("/")
        rest = f"/{key}{rest}"
    return token.place


def _moves(ours: Content, theirs: Content) -> dict[str, str]:
    """Pointers of array elements whose partner stands elsewhere in the live body; a dropped one leads nowhere."""
    moves: dict[str, str] = {}
    pending: list[tuple[JsonValue, JsonValue, str, str]] = [(ours.tree, theirs.tree, "", "")]
    while pending:
        a, b, here, there = pending.pop()
        if isinstance(a, dict) and isinstance(b, dict):
            pending += [(a[key], b[key], join(here, key), join(there, key)) for key in a.keys() & b.keys()]
        elif isinstance(a, list) and isinstance(b, list):
            found = align(a, b, lambda _, value: value)
            moves.update((join(here, i), "\0") for i in found.removed)
            moves.update((join(here, i), join(there, j)) for i, j in found.pairs if join(here, i) != join(there, j))
            pending += [(a[i], b[j], join(here, i), join(there, j)) for i, j in found.pairs]
    return moves
