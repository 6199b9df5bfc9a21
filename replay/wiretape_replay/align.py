"""Which element of one array is which element of another, so that one dropped element is one difference.

By an inferred key where objects have one, else by the longest common subsequence of what is not volatile.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise

from pydantic import JsonValue

from wiretape_replay.exact_json import equal
from wiretape_replay.leaves import kind_of
from wiretape_replay.masks import skeleton

type Stretch = tuple[int, int, int, int, bool]
"""Start and end among the recorded and among the live elements, and whether they are the same."""
type Rename = Callable[[str, JsonValue], JsonValue]
"""The live value that a recorded scalar of this name is known to have become, else the value itself."""

_KEY_NAMES = ("id", "uuid", "guid", "_id", "key", "sku", "code", "slug", "name", "email", "title", "username", "@id")
_LCS_LIMIT = 3000
_SIMILARITY_LIMIT = 200
ALIKE = 0.5
"""Share of equal members from which on two elements with different keys may be one and the same."""


@dataclass(frozen=True, slots=True)
class Alignment:
    """Pairs of positions (recorded, live), and what has no partner."""

    pairs: tuple[tuple[int, int], ...]
    removed: tuple[int, ...] = ()
    added: tuple[int, ...] = ()
    by: str = ""
    """The key's name, empty when aligned by content."""

    @property
    def moved(self) -> bool:
        """Whether partners stand in another order."""
        return any(later[1] < earlier[1] for earlier, later in pairwise(self.pairs))


def align(recorded: Sequence[JsonValue], live: Sequence[JsonValue], rename: Rename) -> Alignment:
    """Align two arrays."""
    if recorded == live or _in_place(recorded, live, rename):
        return Alignment(tuple((index, index) for index in range(len(recorded))))
    head = _alike_from(recorded, live)
    if head == len(recorded) == len(live):
        return Alignment(tuple((index, index) for index in range(head)))
    keyed = _by_key(recorded, live, rename)
    if keyed and not ((keyed.removed or keyed.added) and _only_key_differs(recorded, live, keyed.by)):
        return keyed
    tail = _alike_from(recorded[:head:-1], live[:head:-1])
    left = [signature(item) for item in recorded[head : len(recorded) - tail]]
    right = [signature(item) for item in live[head : len(live) - tail]]
    edges = [*((i, i) for i in range(head)), *((len(recorded) - i, len(live) - i) for i in range(1, tail + 1))]
    if len(left) == len(right) and Counter(left) == Counter(right):
        pairs = [(head + i, head + j) for i, j in _permutation(left, right)]
        return Alignment(tuple(sorted([*edges, *pairs])))
    found = _by_content(recorded, live, left, right, head)
    return Alignment(tuple(sorted([*edges, *found.pairs])), found.removed, found.added)


def _alike_from(recorded: Sequence[JsonValue], live: Sequence[JsonValue]) -> int:
    """How many elements from the start on differ at most in what is volatile."""
    pairs = zip(recorded, live, strict=False)
    alike = (equal(a, b) or signature(a) == signature(b) for a, b in pairs)
    return next((i for i, same in enumerate(alike) if not same), min(len(recorded), len(live)))


def shared(recorded: Sequence[JsonValue], live: Sequence[JsonValue], rename: Rename) -> Alignment | None:
    """By key, however few elements are shared: for arrays whose elements were drawn from a larger stock.

    None when the elements have no key, or when nothing but the keys differs.
    """
    left, right = _objects(recorded), _objects(live)
    for name in _key_names(left[0]) if left and right else ():
        ours, theirs = (_keys(left, name, None), _keys(right, name, None)) if name in left[0] else ({}, {})
        if not ours or not theirs:
            continue
        if not ours.keys() & theirs.keys() and _only_key_differs(recorded, live, name):
            return None
        pairs = _shared_pairs(left, right, ours, theirs, name, rename)
        kept, came = {i for i, _ in pairs}, {j for _, j in pairs}
        lost, new = {*ours.values()} - kept, {*theirs.values()} - came
        return Alignment(tuple(pairs), tuple(sorted(lost)), tuple(sorted(new)), name)
    return None


def _shared_pairs(
    left: list[dict[str, JsonValue]],
    right: list[dict[str, JsonValue]],
    ours: dict[Hashable, int],
    theirs: dict[Hashable, int],
    name: str,
    rename: Rename,
) -> list[tuple[int, int]]:
    """Equal keys; and keys that became others, where the rest of the element says so too."""
    pairs = [(index, theirs[key]) for key, index in ours.items() if key in theirs]
    taken = {j for _, j in pairs}
    for key, i in ours.items():
        j = theirs.get(rename(name, key)) if key not in theirs else None  # type: ignore[arg-type]
        if j is None or j in taken:
            continue
        rest = [{k: v for k, v in item.items() if k != name} for item in (left[i], right[j])]
        if likeness(rest[0], rest[1]) >= ALIKE:
            pairs.append((i, j))
            taken.add(j)
    return sorted(pairs)


