"""New values in an answer that a write of the same exchange had returned: the app must answer what that gave it. Pure.

An id that the app gives out first explains itself, whatever it is. Where the recording shows it to be what a call
returned (`INSERT … RETURNING id`), the run's must be what the run's call returned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from wiretape_capture.snapshot.exchange import Exchange, Response
from wiretape_replay.bindings.tokens import nouns_of
from wiretape_replay.content import read_content
from wiretape_replay.formats import format_of
from wiretape_replay.leaves import leaf_name, split, walk
from wiretape_replay.match.content import BODY_LIMIT, content_of
from wiretape_replay.match.statements import StatementParts
from wiretape_replay.match.volatile import text_of
from wiretape_replay.outbound.calls import Call
from wiretape_replay.outbound.evidence import Evidence
from wiretape_replay.routes import singular

DISTINCT = frozenset({"uuid", "ulid", "ksuid", "objectid", "xid", "hex", "token"})
"""Formats of identifiers that are two by no accident."""

type Spot = tuple[str, str]
"""A write's place, and the place of a value in what it was answered."""


@dataclass(frozen=True, slots=True)
class Told:
    """A value of an answer that was taken for the recorded one."""

    sequence: int
    at: str
    expected: JsonValue
    actual: JsonValue


@dataclass(frozen=True, slots=True)
class Contradicted:
    """One that is not what the call gave."""

    told: Told
    call: Call


@dataclass
class Returned:
    """What the calls of exchanges brought them, as recorded."""

    evidence: Evidence
    outbound: Mapping[int, Exchange]
    answer: Callable[[int], Response | None]
    """What an inbound exchange was answered when it was recorded."""
    _calls: dict[int, list[Call]] = field(default_factory=dict)
    _leaves: dict[int, dict[str, str]] = field(default_factory=dict)
    _fields: dict[int, dict[str, str]] = field(default_factory=dict)
    _sure: dict[tuple[str, str, Spot], bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for call in self.evidence.recorded:
            if call.owner is not None and call.writes:
                self._calls.setdefault(call.owner, []).append(call)

    def contradicted(self, some: Iterable[Told]) -> Iterator[Contradicted]:
        """Those that are surely another value than what the run's call returned."""
        live: dict[tuple[int, int], list[Call]] = {}
        # The mock may have put these in, wherever they stand in its answers.
        afresh = {recorded for call in self.evidence.live for _, recorded in call.afresh}
        for call in self.evidence.live:
            if call.owner is not None and call.sequence:
                live.setdefault((call.owner, call.sequence), []).append(call)
        for told in some:
            text = text_of(told.expected)
            if text in afresh:
                continue
            for was in self._calls.get(told.sequence, ()):
                now = live.get((told.sequence, was.sequence), ())
                where = [place for place, value in self._brought(was).items() if value == text]
                if now and any(self._surely(told, (was.place, place), was) for place in where):
                    yield Contradicted(told, was)
                    break

    def _surely(self, told: Told, spot: Spot, was: Call) -> bool:
        """Whether the value is the call's by no accident."""
        at = self.evidence.handled[told.sequence].route, told.at, spot
        if at not in self._sure:
            self._sure[at] = self._agree(told, spot, was)
        return self._sure[at]

    def _agree(self, told: Told, spot: Spot, was: Call) -> bool:
        values: set[str] = set()
        own = self.evidence.handled[told.sequence]
        for one in (own, *self.evidence.twins(own)):
            calls = [call for call in self._calls.get(one.sequence, ()) if call.place == spot[0]]
            value = self._answered(one.sequence).get(told.at)
            if not calls or value is None:
                continue
            if all(self._brought(call).get(spot[1]) != value for call in calls):
                return False
            values.add(value)
        return len(values) > 1 or _is_distinct(told.expected) or self._is_named_after(told, was)

    def _is_named_after(self, told: Told, was: Call) -> bool:
        """Whether the field is called after what the call put in: `order_id` and `insert into orders`."""
        tables = was.parts.tables if was.writes and isinstance(was.parts, StatementParts) else ()
        path = self.evidence.handled[told.sequence].route.partition(" ")[2]
        named = {singular(table.rpartition(".")[2]) for table in tables}
        return not named.isdisjoint(nouns_of(leaf_name(told.at), split(told.at), path))

    def _brought(self, call: Call) -> dict[str, str]:
        """What a call was answered, by place."""
        if call.sequence not in self._leaves:
            answer = self.outbound[call.sequence].response
            found = content_of(answer.headers, answer.body).leaves if answer is not None else ()
            self._leaves[call.sequence] = {place: text_of(value) for place, value in found}
        return self._leaves[call.sequence]

    def _answered(self, sequence: int) -> dict[str, str]:
        if sequence not in self._fields:
            answer = self.answer(sequence)
            small = answer is not None and answer.body.data is not None and answer.body.size <= BODY_LIMIT
            tree = read_content(answer.headers, answer.body).tree if small and answer is not None else None
            self._fields[sequence] = {at: text_of(value) for at, value in walk(tree)}
        return self._fields[sequence]


def _is_distinct(value: JsonValue) -> bool:
    return isinstance(value, str) and format_of(value) in DISTINCT
