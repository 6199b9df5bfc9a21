"""Finding the recorded answer for a live request: tier by tier, within the state of its session (design §6).

Pure: the time and all state are passed in or held as plain data. It does not know how an answer is sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from wiretape_replay.match.causal import AtEnd, Choice, choose, settled
from wiretape_replay.match.index import Index, Recorded
from wiretape_replay.match.knowledge import Number
from wiretape_replay.match.ladder import Ladder
from wiretape_replay.match.lanes import SHARED
from wiretape_replay.match.parts import Parts
from wiretape_replay.match.session import Session
from wiretape_replay.match.volatile import Masked, Volatile, mask, same_in_its_run
from wiretape_replay.mock.spec import LeafDifference

GROUP_LIMIT = 64
"""Recorded requests of one masked key that are compared leaf by leaf for one live request."""
SESSION_LIMIT = 10_000
"""Live sessions whose state is kept; the one that began first is forgotten."""
CUT = 200

type Pair = tuple[str, str]
"""A recorded value and the live one that stands for it."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A live request found its recorded exchange."""

    recorded: Recorded
    tier: Literal["exact", "normalized"]
    differences: tuple[LeafDifference, ...] = ()
    echoes: tuple[Pair, ...] = ()
    """What to put in the answer in place of recorded values."""
    numbers: tuple[Number, ...] = ()
    """Numbers of the app that differ: put in the answer only where they stand under their noun."""
    settled: bool = False
    """The same request in the same session gets this very answer from now on, whatever else is asked."""


@dataclass(frozen=True, slots=True)
class Miss:
    """Nothing recorded answers the request."""

    used_up: bool = False
    """It was recorded, all its answers were given, and repeating them was not wanted."""


@dataclass(frozen=True, slots=True)
class _Near:
    recorded: Recorded
    pairs: tuple[tuple[Volatile, Volatile], ...]
    unexplained: int
    """Identifiers that differ and are not known to stand for each other."""


