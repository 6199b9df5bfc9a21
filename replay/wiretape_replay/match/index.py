"""The recorded outbound requests, indexed by what a live request is looked up with. Built at load, never stored.

It also holds what the recording proves about identifiers: which ones a service gave out, and which never change.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from wiretape_capture.snapshot.exchange import Direction, Exchange, Protocol, Response
from wiretape_replay.match.asked import parts_of_request
from wiretape_replay.match.causal import Marks, Place, Places, related
from wiretape_replay.match.homes import homes
from wiretape_replay.match.identifiers import learn_identifiers
from wiretape_replay.match.lanes import SHARED, LaneLearner, Lanes, trace_of
from wiretape_replay.match.parts import Parts, service_key
from wiretape_replay.match.volatile import Masked, mask

RETRY_LOOKED_AT = 1_000
"""Exchanges between an attempt and the next one."""
SERVICE_LIMIT = 1_000
"""Names of services, as requests spell them, whose indexed name is remembered."""
TEXT_LIMIT = 1 << 16
"""Different texts that are kept once while an index is built."""

type Key = tuple[object, ...]


@dataclass(slots=True, eq=False)
class Recorded:
    """One recorded request and what decides when its answer is due."""

    sequence: int
    location: str
    """Request target as recorded."""
    parts: Parts
    masked: Masked | None
    lane: str
    trace: str
    clock_ns: int
    places: tuple[Place, ...]
    """Where its data lies; one place but for a command with several keys."""
    writes: bool
    status: str
    after: int = 0
    mentions: frozenset[str] = frozenset()
    """Identifiers from requests that stand in the answer."""


@dataclass(slots=True)
class Index:
    """All recorded outbound requests of one snapshot."""

    lanes: Lanes = field(default_factory=Lanes)
    recorded: list[Recorded] = field(default_factory=list)
    exact: dict[Key, list[Recorded]] = field(default_factory=dict)
    by_lane: dict[tuple[Key, str], list[Recorded]] = field(default_factory=dict)
    masked: dict[Key, list[Recorded]] = field(default_factory=dict)
    by_value: dict[tuple[Key, str], list[Recorded]] = field(default_factory=dict)
    """Recorded requests of one masked key by an identifier in them."""
    by_service: dict[str, list[Recorded]] = field(default_factory=dict)
    sent: dict[str, int] = field(default_factory=dict)
    """Identifiers in requests, with the sequence of the first."""
    born: dict[str, int] = field(default_factory=dict)
    """Identifiers that a service gave out before any request had them, with the sequence of that answer."""
    given: frozenset[str] = frozenset()
    """Identifiers that the app's own callers named."""
    steady: set[tuple[Key, str]] = field(default_factory=set)
    """Places of a masked key at which different requests had the same identifier."""
    beside: set[tuple[Key, str]] = field(default_factory=set)
    """Places of a masked key that had an identifier while the request that had it first was not answered yet."""
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Names of services that stand for one: a map's `host:port` and its name."""
    names: dict[str, str] = field(default_factory=dict)
    """Services as the recording names them, by the name under which they are indexed."""
    traces: set[str] = field(default_factory=set)
    lane_names: set[str] = field(default_factory=set)
    _by_path: dict[tuple[str, ...], list[Recorded]] = field(default_factory=dict)
    _services: dict[tuple[str, str], str] = field(default_factory=dict)
    _at: dict[int, list[int]] = field(default_factory=dict)
    _inside: dict[int, list[int]] = field(default_factory=dict)

    def ladder(self, key: Key, lane: str) -> list[Recorded] | None:
        """The answers to one exact request: those of a lane where it has any, else all."""
        if self.by_lane and (own := self.by_lane.get((key, lane))):
            return own
        return self.exact.get(key)

    @property
    def by_path(self) -> dict[tuple[str, ...], list[Recorded]]:
        """Recorded requests by their path. Only misses want it: it is made at the first."""
        if not self._by_path:
            for each in self.recorded:
                self._by_path.setdefault(each.parts.segments, []).append(each)
        return self._by_path

    def related_after(self, recorded: Recorded) -> Iterator[Sequence[int]]:
        """Sequences of what was recorded after a write at places above, at and below its own."""
        if not self._at:
            for each in self.recorded:
                for place in each.places:
                    self._at.setdefault(place[-1], []).append(each.sequence)
                    for step in place:
                        self._inside.setdefault(step, []).append(each.sequence)
        for place in recorded.places:
            for step in place[:-1]:
                if step in self._at:
                    yield _later(self._at[step], recorded.sequence)
            yield _later(self._inside.get(place[-1], ()), recorded.sequence)

    def service(self, scheme: str, name: str) -> str:
        """The one name under which a service was indexed."""
        known = self._services.get((scheme, name))
        if known is None:
            if len(self._services) >= SERVICE_LIMIT:
                self._services.clear()
            key = service_key(scheme, name)
            known = self._services[scheme, name] = self.aliases.get(key, key)
        return known

    def name(self, service: str) -> str:
        """An indexed service as people know it."""
        return self.names.get(service, service)


def build_index(exchanges: Iterable[Exchange], aliases: Mapping[str, str] | None = None) -> Index:
    """Index the outbound HTTP requests among the exchanges, in recorded order."""
    ordered = sorted(exchanges, key=lambda exchange: exchange.sequence)
    outbound = [each for each in ordered if each.direction is Direction.OUTBOUND and each.protocol is Protocol.HTTP]
    builder = IndexBuilder(aliases)
    for exchange in outbound:
        builder.add(exchange)
    answers = ((each.sequence, each.response) for each in outbound if each.response is not None)
    return builder.finish(answers, [each for each in ordered if each.direction is Direction.INBOUND])


