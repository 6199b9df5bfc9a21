"""The walk over two bodies side by side that finds each difference at its exact place."""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import SequenceMatcher

from pydantic import JsonValue

from wiretape_replay.align import align, signature
from wiretape_replay.compare.difference import Difference, Ignored
from wiretape_replay.compare.judge import Judge
from wiretape_replay.compare.messages import kind_said, said
from wiretape_replay.compare.noise import template
from wiretape_replay.exact_json import RepeatedKeys, loads
from wiretape_replay.formats import format_of
from wiretape_replay.leaves import join, kind_of
from wiretape_replay.verdict.model import FindingClass, Part, Severity

_SCALARS = frozenset({str, int, bool, type(None)})


@dataclass
class TreeComparison:
    """Collects the differences of one body."""

    judge: Judge
    differences: list[Difference] = field(default_factory=list)
    ignored: list[Ignored] = field(default_factory=list)

    def compare(self, expected: JsonValue, actual: JsonValue, at: str = "", pointer: str = "") -> None:
        """Compare two values; `pointer` is `at` with `*` for what is data."""
        if isinstance(expected, dict) and isinstance(actual, dict):
            self._objects(expected, actual, at, pointer)
        elif isinstance(expected, list) and isinstance(actual, list):
            self._arrays(expected, actual, at, pointer)
        elif kind_of(expected) != kind_of(actual):
            self._types(expected, actual, at, pointer)
        elif expected != actual and not (expected != expected and actual != actual):
            self._scalars(expected, actual, at, pointer)

    def _objects(self, expected: dict[str, JsonValue], actual: dict[str, JsonValue], at: str, pointer: str) -> None:
        removed = []
        for key, value in expected.items():
            if key in actual:
                if type(value) in _SCALARS and type(value) is type(actual[key]) and value == actual[key]:
                    continue
                self.compare(value, actual[key], join(at, key), template(pointer, key))
            else:
                removed.append(key)
        if len(actual) > len(expected) - len(removed) or removed:
            added = [key for key in actual if key not in expected]
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
        for key, partner, reason in self._same_keys(removed, added):
            removed.remove(key)
            added.remove(partner)
            self.ignored.append(Ignored(Part.BODY, f"{pointer}/*", join(at, key), key, partner, reason))
            self.compare(expected[key], actual[partner], join(at, key), f"{pointer}/*")
        renamed = renames(expected, actual, removed, added)
        for key in removed:
            self._removed(expected[key], key, renamed.get(key), at, pointer)
        before = {new: old for old, new in renamed.items()}
        for key in added:
            self._added(actual[key], key, before.get(key), at, pointer)

    def _same_keys(self, removed: list[str], added: list[str]) -> list[tuple[str, str, str]]:
        """Keys that are data: bound, or of one volatile format and as many on both sides."""
        found: list[tuple[str, str, str]] = []
        free = list(added)
        for key in removed:
            if format_of(key) is None and not key.isdecimal():
                continue
            for other in free:
                if reason := self.judge.same_key(key, other):
                    found.append((key, other, reason))
                    free.remove(other)
                    break
        return found

    def _removed(self, value: JsonValue, key: str, new: str | None, at: str, pointer: str) -> None:
        message = f"the field {said(key)} is gone; it was {said(value)}"
        if new is not None:
            message = f"the field {said(key)} is gone and {said(new)} appeared with the same value: it looks renamed"
        self._find(FindingClass.REMOVED, template(pointer, key), join(at, key), value, None, message, breaking=True)

    def _added(self, value: JsonValue, key: str, old: str | None, at: str, pointer: str) -> None:
        message = f"the field {said(key)} is new: {said(value)}"
        if old is not None:
            message = f"the field {said(key)} is new and has the value that {said(old)} had: it looks renamed"
        self._find(FindingClass.ADDED, template(pointer, key), join(at, key), None, value, message,
                   severity=Severity.INFO)  # fmt: skip

    def _repeated(self, expected: dict[str, JsonValue], actual: dict[str, JsonValue], at: str, pointer: str) -> None:
        ours = expected.repeated if isinstance(expected, RepeatedKeys) else ()
        theirs = actual.repeated if isinstance(actual, RepeatedKeys) else ()
        if ours != theirs:
            message = f"the object repeats the keys {said(list(theirs))}; it repeated {said(list(ours))}"
            self._find(FindingClass.SCHEMA, pointer, at, list(ours), list(theirs), message)

    def _arrays(self, expected: list[JsonValue], actual: list[JsonValue], at: str, pointer: str) -> None:
        found = align(expected, actual, self.judge.rename)
        below = f"{pointer}/*"
        for i, j in found.pairs:
            self.compare(expected[i], actual[j], join(at, i), below)
        for i in found.removed:
            message = f"the item {said(_name(expected[i], found.by))} is gone from an array of {len(expected)}"
            self._find(FindingClass.REMOVED, below, join(at, i), expected[i], None, message)
        for j in found.added:
            message = f"the item {said(_name(actual[j], found.by))} is new in an array of {len(expected)}"
            self._find(FindingClass.ADDED, below, join(at, j), None, actual[j], message)
        if found.moved:
            self._moved([j for _, j in found.pairs], at, pointer)

    def _moved(self, places: list[int], at: str, pointer: str) -> None:
        order: list[JsonValue] = list[JsonValue](places)
        kept = list[JsonValue](sorted(places))
        variation = self.judge.noise.orders.get((self.judge.route, pointer))
        if variation and variation.differed:
            self.ignored.append(Ignored(Part.BODY, pointer, at, kept, order, f"order {variation}"))
            return
        self._find(FindingClass.ORDER, pointer, at, kept, order, "the same items came in another order")

    def _types(self, expected: JsonValue, actual: JsonValue, at: str, pointer: str) -> None:
        message = f"was {kind_said(expected)} and is now {kind_said(actual)}"
        kind = FindingClass.NULL if None in (expected, actual) else FindingClass.TYPE
        self._find(kind, pointer, at, expected, actual, message, breaking=expected is not None)

    def _scalars(self, expected: JsonValue, actual: JsonValue, at: str, pointer: str) -> None:
        if isinstance(expected, str) and isinstance(actual, str) and (nested := _nested(expected, actual)):
            self.compare(*nested, at, pointer)
            return
        if reason := self.judge.reason(pointer, at, expected, actual):
            digest = self.judge.is_digest(at, expected)
            self.ignored.append(Ignored(Part.BODY, pointer, at, expected, actual, reason, digest))
            return
        self.differences.append(self.difference(expected, actual, at, pointer))

    def difference(self, expected: JsonValue, actual: JsonValue, at: str, pointer: str) -> Difference:
        """The finding of two unequal scalars of one type."""
        message = f"was {said(expected)} and is now {said(actual)}"
        ours, theirs = self.judge.formats(expected, actual)
        if ours is None or ours == theirs:
            return Difference(FindingClass.VALUE, Part.BODY, pointer, at, expected, actual, message)
        message = f"was {ours} like {said(expected)} and is now {theirs or 'something else'}: {said(actual)}"
        return Difference(FindingClass.FORMAT, Part.BODY, pointer, at, expected, actual, message, breaking=True)

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


def renames(
    expected: dict[str, JsonValue], actual: dict[str, JsonValue], removed: list[str], added: list[str]
) -> dict[str, str]:
    """Old name to new name, where a lost field's value turned up in a new one."""
    found: dict[str, str] = {}
    free = list(added)
    for key in removed:
        same = [name for name in free if signature(actual[name]) == signature(expected[key])]
        telling = not isinstance(expected[key], bool) and expected[key] not in (None, "", 0, 1, [], {})
        best = max(same, key=lambda name: _alike(key, name), default=None)
        if best is not None and (telling or _alike(key, best) >= 0.5):
            found[key] = best
            free.remove(best)
    return found


def _alike(one: str, other: str) -> float:
    return SequenceMatcher(None, one.lower(), other.lower(), autojunk=False).ratio()


def _nested(expected: str, actual: str) -> tuple[JsonValue, JsonValue] | None:
    """Both strings as the JSON documents that they hold."""
    if expected[:1] not in ("{", "[") or actual[:1] not in ("{", "["):
        return None
    try:
        return loads(expected), loads(actual)
    except ValueError:
        return None


def _name(item: JsonValue, by: str) -> JsonValue:
    return {by: item[by]} if by and isinstance(item, dict) else item