class Matcher:
    """Live requests against one index, with the state of every live session."""

    def __init__(self, index: Index, at_end: AtEnd = "repeat") -> None:
        self.index = index
        self.used: set[int] = set()
        self._at_end: AtEnd = at_end
        self._shared = Session(SHARED)
        self._sessions: dict[str, Session] = {SHARED: self._shared}
        self._claimed: set[str] = set()

    def match(self, parts: Parts, lane: str, trace: str, now_ns: int) -> Hit | Miss:
        """The recorded exchange whose answer is due, or a miss. It moves the session's state on."""
        session = self._session(lane)
        ladder = self.index.ladder(parts.exact, session.lane or "")
        if ladder is not None:
            return self._of_ladder(self._narrowed(ladder, session, trace), session, lane)
        masked = mask(parts)
        near = self._nearest(masked, session, now_ns) if masked is not None else []
        if not near:
            return Miss()
        rungs = self._narrowed([each.recorded for each in near], session, trace)
        choice = choose(rungs, session.marks.state_of(rungs[0].places), session.served, self._at_end)
        if choice is None:
            return Miss(used_up=True)
        return self._hit(session, choice, next(n.pairs for n in near if n.recorded is choice.rung), lane)

    def ladder(self, parts: Parts, trace: str) -> Sequence[Recorded] | None:
        """The answers that are recorded for a request of the shared lane; they stay the same."""
        ladder = self.index.ladder(parts.exact, SHARED)
        return ladder and self._narrowed(ladder, self._session(SHARED), trace)

    def match_ladder(self, rungs: Sequence[Recorded]) -> Hit | Miss:
        """`match` for a request of the shared lane whose `ladder` is known."""
        return self._of_ladder(rungs, self._session(SHARED), SHARED)

    def course(self, rungs: Sequence[Recorded]) -> Ladder[Recorded] | None:
        """A `ladder` taken apart, if its answers are exact and the same whatever ids and sessions there are."""
        return None if any(rung.lane or rung.mentions for rung in rungs) else Ladder(rungs, self._at_end)

    def advance(self, course: Ladder[Recorded]) -> Recorded | None:
        """`match_ladder` for a course: the answer that is due, or None if all were given."""
        session = self._shared
        places = course.last.places
        marks = session.marks
        choice = course.choose(marks.state(places[0]) if len(places) == 1 else marks.state_of(places), session.served)
        if choice is None:
            return None
        self._serve(session, choice)
        return choice.rung

    def stays(self, course: Ladder[Recorded], recorded: Recorded) -> bool:
        """Whether an answer that a course just gave is the one it gives from now on: see `Hit.settled`."""
        return (recorded is course.last and self._at_end == "repeat"
                and settled(course.rungs, recorded, self._shared.served))  # fmt: skip

    def _of_ladder(self, rungs: Sequence[Recorded], session: Session, lane: str) -> Hit | Miss:
        choice = choose(rungs, session.marks.state_of(rungs[0].places), session.served, self._at_end)
        return Miss(used_up=True) if choice is None else self._exact_hit(session, choice, rungs, lane)

    def _session(self, lane: str) -> Session:
        session = self._sessions.get(lane)
        if session is None:
            session = self._sessions[lane] = Session(lane if lane in self.index.lane_names or not lane else None)
            if len(self._sessions) > SESSION_LIMIT:
                del self._sessions[next(name for name in self._sessions if name)]
        return session

    def _narrowed(self, rungs: Sequence[Recorded], session: Session, trace: str) -> Sequence[Recorded]:
        """The answers of the session's own lane, and of the call that a trace names."""
        if len(rungs) > 1 and self.index.lanes.source:
            rungs = self._of_lane(rungs, session)
        if len(rungs) > 1 and trace in self.index.traces:
            rungs = [rung for rung in rungs if rung.trace == trace] or rungs
        return rungs

    def _of_lane(self, rungs: Sequence[Recorded], session: Session) -> Sequence[Recorded]:
        """Answers recorded in the session's own lane; else those of nobody's; else all."""
        for lane in (session.lane, "") if session.lane is not None else ():
            if own := [rung for rung in rungs if rung.lane == lane]:
                return own
        lane = next((rung.lane for rung in rungs if rung.lane not in self._claimed), rungs[0].lane)
        return [rung for rung in rungs if rung.lane == lane]

    def _exact_hit(self, session: Session, choice: Choice[Recorded], rungs: Sequence[Recorded], lane: str) -> Hit:
        recorded = choice.rung
        self._serve(session, choice)
        if recorded.lane or session.lane is None or (recorded.mentions and session.live_by_recorded):
            return self._told(session, recorded, (), lane)
        # Without ids that it mentions, an answer is the same whatever the session has sent.
        final = self._at_end == "repeat" and not recorded.mentions and settled(rungs, recorded, session.served)
        return Hit(recorded, "exact", settled=final)

    def _hit(self, session: Session, choice: Choice[Recorded], pairs: Sequence[tuple[Volatile, Volatile]],
             lane: str) -> Hit:  # fmt: skip
        self._serve(session, choice)
        return self._told(session, choice.rung, pairs, lane)

    def _serve(self, session: Session, choice: Choice[Recorded]) -> None:
        """Move the state on: this answer is given now."""
        recorded = choice.rung
        if choice.forget:
            session.served -= choice.forget
            if recorded.writes:
                self._begin_round(session, recorded)
        session.served.add(recorded.sequence)
        self.used.add(recorded.sequence)
        if recorded.writes:
            for place in recorded.places:
                session.marks.write(place, recorded.sequence)

    def _told(self, session: Session, recorded: Recorded, pairs: Sequence[tuple[Volatile, Volatile]],
              lane: str) -> Hit:  # fmt: skip
        self._bind(session, recorded, pairs)
        differences = [
            *(_difference(before, after) for before, after in pairs),
            *self._lane_difference(session, recorded, lane),
        ]
        return Hit(
            recorded, "normalized" if differences else "exact", tuple(differences), _echoes(session, recorded, pairs)
        )

    def _bind(self, session: Session, recorded: Recorded, pairs: Sequence[tuple[Volatile, Volatile]]) -> None:
        bound: set[str] = set()
        for before, after in pairs:
            if before.identifies:
                first = recorded.sequence <= self.index.sent.get(before.text, recorded.sequence)
                session.bind(before.text, after.text, anew=first and before.text not in bound)
                bound.add(before.text)

    def _lane_difference(self, session: Session, recorded: Recorded, lane: str) -> Iterator[LeafDifference]:
        if session.lane is None and recorded.lane:
            session.lane = recorded.lane
            self._claimed.add(recorded.lane)
        # A header's value is a secret more often than not: only that it differs is told.
        if recorded.lane and recorded.lane != session.lane:
            where = f"header/{self.index.lanes.source}"
            yield LeafDifference(where=where, recorded="(another session)", live="(this session)" if lane else None)

    def _begin_round(self, session: Session, recorded: Recorded) -> None:
        for place in recorded.places:
            session.marks.rewind(place, recorded.sequence)
        session.served.difference_update(*self.index.related_after(recorded))

    def _nearest(self, masked: Masked, session: Session, now_ns: int) -> list[_Near]:
        live = sorted(masked.volatile, key=_place)
        near = [
            found for recorded in self._candidates(masked, session)
            if (found := self._compare(recorded, masked, live, session, now_ns)) is not None
        ]  # fmt: skip
        fewest = min((each.unexplained for each in near), default=0)
        return [each for each in near if each.unexplained == fewest]

    def _candidates(self, masked: Masked, session: Session) -> Sequence[Recorded]:
        group = self.index.masked.get(masked.key, [])
        if len(group) <= GROUP_LIMIT:
            return group
        for piece in masked.volatile:
            known = session.recorded_by_live.get(piece.text, piece.text)
            if same := self.index.by_value.get((masked.key, known)):
                return same[:GROUP_LIMIT]
        cursor = session.cursors.get(masked.key, 0)
        while cursor < len(group) and group[cursor].sequence in session.served:
            cursor += 1
        session.cursors[masked.key] = cursor
        return list(islice(group, cursor, cursor + GROUP_LIMIT)) or group[-1:]

    def _compare(self, recorded: Recorded, masked: Masked, live: Sequence[Volatile], session: Session,
                 now_ns: int) -> _Near | None:  # fmt: skip
        assert recorded.masked is not None
        pairs = []
        unexplained = 0
        for before, after in zip(sorted(recorded.masked.volatile, key=_place), live, strict=True):
            if before.text == after.text:
                continue
            if not same_in_its_run(before, recorded.clock_ns, after, now_ns):
                return None
            if before.identifies and session.recorded_by_live.get(after.text) != before.text:
                if self._names_another(recorded, masked, before, after, session):
                    return None
                unexplained += self._doubt(recorded, masked, before, session)
            pairs.append((before, after))
        return _Near(recorded, tuple(pairs), unexplained)

    def _doubt(self, recorded: Recorded, masked: Masked, before: Volatile, session: Session) -> int:
        """How much speaks against a value that nobody knows standing for a recorded one.

        Where the recording had it from a request that had been answered before, that one has arrived by now: an
        unknown value is a wrong one then, in the call that is due.
        """
        bound = before.text in session.live_by_recorded
        follows = (
            recorded.sequence > self.index.sent[before.text] and (masked.key, before.place) not in self.index.beside
        )
        return (2 if bound else 3) if follows else (2 if bound else 1)

    def _names_another(self, recorded: Recorded, masked: Masked, before: Volatile, after: Volatile,
                       session: Session) -> bool:  # fmt: skip
        """Whether the recording shows that these two identifiers cannot stand for each other."""
        index = self.index
        return (
            after.text in session.recorded_by_live
            or after.text in index.sent
            or index.born.get(before.text, recorded.sequence) < recorded.sequence
            or (before.text in index.given and before.place.startswith(("path/", "query/")))
            or (masked.key, before.place) in index.steady
        )


def _place(piece: Volatile) -> str:
    return piece.place


def _difference(before: Volatile, after: Volatile) -> LeafDifference:
    where = "path" if before.place.startswith("path/") else before.place
    return LeafDifference(where=where, recorded=before.text[:CUT], live=after.text[:CUT])


def _echoes(session: Session, recorded: Recorded, pairs: Sequence[tuple[Volatile, Volatile]]) -> tuple[Pair, ...]:
    known = session.live_by_recorded
    echoes = {name: known[name] for name in recorded.mentions if name in known} if known else {}
    echoes.update((before.text, after.text) for before, after in reversed(pairs))
    return tuple(echoes.items())