def as_sets(recorded: Sequence[JsonValue], live: Sequence[JsonValue]) -> Alignment:
    """By value alone: for arrays whose order means nothing."""
    places: dict[Hashable, list[int]] = {}
    for index in range(len(live) - 1, -1, -1):
        places.setdefault(signature(live[index]), []).append(index)
    pairs: list[tuple[int, int]] = []
    removed: list[int] = []
    for index, item in enumerate(recorded):
        if free := places.get(signature(item)):
            pairs.append((index, free.pop()))
        else:
            removed.append(index)
    return Alignment(tuple(pairs), tuple(removed), tuple(sorted(j for left in places.values() for j in left)))


def signature(value: JsonValue) -> Hashable:
    """Equal for values that differ at most in what is volatile."""
    if isinstance(value, str):
        return ("string", skeleton(value) if len(value) >= 8 else value)
    if isinstance(value, dict):
        return ("object", tuple((key, signature(value[key])) for key in sorted(value)))
    if isinstance(value, list):
        return ("array", tuple(signature(item) for item in value))
    return (kind_of(value), value if value == value else "NaN")


def _in_place(recorded: Sequence[JsonValue], live: Sequence[JsonValue], rename: Rename) -> bool:
    """The common case, found without looking at more than one member of each element."""
    first = recorded[0] if recorded else None
    if len(recorded) != len(live) or not isinstance(first, dict):
        return False
    left, right = _objects(recorded), _objects(live)
    if not left or not right:
        return False
    for name in _KEY_NAMES:
        ours = _keys(left, name, rename) if name in first else {}
        theirs = _keys(right, name, None) if ours else {}
        if ours and list(ours) == list(theirs):
            return True
        if not ours.keys().isdisjoint(theirs):
            return False
    return False


def _by_key(recorded: Sequence[JsonValue], live: Sequence[JsonValue], rename: Rename) -> Alignment | None:
    left, right = _objects(recorded), _objects(live)
    if not left or not right:
        return None
    names = [name for name in _key_names(left[0]) if name in left[0]]
    for name in names:
        ours, theirs = _keys(left, name, rename), _keys(right, name, None)
        if not ours or not theirs:
            continue
        common = ours.keys() & theirs.keys()
        if common and 2 * len(common) >= min(len(ours), len(theirs)):
            pairs = [(index, theirs[key]) for key, index in ours.items() if key in common]
            removed = [index for key, index in ours.items() if key not in common]
            added = [index for key, index in theirs.items() if key not in common]
            return _with_changed_keys(recorded, live, Alignment(tuple(pairs), tuple(removed), tuple(added), name))
    return None


def _with_changed_keys(recorded: Sequence[JsonValue], live: Sequence[JsonValue], found: Alignment) -> Alignment:
    """Elements that are otherwise alike are one element whose key changed."""
    if not found.removed or not found.added:
        return found
    lost, new = [recorded[i] for i in found.removed], [live[j] for j in found.added]
    partners = [(found.removed[i], found.added[j]) for i, j in _partners(lost, new, least=0.6)]
    kept, came = {i for i, _ in partners}, {j for _, j in partners}
    return Alignment(
        tuple(sorted([*found.pairs, *partners])),
        tuple(i for i in found.removed if i not in kept),
        tuple(j for j in found.added if j not in came),
        found.by,
    )


def _objects(items: Sequence[JsonValue]) -> list[dict[str, JsonValue]]:
    objects = [item for item in items if isinstance(item, dict)]
    return objects if len(objects) == len(items) else []


def _key_names(item: dict[str, JsonValue]) -> list[str]:
    others = [name for name in item if name.lower().endswith(("id", "_key", "code", "number")) or name == "Key"]
    return list(dict.fromkeys([*_KEY_NAMES, *others]))


def _keys(items: list[dict[str, JsonValue]], name: str, rename: Rename | None) -> dict[Hashable, int]:
    """Position by key; empty unless the key is a scalar of every element and unique."""
    found: dict[Hashable, int] = {}
    for index, item in enumerate(items):
        value = item.get(name)
        while isinstance(value, list) and len(value) == 1:  # an XML child
            value = value[0]
        if isinstance(value, bool) or not isinstance(value, str | int):
            return {}
        found[rename(name, value) if rename else value] = index  # type: ignore[index]
    return found if len(found) == len(items) else {}


def _only_key_differs(recorded: Sequence[JsonValue], live: Sequence[JsonValue], key: str) -> bool:
    """Serial numbers that started elsewhere overlap by chance: the rest of each element tells."""
    if len(recorded) != len(live):
        return False

    def rest(items: Sequence[JsonValue]) -> list[Hashable]:
        return [signature({k: v for k, v in item.items() if k != key}) for item in items if isinstance(item, dict)]

    return rest(recorded) == rest(live)


