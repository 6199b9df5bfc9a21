"""What two answers to one request have in common and where they differ: the raw observations behind noise.

Counts by answer; knows nothing of verdicts. Structure (status, type, a field that all answers had) is never counted as
something that varies.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import JsonValue

from wiretape_capture.snapshot.exchange import Headers, Response
from wiretape_replay.align import ALIKE, Alignment, align, likeness, shared
from wiretape_replay.compare.headers import header_values
from wiretape_replay.compare.judge import Judge
from wiretape_replay.compare.keys import numbers_became, same_keys
from wiretape_replay.compare.places import Kind, Seen, place_of, places_below, template
from wiretape_replay.compare.shape import Shape
from wiretape_replay.compare.tree import nested
from wiretape_replay.content import read_content
from wiretape_replay.leaves import join, kind_of


@dataclass(slots=True)
class Watch:
    """Looks at one answer."""

    judge: Judge
    shapes: dict[str, Shape] | None = None
    """Where the shapes of values are kept; None: they are not."""
    recorded_too: bool = False
    """Whether recorded values count for the shape: once, however many replays there are."""
    seen: Seen = field(default_factory=dict)
    _lines: bool = False

    def answer(self, recorded: Response, live: Response) -> Seen:
        """All that was seen; nothing where the answers are of different kinds."""
        if recorded.status != live.status:
            return self.seen
        self._headers(recorded.headers, live.headers)
        ours, theirs = read_content(recorded.headers, recorded.body), read_content(live.headers, live.body)
        if ours.kind == theirs.kind and ours.kind not in ("binary", "empty"):
            self._lines = ours.kind == "text"
            self._pair(ours.tree, theirs.tree, "", "")
        return self.seen

    def _headers(self, recorded: Headers, live: Headers) -> None:
        ours, theirs = header_values(recorded), header_values(live)
        for name, value in ours.items():
            place = f"header:{name}"
            self._mark(place, Kind.PRESENCE, name not in theirs)
            if name in theirs:
                self._text(place, "", value, theirs[name])
                self._shape(place, theirs[name], value)

    def _pair(self, expected: JsonValue, actual: JsonValue, at: str, pointer: str) -> None:
        place = place_of(pointer, at, lines=self._lines)
        self._shape(place, actual, expected)
        self._mark(place, Kind.NULL, (expected is None) != (actual is None))
        if isinstance(expected, dict) and isinstance(actual, dict):
            self._objects(expected, actual, at, pointer)
        elif isinstance(expected, list) and isinstance(actual, list):
            self._arrays(expected, actual, at, pointer, place)
        elif kind_of(expected) == kind_of(actual):
            both = (expected, actual) if isinstance(expected, str) and isinstance(actual, str) else None
            if both and expected != actual and (inside := nested(*both)):
                self._pair(*inside, at, pointer)
            else:
                self._text(place, at, expected, actual)

    def _text(self, place: str, at: str, expected: JsonValue, actual: JsonValue) -> None:
        same = expected == actual or (expected != expected and actual != actual)
        self._mark(place, Kind.RAW, not same)
        self._mark(place, Kind.VALUE, not same and self.judge.unexplained(at, expected, actual))

    def _objects(self, expected: dict[str, JsonValue], actual: dict[str, JsonValue], at: str, pointer: str) -> None:
        partners = numbers_became(self.judge, at, expected, actual)
        taken = set(partners.values())
        removed = [key for key in expected if key not in partners and (key not in actual or key in taken)]
        added = [key for key in actual if key not in taken and (key not in expected or key in partners)]
        data = [key for key in (*removed, *added) if template("", key) == "/*"]
        if data:
            partners |= {key: other for key, other, _ in same_keys(self.judge, at, removed, added)}
        below = f"{pointer}/*"
        if data or any(template("", key) == "/*" for key in expected):
            left = [key for key in data if key not in partners and key not in partners.values()]
            self._mark(place_of(below, join(at, 0), lines=False), Kind.ITEMS, bool(left))
        for key, value in expected.items():
            other = partners.get(key, key if key not in removed else None)
            child = template(pointer, key)
            if child != below:
                self._mark(place_of(child, join(at, key), lines=False), Kind.PRESENCE, other is None)
            if other is not None:
                self._pair(value, actual[other], join(at, key), child)
        for key in added:
            if key not in partners.values():
                self._profile(actual[key], join(at, key), template(pointer, key))

    def _arrays(self, expected: list[JsonValue], actual: list[JsonValue], at: str, pointer: str, place: str) -> None:
        found = align(expected, actual, self.judge.rename)
        drawn = shared(expected, actual, self.judge.rename)
        differs = bool(found.removed or found.added)
        if drawn and (drawn.removed or drawn.added) and not self._renewed(expected, actual, drawn, at):
            found, differs = drawn, True
        below = f"{pointer}/*"
        if len(found.pairs) > 1 and not self._lines:
            self._mark(place, Kind.ORDER, found.moved)
        for i, j in found.pairs:
            self._pair(expected[i], actual[j], join(at, i), below)
            plain = not isinstance(expected[i], dict | list) and not pointer.endswith("/*")  # a row has columns
            differs = differs or (plain and not self._same(expected[i], actual[j], join(at, i)))
        if not self._lines:
            self._mark(place, Kind.ITEMS, differs)
        for j in {*range(len(actual))} - {j for _, j in found.pairs}:
            self._profile(actual[j], join(at, j), below)
        if self.recorded_too:
            for i in {*range(len(expected))} - {i for i, _ in found.pairs}:
                self._profile(expected[i], join(at, i), below, taped=True)

    def _renewed(self, expected: list[JsonValue], actual: list[JsonValue], drawn: Alignment, at: str) -> bool:
        """Whether items have no partner only because every start gives them other keys."""
        if len(drawn.removed) != len(drawn.added):
            return False
        for i, j in zip(drawn.removed, drawn.added, strict=True):
            ours, theirs = expected[i], actual[j]
            assert isinstance(ours, dict)
            assert isinstance(theirs, dict)
            rest = [{name: value for name, value in item.items() if name != drawn.by} for item in (ours, theirs)]
            place = join(join(at, i), drawn.by)
            if not self._same(ours[drawn.by], theirs[drawn.by], place) or likeness(rest[0], rest[1]) < ALIKE:
                return False
        return True

    def _same(self, expected: JsonValue, actual: JsonValue, at: str) -> bool:
        if expected == actual:
            return True
        scalars = kind_of(expected) == kind_of(actual) and not isinstance(expected, dict | list)
        return scalars and self.judge.explained(at, expected, actual) is not None

    def _profile(self, value: JsonValue, at: str, pointer: str, *, taped: bool = False) -> None:
        """The shapes below a value that has no partner."""
        if self.shapes is not None:
            for spot, inner in places_below(value, at, pointer):
                self.shapes.setdefault(spot, Shape()).add(inner, taped=taped)

    def _shape(self, place: str, actual: JsonValue, expected: JsonValue) -> None:
        if self.shapes is None:
            return
        shape = self.shapes.setdefault(place, Shape())
        shape.add(actual, expected)
        shape.live += 1
        shape.live_nulls += actual is None
        if self.recorded_too:
            shape.add(expected, taped=True)

    def _mark(self, place: str, kind: Kind, differed: bool) -> None:
        self.seen[place, kind] = differed or self.seen.get((place, kind), False)
