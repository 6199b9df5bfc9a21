"""Matching of calls that carry numbers which the app made itself, so that a live order 18 is the recorded order 17.

The live request is put into the recording's numbers and then matched like any other. A number counts as another's only
when it is known, or when the call is made while the app creates what it names. Every such answer is `normalized`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from wiretape_capture.snapshot.exchange import Request
from wiretape_replay.bindings.rewrite import Placed
from wiretape_replay.bindings.tokens import Place, Token
from wiretape_replay.match.knowledge import Knowledge, Number
from wiretape_replay.match.matcher import Hit, Matcher, Miss
from wiretape_replay.match.parts import Parts
from wiretape_replay.match.serials import Numbered, Serials, Spots, blank_key, is_number, renumbered_parts, spots_of
from wiretape_replay.mock.spec import LeafDifference


@dataclass(frozen=True, slots=True)
class Asked:
    """One live request."""

    service: str
    request: Request
    parts: Parts
    lane: str
    trace: str
    now_ns: int


class NumberedMatcher:
    """A matcher that knows of the app's own numbers."""

    def __init__(self, matcher: Matcher, serials: Serials, knowledge: Knowledge) -> None:
        self._matcher = matcher
        self._serials = serials
        self._knowledge = knowledge

    def concerns(self, service: str, method: str) -> bool:
        """Whether calls like this carry such numbers, in the request or in the answer."""
        return bool(self._serials.mentions) or (service, method) in self._serials.groups

    def is_plain(self, service: str, method: str, sequence: int) -> bool:
        """Whether no number of the app has a say in which answer it gets, or stands in this one."""
        return (service, method) not in self._serials.groups and sequence not in self._serials.mentions

    def match(self, asked: Asked) -> Hit | Miss:
        """The recorded exchange whose answer is due, or a miss."""
        found = self._numbered(asked)
        if found is None:
            found = self._plain(asked, asked.parts)
        return found if isinstance(found, Miss) else self._with_mentions(found)

    def _plain(self, asked: Asked, parts: Parts) -> Hit | Miss:
        return self._matcher.match(parts, asked.lane, asked.trace, asked.now_ns)

    def _numbered(self, asked: Asked) -> Hit | Miss | None:
        groups = self._serials.groups.get((asked.service, asked.request.method))
        if not groups:
            return None
        tokens = spots_of(asked.request)
        for spots, by_key in sorted(groups.items(), key=lambda item: -len(item[0])):
            if not all(_fits(tokens.get(place), noun) for place, noun in spots):
                continue
            group = by_key.get(blank_key(asked.service, asked.request, spots, tokens))
            if group:
                return self._of_group(asked, spots, tokens, group)
        return None

    def _of_group(self, asked: Asked, spots: Spots, tokens: dict[Place, Token], group: Sequence[Numbered]
                  ) -> Hit | Miss:  # fmt: skip
        live = tuple(tokens[place].value for place, _ in spots)
        chosen = self._choose(spots, live, group)
        if chosen is None:
            return Miss()
        numbers = [(noun, was, now) for (_, noun), was, now in zip(spots, chosen.values, live, strict=True)]
        placed = [
            Placed(place, now, was) for (place, _), (_, was, now) in zip(spots, numbers, strict=True) if was != now
        ]
        parts = renumbered_parts(asked.service, asked.request, placed) if placed else asked.parts
        found = self._plain(asked, parts)
        if isinstance(found, Miss):
            return found
        for number in numbers:
            self._knowledge.guess(*number)
        if not placed:
            return found
        differences = tuple(LeafDifference(where=_where(each.place), recorded=each.live, live=each.recorded)
                            for each in placed)  # fmt: skip
        changed = tuple(number for number in numbers if number[1] != number[2])
        return replace(found, tier="normalized", differences=(*found.differences, *differences), numbers=changed)

    def _choose(self, spots: Spots, live: tuple[str, ...], group: Sequence[Numbered]) -> Numbered | None:
        nouns = tuple(noun for _, noun in spots)
        possible = [each for each in group if self._consistent(nouns, live, each)]
        under_way = [each for each in possible if each.owners & self._knowledge.in_flight]
        possible = under_way or possible
        unknown = [at for at, noun in enumerate(nouns) if self._knowledge.recorded(noun, live[at]) is None]
        if unknown and not under_way:
            same = [each for each in possible if each.values == live]
            made = [each for each in possible if all(each.created[at] for at in unknown)]
            possible = same or made
        elif unknown:
            possible = [each for each in possible
                        if all(each.created[at] or each.values[at] == live[at] for at in unknown)]  # fmt: skip
        used = self._matcher.used
        return next((each for each in possible if each.sequence not in used), possible[-1] if possible else None)

    def _consistent(self, nouns: Sequence[str], live: Sequence[str], recorded: Numbered) -> bool:
        known = self._knowledge
        for noun, was, now in zip(nouns, recorded.values, live, strict=True):
            if known.recorded(noun, now) not in (None, was) or known.live(noun, was) not in (None, now):
                return False
            if was != now and (known.torn(noun, was) or known.torn(noun, now)):
                return False
        return True

    def _with_mentions(self, hit: Hit) -> Hit:
        """The answer also names other numbers of the app, and is labelled when it does."""
        told = {number[:2] for number in hit.numbers}
        more: list[Number] = []
        for noun, was in sorted(self._serials.mentions.get(hit.recorded.sequence, ())):
            now = self._knowledge.live(noun, was)
            if now is not None and now != was and (noun, was) not in told:
                more.append((noun, was, now))
        if not more:
            return hit
        differences = tuple(LeafDifference(where=f"answer/{noun}", recorded=was, live=now) for noun, was, now in more)
        return replace(
            hit, tier="normalized", differences=(*hit.differences, *differences), numbers=(*hit.numbers, *more)
        )


def _fits(token: Token | None, noun: str) -> bool:
    return token is not None and (noun, token.value) in token.keys and is_number(noun, token.value)


def _where(place: Place) -> str:
    if place.part == "path":
        return "path"
    return f"body{place.name}" if place.part == "body" else f"{place.part}/{place.name}"
