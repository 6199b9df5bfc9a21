"""What later requests need of an answer, read off without looking at everything else that the answer holds.

The binding engine learns from whole answers, by aligning them with the recorded ones: half a millisecond each. Most
values that are carried on stand at a fixed place of a JSON body or in a cookie; those are taken from there, judged
by the engine's own rules. Whatever is not so simple goes to the engine.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import orjson

from wiretape_capture.protocols.http import header, is_json, media_type
from wiretape_capture.snapshot.exchange import Exchange
from wiretape_replay.bindings.live import Key, LiveSession
from wiretape_replay.bindings.messages import response_tokens, set_cookies
from wiretape_replay.bindings.plan import BindingPlan, Edge
from wiretape_replay.bindings.tokens import Token, is_distinctive, token
from wiretape_replay.leaves import leaf_name, split
from wiretape_replay.load.answer import headers_of


@dataclass(frozen=True, slots=True)
class Place:
    """Where one value stands."""

    recorded: Token
    keys: tuple[str, ...]
    """Of objects, from the outermost inwards; empty for a cookie."""

    def partner(self, tree: object, cookies: dict[str, str]) -> Token | None:
        """The live value there; None where it cannot be one."""
        place, name = self.recorded.place, self.recorded.place.name
        if not self.keys:
            value = cookies.get(name)
            distinctive = value is not None and (is_distinctive(value) or len(value) >= 12)
            return Token(value, place, self.recorded.nouns, distinctive) if value else None
        node = tree
        for key in self.keys:
            node = node.get(key) if isinstance(node, dict) else None
        if isinstance(node, bool) or not isinstance(node, str | int):
            return None
        return token(place, leaf_name(name), node, self.recorded.nouns)


@dataclass(frozen=True, slots=True)
class Lesson:
    """All values that later requests of the session take from one answer."""

    exchange: Exchange
    places: tuple[Place, ...]
    before: frozenset[Key]
    """Everything that the recorded answer could have given."""
    from_body: bool
    from_cookies: bool

    def learn(self, session: LiveSession, head: bytes, body: bytes) -> bool:
        """Learn them; False where the engine has to look at the whole answer."""
        if b"\r\ncontent-encoding:" in head.lower():
            return False
        tree: object = None
        if self.from_body:
            try:
                tree = orjson.loads(body)
            except orjson.JSONDecodeError:
                return False
        found = set_cookies(headers_of(head)) if self.from_cookies else {}
        cookies = {name: value for name, (value, _) in found.items()}
        for place in self.places:
            partner = place.partner(tree, cookies)
            if partner is None or (partner.value != place.recorded.value and place.recorded.value.encode() in body):
                return False
            if not session.taught(self.exchange, place.recorded, partner, self.before):
                return False
        return True


def lesson_of(exchange: Exchange, edges: Iterable[Edge], plan: BindingPlan) -> Lesson | None:
    """The lesson of an answer from which these edges start; None where it takes the engine."""
    response = exchange.response
    if response is None or header(response.headers, "content-encoding") is not None:
        return None
    wanted = {(edge.noun, edge.value) for edge in edges}
    recorded = response_tokens(exchange.request, response)
    json_body = is_json(media_type(response.headers))
    places: dict[Key, Place] = {}
    for each in recorded:
        keys = _keys(each, json_body=json_body)
        for key in wanted.intersection(each.keys):
            if keys is not None and key not in places and plan.is_issued(exchange.command, each):
                places[key] = Place(each, keys)
    if places.keys() != wanted:
        return None
    chosen = tuple(dict.fromkeys(places.values()))
    return Lesson(
        exchange, chosen, frozenset(key for each in recorded for key in each.keys),
        from_body=any(place.keys for place in chosen), from_cookies=any(not place.keys for place in chosen),
    )  # fmt: skip


def _keys(each: Token, *, json_body: bool) -> tuple[str, ...] | None:
    """The way to a token, where nothing on it can have moved."""
    place = each.place
    if place.within:
        return None
    if place.part == "cookie":
        return ()
    keys = tuple(split(place.name)) if place.part == "body" and json_body and place.name.startswith("/") else ()
    return keys if keys and not any(key.isdecimal() for key in keys) else None