def _permutation(left: list[Hashable], right: list[Hashable]) -> tuple[tuple[int, int], ...]:
    places: dict[Hashable, list[int]] = {}
    for index in range(len(right) - 1, -1, -1):
        places.setdefault(right[index], []).append(index)
    return tuple((index, places[item].pop()) for index, item in enumerate(left))


def _by_content(
    recorded: Sequence[JsonValue], live: Sequence[JsonValue], left: list[Hashable], right: list[Hashable], head: int
) -> Alignment:
    """Of the elements from `head` on, whose signatures are given."""
    pairs: list[tuple[int, int]] = []
    removed: list[int] = []
    added: list[int] = []
    for start, a_stop, other, b_stop, same in _stretches(left, right):
        a, a_end, b, b_end = head + start, head + a_stop, head + other, head + b_stop
        if same or a_end - a == b_end - b:
            pairs += zip(range(a, a_end), range(b, b_end), strict=True)
            continue
        partners = _partners(recorded[a:a_end], live[b:b_end])
        pairs += [(a + i, b + j) for i, j in partners]
        kept, came = {a + i for i, _ in partners}, {b + j for _, j in partners}
        removed += [i for i in range(a, a_end) if i not in kept]
        added += [j for j in range(b, b_end) if j not in came]
    return Alignment(tuple(pairs), tuple(removed), tuple(added))


def _stretches(left: list[Hashable], right: list[Hashable]) -> list[Stretch]:
    """Equal and unequal stretches in order. LCS is quadratic: long ones are cut at what both have just once."""
    if max(len(left), len(right)) <= _LCS_LIMIT:
        matcher = SequenceMatcher(None, left, right, autojunk=False)
        return [(a, a_end, b, b_end, tag == "equal") for tag, a, a_end, b, b_end in matcher.get_opcodes()]
    found: list[Stretch] = []
    a, b = 0, 0
    for i, j in [*_anchors(left, right), (len(left), len(right))]:
        if max(i - a, j - b) > _LCS_LIMIT:
            found.append((a, i, b, j, False))
        elif i > a or j > b:
            found += [(a + x, a + x_end, b + y, b + y_end, same)
                      for x, x_end, y, y_end, same in _stretches(left[a:i], right[b:j])]  # fmt: skip
        if i < len(left):
            found.append((i, i + 1, j, j + 1, True))
        a, b = i + 1, j + 1
    return found


def _anchors(left: list[Hashable], right: list[Hashable]) -> list[tuple[int, int]]:
    """Pairs of elements that both sides have once, the most that stand in one order (patience diff, Bram Cohen)."""
    once, other = _single(left), _single(right)
    pairs = [(i, other[item]) for item, i in once.items() if item in other]
    tops: list[int] = []
    piles: list[int] = []
    before: list[int] = []
    for index, (_, j) in enumerate(pairs):
        pile = bisect_left(tops, j)
        before.append(piles[pile - 1] if pile else -1)
        tops[pile : pile + 1] = [j]
        piles[pile : pile + 1] = [index]
    chain: list[tuple[int, int]] = []
    last = piles[-1] if piles else -1
    while last >= 0:
        chain.append(pairs[last])
        last = before[last]
    return chain[::-1]


def _single(items: list[Hashable]) -> dict[Hashable, int]:
    counts = Counter(items)
    return {item: index for index, item in enumerate(items) if counts[item] == 1}


def _partners(recorded: Sequence[JsonValue], live: Sequence[JsonValue], least: float = 0.3) -> list[tuple[int, int]]:
    """In a stretch of unequal lengths: the most alike in order; by position when there are too many to try."""
    if max(len(recorded), len(live)) > _SIMILARITY_LIMIT:
        return [(index, index) for index in range(min(len(recorded), len(live)))] if least < 0.5 else []
    scored = sorted(
        ((-likeness(a, b), abs(i - j), i, j) for i, a in enumerate(recorded) for j, b in enumerate(live)),
    )
    taken: list[tuple[int, int]] = []
    for score, _, i, j in scored:
        if -score >= least and all((i < x and j < y) or (i > x and j > y) for x, y in taken):
            taken.append((i, j))
    return sorted(taken)


def likeness(a: JsonValue, b: JsonValue) -> float:
    """How alike two elements are, 0 to 1: the share of equal members, or of a common start and end."""
    if isinstance(a, dict) and isinstance(b, dict):
        names = a.keys() | b.keys()
        same = sum(name in a and name in b and signature(a[name]) == signature(b[name]) for name in names)
        return same / len(names) if names else 1.0
    if isinstance(a, str) and isinstance(b, str):
        return SequenceMatcher(None, a[:200], b[:200], autojunk=False).quick_ratio() - 0.3
    return float(signature(a) == signature(b))
