"""Recorded requests of one route that are worth a look: the usual one, and every kind of edge with its reason. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from pydantic import JsonValue

from wiretape_capture.snapshot.exchange import Exchange
from wiretape_replay.contract.credentials import names_credential
from wiretape_replay.leaves import leaf_name
from wiretape_replay.traffic.spread import bodies, nodes
from wiretape_replay.traffic.view import Sample

MOST_SAMPLES = 24
MOST_REASONS = 4
_RARE = 0.2
"""A status, a member of an enumeration or a field in at most so many requests is rare."""
_MEMBERS = 8
_MEMBER_LENGTH = 40
_FAR = 5
"""A number so many times as large as the median is an extreme."""
_SLOW = 3

type Place = tuple[str, str]
"""Side (`request` or a status) and pointer."""


@dataclass(slots=True)
class _Seen:
    """What one place held, by the exchanges that had it."""

    had: dict[int, int] = field(default_factory=dict)
    nulls: list[int] = field(default_factory=list)
    empties: list[int] = field(default_factory=list)
    """Empty arrays and texts."""
    texts: dict[str, list[int]] = field(default_factory=dict)
    many_texts: bool = False
    numbers: list[tuple[Decimal, int]] = field(default_factory=list)
    longest: tuple[int, int] = (0, 0)
    """Elements of the longest array, and its exchange."""

    def add(self, node: JsonValue, sequence: int) -> None:
        self.had[sequence] = self.had.get(sequence, 0) + 1
        if node is None:
            self.nulls.append(sequence)
        elif isinstance(node, list):
            self.longest = max(self.longest, (len(node), -sequence))
            if not node:
                self.empties.append(sequence)
        elif isinstance(node, str):
            self._add_text(node, sequence)
        elif not isinstance(node, bool | dict) and (number := Decimal(node)).is_finite():
            self.numbers.append((number, sequence))

    def _add_text(self, text: str, sequence: int) -> None:
        if not text:
            self.empties.append(sequence)
        if self.many_texts or len(text) > _MEMBER_LENGTH or (text not in self.texts and len(self.texts) >= _MEMBERS):
            self.many_texts = True
        else:
            self.texts.setdefault(text, []).append(sequence)


def samples_of(exchanges: Sequence[Exchange]) -> list[Sample]:
    """The usual request first, then the edges, rarest kind first."""
    reasons: dict[int, list[str]] = {}
    for sequence, reason in _reasons(exchanges):
        told = reasons.setdefault(sequence, [])
        if len(told) < MOST_REASONS:
            told.append(reason)
    by_sequence = {each.sequence: each for each in exchanges}
    usual = _usual(exchanges, reasons)
    chosen = [*([(usual, ["usual"])] if usual else []), *((n, why) for n, why in reasons.items() if n != usual)]
    return [Sample(sequence=number, line=_line(by_sequence[number]), why=tuple(why))
            for number, why in chosen[:MOST_SAMPLES]]  # fmt: skip


def _usual(exchanges: Sequence[Exchange], reasons: dict[int, list[str]]) -> int:
    status = Counter(each.status for each in exchanges).most_common(1)
    common = [each for each in exchanges if status and each.status == status[0][0]]
    common.sort(key=lambda each: each.response.body.size if each.response else 0)
    plain = [each for each in common if each.sequence not in reasons] or common
    return plain[(len(plain) - 1) // 2].sequence if plain else 0


def _line(exchange: Exchange) -> str:
    return f"{exchange.command} {exchange.location} -> {exchange.status or exchange.error or 'no response'}"


def _reasons(exchanges: Sequence[Exchange]) -> Iterator[tuple[int, str]]:
    seen: dict[Place, _Seen] = {}
    sides: Counter[str] = Counter()
    for each in exchanges:
        for side, tree in bodies(each):
            sides[side] += 1
            for pointer, node in nodes(tree):
                seen.setdefault((side, pointer), _Seen()).add(node, each.sequence)
    yield from _statuses(exchanges)
    for place, one in seen.items():
        yield from _absences(place, one)
    yield from _missing(exchanges, seen, sides)
    for place, one in seen.items():
        yield from _members(place, one)
    for place, one in seen.items():
        yield from _extremes(place, one)
    yield from _large_and_slow(exchanges)


def _statuses(exchanges: Sequence[Exchange]) -> Iterator[tuple[int, str]]:
    first: dict[str, int] = {}
    counts: Counter[str] = Counter()
    for each in exchanges:
        first.setdefault(each.status, each.sequence)
        counts[each.status] += 1
    usual = counts.most_common(1)[0][0] if counts else ""
    for status, count in sorted(counts.items(), key=lambda pair: (pair[1], pair[0])):
        if status != usual or not status:
            yield first[status], f"status {status or 'none'} in {count} of {len(exchanges)}"


def _absences(place: Place, one: _Seen) -> Iterator[tuple[int, str]]:
    if one.nulls:
        yield one.nulls[0], f"{_named(place)} is null in {len(set(one.nulls))} of {len(one.had)}"
    if one.empties and len(set(one.empties)) < len(one.had):
        yield one.empties[0], f"{_named(place)} is empty in {len(set(one.empties))} of {len(one.had)}"


def _missing(exchanges: Sequence[Exchange], seen: dict[Place, _Seen], sides: Counter[str]) -> Iterator[tuple[int, str]]:
    """Fields of the whole that some bodies lack; inside of arrays absence says little."""
    having: dict[str, list[int]] = {}
    for each in exchanges:
        for side, _ in bodies(each):
            having.setdefault(side, []).append(each.sequence)
    for (side, pointer), one in seen.items():
        if "/*" in pointer or not pointer or len(one.had) == sides[side]:
            continue
        parent = seen.get((side, pointer.rpartition("/")[0]))
        lacking = [number for number in having[side] if number not in one.had and parent and number in parent.had]
        if lacking and len(lacking) < len(having[side]):
            yield lacking[0], f"{_named((side, pointer))} is missing in {len(lacking)} of {len(having[side])}"


def _members(place: Place, one: _Seen) -> Iterator[tuple[int, str]]:
    total = sum(len(at) for at in one.texts.values())
    if one.many_texts or len(one.texts) < 2 or total < 2 * len(one.texts) or names_credential(leaf_name(place[1])):
        return
    for text, at in sorted(one.texts.items(), key=lambda pair: len(pair[1])):
        if text and len(at) <= max(1, total * _RARE):
            yield at[0], f"{_named(place)} is rare: {text} in {len(at)} of {total}"


def _extremes(place: Place, one: _Seen) -> Iterator[tuple[int, str]]:
    if names_credential(leaf_name(place[1])):
        return
    if len(one.numbers) > 2:
        ordered = sorted(one.numbers)
        middle, least, most = ordered[(len(ordered) - 1) // 2][0], ordered[0], ordered[-1]
        if most[0] > abs(middle) * _FAR:
            yield most[1], f"{_named(place)} is largest"
        if least[0] <= 0 < middle or least[0] < 0 <= middle:
            yield least[1], f"{_named(place)} is {'negative' if least[0] < 0 else 'zero'}"
    size, sequence = one.longest
    if size > 1 and len(one.had) > 1 and size > min(one.had.values()):
        yield -sequence, f"{_named(place)} has the most elements, {size}"


def _large_and_slow(exchanges: Sequence[Exchange]) -> Iterator[tuple[int, str]]:
    sizes = sorted((each.response.body.size, each.sequence) for each in exchanges if each.response)
    if len(sizes) > 2 and sizes[-1][0] > sizes[(len(sizes) - 1) // 2][0] * 2:
        yield sizes[-1][1], f"largest answer, {sizes[-1][0]} bytes"
    times = sorted((each.duration_us, each.sequence) for each in exchanges)
    if len(times) > 2 and times[-1][0] > times[(len(times) - 1) // 2][0] * _SLOW:
        yield times[-1][1], f"slowest, {times[-1][0] / 1000:.0f} ms"


def _named(place: Place) -> str:
    side, pointer = place
    return f"{side} body {pointer or '/'}" if side != "request" else f"body {pointer or '/'}"