class IndexBuilder:
    """Takes outbound exchanges one by one, in recorded order, and keeps of each only what matching needs."""

    def __init__(self, aliases: Mapping[str, str] | None = None) -> None:
        self._index = Index(aliases=aliases or {})
        self._lanes = LaneLearner()
        self._places = Places()
        self._answered_ns: dict[str, int] = {}
        """By identifier, when the request that had it first had been answered."""
        self._texts: dict[str, str] = {}
        """Path segments and the like, of which a recording has few: one object for each."""

    def add(self, exchange: Exchange) -> None:
        """One more exchange."""
        request = exchange.request
        service = self._service(exchange.scheme, exchange.service)
        parts = parts_of_request(service, request)
        parts = replace(parts, method=self._one(parts.method), segments=tuple(map(self._one, parts.segments)))
        self._lanes.see(request.headers)
        masked = mask(parts)
        if masked is not None:
            self._see(masked, exchange)
        self._index.recorded.append(Recorded(
            sequence=exchange.sequence, location=request.target, parts=parts, masked=masked,
            lane=SHARED, trace=exchange.trace or trace_of(request.headers), clock_ns=exchange.started_ns,
            places=(self._places.of(service, parts.segments),), writes=parts.writes, status=self._one(exchange.status),
        ))  # fmt: skip

    def _see(self, masked: Masked, exchange: Exchange) -> None:
        answered_ns = exchange.started_ns + exchange.duration_us * 1000
        for piece in masked.volatile:
            if piece.identifies and self._answered_ns.setdefault(piece.text, answered_ns) > exchange.started_ns:
                self._index.beside.add((masked.key, piece.place))

    def finish(self, answers: Iterable[tuple[int, Response]], inbound: Sequence[Exchange]) -> Index:
        """The index; `answers` are the responses by sequence, looked at for ids only where requests have any."""
        index = self._index
        index.lanes = self._lanes.learned()
        for recorded, found in homes(index.recorded):
            recorded.places = tuple(self._places.of(recorded.parts.service, home) for home in found)
        for recorded, lane in zip(index.recorded, self._lanes.lanes(), strict=True):
            recorded.lane = lane
            _add(index, recorded)
        _set_states(index)
        learn_identifiers(index, answers, inbound)
        return index

    def _service(self, scheme: str, name: str) -> str:
        service = self._index.service(scheme, name)
        self._index.names.setdefault(service, name)
        return service

    def _one(self, text: str) -> str:
        return self._texts.setdefault(text, text) if len(self._texts) < TEXT_LIMIT else text


def _add(index: Index, recorded: Recorded) -> None:
    parts = recorded.parts
    key = parts.exact
    index.exact.setdefault(key, []).append(recorded)
    if index.lanes.source:
        index.by_lane.setdefault((key, recorded.lane), []).append(recorded)
    index.by_service.setdefault(parts.service, []).append(recorded)
    index.lane_names.add(recorded.lane)
    if recorded.trace:
        index.traces.add(recorded.trace)
    if recorded.masked is None:
        return
    index.masked.setdefault(recorded.masked.key, []).append(recorded)
    for piece in recorded.masked.volatile:
        if piece.identifies:
            index.by_value.setdefault((recorded.masked.key, piece.text), []).append(recorded)
            index.sent.setdefault(piece.text, recorded.sequence)


def _set_states(index: Index) -> None:
    """Play the recording through the state machine, to know the state in which each answer was given.

    A write that came again with the same status shows no change of state: its answers only keep their order. Neither
    does another attempt after a failure, when nothing but the like of it was written in between.
    """
    marks: dict[str, Marks] = defaultdict(Marks)
    last: dict[tuple[str, Key], Recorded] = {}
    for recorded in index.recorded:
        lane = marks[recorded.lane]
        recorded.after = lane.state_of(recorded.places)
        if not recorded.writes:
            continue
        key = (recorded.lane, recorded.masked.key if recorded.masked else recorded.parts.exact)
        before = last.get(key)
        if before is not None and (before.status == recorded.status or _again(index, before, recorded)):
            recorded.after = before.after
        last[key] = recorded
        for place in recorded.places:
            lane.write(place, recorded.sequence)


def _again(index: Index, before: Recorded, recorded: Recorded) -> bool:
    """Whether a write that failed was merely tried again: others of its kind may come in any order."""
    if not before.status.startswith("5") and before.status not in ("", "408", "425", "429"):
        return False
    first, last = (bisect_right(index.recorded, each.sequence, key=_sequence) for each in (before, recorded))
    if last - first > RETRY_LOOKED_AT:
        return False
    kind = recorded.parts.method, recorded.places
    return all(
        not each.writes or not _meet(each, recorded) or (each.parts.method, each.places) == kind
        for each in index.recorded[first : last - 1]
    )


def _meet(one: Recorded, other: Recorded) -> bool:
    return any(related(a, b) for a in one.places for b in other.places)


def _later(sequences: Sequence[int], sequence: int) -> Sequence[int]:
    return sequences[bisect_right(sequences, sequence) :]


def _sequence(recorded: Recorded) -> int:
    return recorded.sequence
