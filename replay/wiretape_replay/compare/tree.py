"""The walk over two bodies side by side that finds each difference at its exact place."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from pydantic import JsonValue

from wiretape_replay.align import Alignment, align, as_sets, shared
from wiretape_replay.compare.difference import Difference, Ignored
from wiretape_replay.compare.judge import Judge
from wiretape_replay.compare.keys import numbers_became, renames, same_keys
from wiretape_replay.compare.messages import kind_said, said, said_pair
from wiretape_replay.compare.places import Kind, place_of, places_below, template
from wiretape_replay.exact_json import RepeatedKeys, equal, loads
from wiretape_replay.leaves import escape, join, kind_of
from wiretape_replay.verdict.model import FindingClass, Part, Severity

_SCALARS = frozenset({str, int, bool, type(None)})


@dataclass
class TreeComparison:
    """Collects the differences of one body."""

    judge: Judge
    lines: bool = False
    """Whether the body is lines of text."""
    differences: list[Difference] = field(default_factory=list)
    ignored: list[Ignored] = field(default_factory=list)

    def compare(self, expected: JsonValue, actual: JsonValue, at: str = "", pointer: str = "") -> None:
        """Compare two values; `pointer` is `at` with `*` for what is data."""
        if isinstance(expected, dict) and isinstance(actual, dict):
            if not equal(expected, actual):
                self._objects(expected, actual, at, pointer)
        elif isinstance(expected, list) and isinstance(actual, list):
            if not equal(expected, actual):
                self._arrays(expected, actual, at, pointer)
        elif kind_of(expected) != kind_of(actual):
            self._types(expected, actual, at, pointer)
        elif expected != actual and not (expected != expected and actual != actual):
            self._scalars(expected, actual, at, pointer)

    def _objects(self, expected: dict[str, JsonValue], actual: dict[str, JsonValue], at: str, pointer: str) -> None:
        removed = []
        became = numbers_became(self.judge, at, expected, actual)
        taken = set(became.values())
        for key, value in expected.items():
            if key in became:
                self._renamed(expected, actual, key, became[key], "bound", at, pointer)
            elif key in actual and key not in taken:
                if type(value) in _SCALARS and type(value) is type(actual[key]) and value == actual[key]:
                    continue
                self.compare(value, actual[key], join(at, key), template(pointer, key))
            else:
                removed.append(key)
        if len(actual) > len(expected) - len(removed) or removed:
            added = [key for key in actual if key not in taken and (key not in expected or key in became)]
            self._keys(expected, actual, removed, added, at, pointer)
        if type(actual) is RepeatedKeys or type(expected) is RepeatedKeys:
            self._repeated(expected, actual, at, pointer)

    def _keys(
        self,
        expected: dict[str, JsonValue],
        actual: dict[str, JsonValue],
        removed: list[str],
        added: list[str],
        at: str,
        pointer: str,
    ) -> None:
        for key, partner, reason in same_keys(self.judge, at, removed, added):
            removed.remove(key)
            added.remove(partner)
            self._renamed(expected, actual, key, partner, reason, at, pointer)
        renamed = renames(expected, actual, removed, added)
        for key in removed:
            self._removed(expected[key], key, renamed.get(key), at, pointer)
        before = {new: old for old, new in renamed.items()}
        for key in added:
            self._added(actual[key], key, before.get(key), at, pointer)

    def _renamed(
        self,
        expected: dict[str, JsonValue],
        actual: dict[str, JsonValue],
        key: str,
        live: str,
        reason: str,
        at: str,
        pointer: str,
    ) -> None:
        self.ignored.append(Ignored(Part.BODY, f"{pointer}/*", join(at, key), key, live, reason))
        self.compare(expected[key], actual[live], join(at, key), f"{pointer}/*")

    def _removed(self, value: JsonValue, key: str, new: str | None, at: str, pointer: str) -> None:
        message = f"the field {said(key)} is gone; it was {said(value)}"
        if new is not None:
            message = f"the field {said(key)} is gone and {said(new)} appeared with the same value: it looks renamed"
        below, here = template(pointer, key), join(at, key)
        place = place_of(below, here, lines=False)
        kind = Kind.ITEMS if below.endswith("/*") else Kind.PRESENCE
        self._may_vary(place, kind, Difference(
            FindingClass.REMOVED, Part.BODY, below, here, value, None, message, breaking=True,
            evidence=self.judge.lacks(place, kind)))  # fmt: skip

    def _added(self, value: JsonValue, key: str, old: str | None, at: str, pointer: str) -> None:
        message = f"the field {said(key)} is new: {said(value)}"
        if old is not None:
            message = f"the field {said(key)} is new and has the value that {said(old)} had: it looks renamed"
        below, here = template(pointer, key), join(at, key)
        found = Difference(FindingClass.ADDED, Part.BODY, below, here, None, value, message, Severity.INFO)
        if below.endswith("/*"):
            self._item(value, place_of(below, here, lines=False), found)
        else:
            self.differences.append(found)

    def _repeated(self, expected: dict[str, JsonValue], actual: dict[str, JsonValue], at: str, pointer: str) -> None:
        """Which of a repeated key's values counts is up to who reads it, so all of them are compared."""
        ours = expected.earlier if isinstance(expected, RepeatedKeys) else {}
        theirs = actual.earlier if isinstance(actual, RepeatedKeys) else {}
        for key in sorted({*ours, *theirs}):
            if key not in expected or key not in actual:
                continue
            before, now = ours.get(key, []), theirs.get(key, [])
            if len(before) != len(now):
                message = f"the key {said(key)} came {len(before) + 1} times in one object and now {len(now) + 1} times"
                self._find(FindingClass.SCHEMA, template(pointer, key), join(at, key), len(before) + 1, len(now) + 1,
                           message)  # fmt: skip
            for one, other in zip(before, now, strict=False):
                self.compare(one, other, join(at, key), template(pointer, key))

    def _arrays(self, expected: list[JsonValue], actual: list[JsonValue], at: str, pointer: str) -> None:
        place = place_of(pointer, at, lines=False)
        drawn = None if self.lines else self.judge.varies(place, Kind.ITEMS)
        if drawn and expected != actual:
            self._drawn(expected, actual, at, pointer)
            return
        found = align(expected, actual, self.judge.rename)
        if (found.removed or found.added) and not found.by and not self.lines and self.judge.unordered(place, pointer):
            found = as_sets(expected, actual)
        below = f"{pointer}/*"
        for i, j in found.pairs:
            self.compare(expected[i], actual[j], join(at, i), below)
        evidence = "" if self.lines else self.judge.lacks(place, Kind.ITEMS)
        for i in found.removed:
            self.differences.append(self._lost_item(expected, i, found.by, at, below, evidence))
        for j in found.added:
            self.differences.append(self._new_item(expected, actual, j, found.by, at, below, evidence))
        if found.moved:
            self._moved([j for _, j in found.pairs], at, pointer)

    def _lost_item(self, expected: list[JsonValue], i: int, by: str, at: str, below: str, evidence: str) -> Difference:
        message = f"the item {said(_name(expected[i], by))} is gone from an array of {len(expected)}"
        return Difference(
            FindingClass.REMOVED, Part.BODY, below, join(at, i), expected[i], None, message, evidence=evidence
        )

    def _new_item(self, expected: list[JsonValue], actual: list[JsonValue], j: int, by: str, at: str, below: str,
                  evidence: str) -> Difference:  # fmt: skip
        message = f"the item {said(_name(actual[j], by))} is new in an array of {len(expected)}"
        return Difference(
            FindingClass.ADDED, Part.BODY, below, join(at, j), None, actual[j], message, evidence=evidence
        )

    def _drawn(self, expected: list[JsonValue], actual: list[JsonValue], at: str, pointer: str) -> None:
        """An array whose items vary: those that both have are compared, the others must be of their shape."""
        found = shared(expected, actual, self.judge.rename)
        if found is None:
            items = range(len(expected)), range(len(actual))
            found = Alignment((), tuple(items[0]), tuple(items[1]))
        below, place = f"{pointer}/*", place_of(pointer, at, lines=False)
        for i, j in found.pairs:
            self.compare(expected[i], actual[j], join(at, i), below)
        if found.moved and self.judge.order_known(place):
            self._moved([j for _, j in found.pairs], at, pointer)
        message = f"other items came: {len(found.removed)} of {len(expected)} went, {len(found.added)} are new"
        whole = Difference(FindingClass.VALUE, Part.BODY, pointer, at, expected, actual, message)
        shape = self.judge.shape(place)
        if shape and (fault := shape.fault(actual)):
            self.differences.append(replace(whole, message=f"the array {fault}"))
        elif found.removed or found.added:
            self._may_vary(place, Kind.ITEMS, whole)
        for j in found.added:
            spot = place_of(below, join(at, j), lines=False)
            self._item(actual[j], spot, self._new_item(expected, actual, j, found.by, at, below, ""))

    def _item(self, item: JsonValue, place: str, found: Difference) -> None:
        """An item or a keyed value without a partner is told when it falls out of the shape of all others."""
        outer = place.rpartition("/")[0]
        if not self.judge.varies(outer, Kind.ITEMS) and not self.judge.varies(place, Kind.ITEMS):
            self.differences.append(found)
            return
        for spot, value in places_below(item, found.at, found.pointer):
            shape = self.judge.shape(spot)
            if shape is None:
                continue
            missing = [key for key in shape.always() if isinstance(value, dict) and key not in value]
            fault = f"has no {said(missing[0])}" if missing else shape.fault(value)
            if fault:
                pointer = f"{spot}/{escape(missing[0])}" if missing else spot
                evidence = "checked by the shape of all items that unchanged code gave"
                kind = FindingClass.REMOVED if missing else FindingClass.FORMAT
                self.differences.append(Difference(
                    kind, Part.BODY, pointer, found.at, None, value, f"a new item here {fault}", breaking=True,
                    evidence=evidence))  # fmt: skip

    def _moved(self, places: list[int], at: str, pointer: str) -> None:
        order: list[JsonValue] = list[JsonValue](places)
        kept = list[JsonValue](sorted(places))
        place = place_of(pointer, at, lines=False)
        message = "the same items came in another order"
        found = Difference(FindingClass.ORDER, Part.BODY, pointer, at, kept, order, message,
                           evidence=self.judge.lacks(place, Kind.ORDER))  # fmt: skip
        variation = self.judge.recorded_orders(pointer)
        if variation and not found.evidence:
            self.ignored.append(Ignored(Part.BODY, pointer, at, kept, order, f"order {variation}"))
            return
        self._may_vary(place, Kind.ORDER, found)

    def _may_vary(self, place: str, kind: Kind, found: Difference) -> None:
        """Noise if unchanged code varies here in this way, until all answers are known; else a difference."""
        rule = self.judge.noise.rule_for(self.judge.route, place) if kind is Kind.ORDER else None
        noise = None if self.lines else self.judge.varies(place, kind)
        if noise is None and rule is None:
            self.differences.append(found)
            return
        reason = noise.reason if noise else f"rule {place}"
        if kind in (Kind.ORDER, Kind.PRESENCE):
            reason = f"{'order' if kind is Kind.ORDER else 'presence'} {reason}"
        self.ignored.append(Ignored(Part.BODY, found.pointer, found.at, found.expected, found.actual, reason,
                                    trial=noise.trial if noise else "", place=place, otherwise=found))  # fmt: skip

    def _types(self, expected: JsonValue, actual: JsonValue, at: str, pointer: str) -> None:
        message = f"was {kind_said(expected)} and is now {kind_said(actual)}"
        if expected is not None and actual is not None:
            self._find(FindingClass.TYPE, pointer, at, expected, actual, message, breaking=True)
            return
        place = place_of(pointer, at, lines=self.lines)
        found = Difference(FindingClass.NULL, Part.BODY, pointer, at, expected, actual, message,
                           breaking=expected is not None, evidence=self.judge.lacks(place, Kind.NULL))  # fmt: skip
        shape = self.judge.shape(place)
        if actual is not None and shape and (fault := shape.fault(actual)):
            self.differences.append(replace(found, evidence=f"null varies here, but this one {fault}"))
        else:
            self._may_vary(place, Kind.NULL, found)

    def _scalars(self, expected: JsonValue, actual: JsonValue, at: str, pointer: str) -> None:
        if isinstance(expected, str) and isinstance(actual, str) and (inside := nested(expected, actual)):
            self.compare(*inside, at, pointer)
            return
        place = place_of(pointer, at, lines=self.lines)
        if noise := self.judge.noise_at(place, at, expected, actual):
            digest = self.judge.is_digest(at, expected)
            otherwise = self.difference(expected, actual, at, pointer) if noise.trial else None
            self.ignored.append(Ignored(Part.BODY, pointer, at, expected, actual, noise.reason, digest,
                                        noise.trial, place, otherwise))  # fmt: skip
            return
        self.differences.append(self.difference(expected, actual, at, pointer))

    def difference(self, expected: JsonValue, actual: JsonValue, at: str, pointer: str) -> Difference:
        """The finding of two unequal scalars of one type."""
        was, now = said_pair(expected, actual)
        message = f"was {was} and is now {now}"
        evidence = self.judge.told(place_of(pointer, at, lines=self.lines), expected, actual)
        ours, theirs = self.judge.formats(expected, actual)
        if ours is None or ours == theirs:
            return Difference(FindingClass.VALUE, Part.BODY, pointer, at, expected, actual, message, evidence=evidence)
        message = f"was {ours} like {was} and is now {theirs or 'something else'}: {now}"
        return Difference(FindingClass.FORMAT, Part.BODY, pointer, at, expected, actual, message, breaking=True,
                          evidence=evidence)  # fmt: skip

    def _find(
        self,
        kind: FindingClass,
        pointer: str,
        at: str,
        expected: JsonValue,
        actual: JsonValue,
        message: str,
        *,
        severity: Severity = Severity.ERROR,
        breaking: bool = False,
    ) -> None:
        self.differences.append(Difference(kind, Part.BODY, pointer, at, expected, actual, message, severity, breaking))


def nested(expected: str, actual: str) -> tuple[JsonValue, JsonValue] | None:
    """Both strings as the JSON documents that they hold."""
    if expected[:1] not in ("{", "[") or actual[:1] not in ("{", "["):
        return None
    try:
        return loads(expected), loads(actual)
    except ValueError:
        return None


def _name(item: JsonValue, by: str) -> JsonValue:
    return {by: item[by]} if by and isinstance(item, dict) else item
